"""A whole expansion: from rows of the lake to curves, and to the expansion that is saved as a model."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.errors import InputError
from ml import scratch
from ml.elements import elements_of
from ml.expand import rows as tables
from ml.expand.curves import TOGETHER, Curve, Problem, curves
from ml.expand.mapping import Mapped, map_structures, pools_of
from ml.expand.model import PART, ExpansionModel, model_of
from ml.expand.settings import COMPOSITION, ExpandSettings
from ml.expansion.clusters import Clusters
from ml.expansion.parent import Parent
from ml.expansion.placing import structures_of
from ml.expansion.recognise import recognise
from ml.learned import Learned
from ml.progress import Progress, State
from ml.registry.document import Document
from ml.registry.rows import check_name
from ml.spec import ModelSpec

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml.data.dataset import Dataset
    from ml.train import Trained

Ints = npt.NDArray[np.int64]
MOST_OF_A_KIND = 24
"""Structures of one space group and size that lattices are recognised from."""
LEARNED_SPLITS = ("train", "validation")
"""Rows that curves are made from; cross-validation chooses, so that validation rows are not needed for it."""


@dataclass(frozen=True)
class Expanded:
    """What came of a run.

    Attributes:
        run: its row of `expansions`.
        curves: those of all lattices together; empty where an earlier run is given back.
        trained: the expansion that was saved as a model; None where an earlier run is given back.
        was_there: whether an earlier run of the same data and settings is given back.
        notes: what a person should know.
    """

    run: dict[str, Any]
    curves: tuple[Curve, ...]
    trained: Trained | None
    was_there: bool
    notes: tuple[str, ...]


def expand(
    lake: Lake, dataset: Dataset, settings: ExpandSettings, *, name: str, parents: Sequence[Parent] = (),
    again: bool = False, progress: Progress | None = None,
) -> Expanded:
    """Expand a target in correlations and their monomials.

    Curves are made from the train and validation rows: what the model that is saved says of the test rows is worth
    what its evaluation says. The same call after an interruption goes on where it was interrupted.

    Args:
        lake: where the run is saved.
        dataset: rows of the lake.
        settings: what is expanded in what.
        name: what run and model are called.
        parents: the lattices; none = they are recognised.
        again: do also what was done before.
        progress: called now and then.

    Raises:
        InputError: no lattice is recognised, too few structures are on one, or features do not fit into memory;
            another process does the same.
        TableError: the lake could not be written to.
    """
    check_name(name)
    dataset.check()
    settings_json = json.dumps({"expand": settings.plain(), "parents": [one.to_json() for one in parents]},
                               sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    if not again and (row := tables.earlier(lake, name, dataset.sha256, settings_json)) is not None:
        return Expanded(row, (), None, True, dataset.warnings)
    place = scratch.scratch_folder(lake, "expand", dataset.sha256, settings_json)
    with scratch.alone_in(place):
        began = time.monotonic()
        run = _Run(lake, dataset, settings, settings_json, name, progress or (lambda _: None))
        pools = run.pools(parents, place)
        expanded = run.finished(pools, run.mapped(pools, place), began)
        scratch.remove(place)
    return expanded


@dataclass(frozen=True)
class _Run:
    lake: Lake
    dataset: Dataset
    settings: ExpandSettings
    settings_json: str
    name: str
    progress: Progress

    def pools(self, given: Sequence[Parent], folder: Any) -> dict[str, list[Clusters]]:
        """The clusters of every lattice, given or recognised from the rows that are learned from."""
        kept = folder / "parents.json"
        parents = list(given)
        if not parents and kept.exists():
            parents = [Parent.of(one) for one in json.loads(kept.read_text())]
        if not parents:
            self.progress(State("lattices", 0))
            seen = self._spread(self._learned_rows())
            structures = self._structures()
            parents = recognise([structures[place] for place in seen.tolist()], self.settings.fewest)
            if not parents:
                raise InputError(
                    f"No parent lattice is recognised in {len(seen):,} structures: a lattice needs "
                    f"{self.settings.fewest} structures of one symmetry that differ in the species on its sites. Give "
                    "one: --parent FILE."
                )
            beside = kept.with_suffix(".part")
            beside.write_text(json.dumps([one.to_json() for one in parents]))
            beside.replace(kept)
        inactive = [one.name for one in parents if not one.active]
        if inactive:
            raise InputError(f"On every site of {inactive[0]} there is one species only: nothing can vary on it.")
        wanted = {pool: self.settings.wanted(pool) for pool in self.settings.pools}
        return pools_of(parents, wanted, self.settings.orders)

    def mapped(self, pools: dict[str, list[Clusters]], folder: Any) -> Mapped:
        """All rows on their lattices."""
        def show(doing: str, done: int, total: int | None) -> None:
            self.progress(State(doing, done, total))

        return map_structures(self._structures(), pools, self.lake.settings, folder, show)

    def finished(self, pools: dict[str, list[Clusters]], mapped: Mapped, began: float) -> Expanded:
        """Curves, model, tables."""
        if not (mapped.parent >= 0).any():
            reason = next((one for one in mapped.reasons if one is not None), ("", ""))
            raise InputError(f"None of {len(mapped.parent):,} structures is on a parent lattice, the first because: "
                             f"{reason[1]} Give others with --parent FILE.")
        column = "formula_reduced" if self.settings.group == COMPOSITION else self.settings.group
        problem = Problem.of(mapped, self._learned_rows(), self.dataset.actual,
                             [str(one) for one in self.dataset.rows[column].to_pylist()], self.settings)
        made = []
        for curve in curves(problem, self.settings):
            made.append(curve)
            self.progress(State("curves", len(made)))
        together = [curve for curve in made if curve.parent == TOGETHER]
        seconds = time.monotonic() - began
        trained = self._model(pools, mapped, together, seconds)
        run_id = tables.next_id(self.lake, self.name)
        row = tables.run_row(self.dataset, self.settings_json, mapped, pools, made) | {
            "model_id": trained.model.model_id, "seconds": time.monotonic() - began}
        names = [clusters.parent.name for clusters in next(iter(pools.values()))]
        row = tables.write(
            self.lake, run_id, row, tables.path_rows(made, self.settings, self.dataset.target.unit, pools),
            tables.unmapped_rows(self.dataset, mapped, names),
        )
        return Expanded(row, tuple(together), trained, False, trained.warnings)

    def _learned_rows(self) -> Ints:
        return np.sort(np.concatenate([self.dataset.places(split) for split in LEARNED_SPLITS])).astype(np.int64)

    def _spread(self, places: Ints) -> Ints:
        """Some of every space group and number of sites: what lattices are recognised from."""
        columns = zip(*(self.dataset.rows[name].to_pylist() for name in ("spacegroup_number", "n_sites")), strict=True)
        kinds = list(columns)
        of_kind: dict[Any, list[int]] = {}
        for place in places.tolist():
            of_kind.setdefault(kinds[place], []).append(place)
        found = [one for group in of_kind.values() for one in group[::max(1, -(-len(group) // MOST_OF_A_KIND))]]
        return np.sort(np.array(found, dtype=np.int64))

    def _structures(self) -> list[Any]:
        rows = self.dataset.rows
        return structures_of(*(rows[name].to_pylist() for name in (
            "calculation_id", "lattice_vectors_angstrom", "fractional_positions", "species_at_sites")))

    def _model(
        self, pools: dict[str, list[Clusters]], mapped: Mapped, together: Sequence[Curve], seconds: float
    ) -> Trained:
        from ml.predict.learn_domain import with_domain
        from ml.train import judged, kept

        curve, point = chosen(together, self.settings)
        model = self._expansion(pools, curve, point)
        learnable = np.isfinite(model.intercepts)
        places = np.flatnonzero((mapped.parent >= 0) & learnable[np.maximum(mapped.parent, 0)]).astype(np.int64)
        members = np.empty((1, len(places)))
        for lattice in np.unique(mapped.parent[places]):
            of_lattice = np.flatnonzero(mapped.parent[places] == lattice)
            correlations = np.array([mapped.correlations[curve.pool][places[one]] for one in of_lattice])
            members[0, of_lattice] = model.value(int(lattice), correlations)
        n = int(curve.judged.path.n_features[point])
        spec = ModelSpec(kind="expansion", model=self.settings.plain() | {
            "pool": curve.pool, "degree": curve.degree, "features": n}, baseline="none", seed=self.settings.seed)
        document = Document(self.dataset.target, spec, {PART: model.plain(), "model": dict(spec.model)},
                            model.elements, None, 0.0, 1.0)
        left_out = self.dataset.rows.num_rows - len(places)
        notes = [f"{left_out:,} of {self.dataset.rows.num_rows:,} structures are on no lattice; the table unmapped "
                 "says why."] if left_out else []
        answer = Learned(document, model.arrays(), model, places, members, [], model.n_parameters, n, n, "done",
                         seconds, "cpu", None, tuple(notes))
        answer = with_domain(answer, self.dataset, spec)
        road = "own" if len(self.dataset.sources) == 1 else "combined"
        return kept(self.lake, judged(self.dataset, spec, answer, road), answer, self.name)

    def _expansion(self, pools: dict[str, list[Clusters]], curve: Curve, point: int) -> ExpansionModel:
        path = curve.judged.path
        used = np.flatnonzero(path.coefficients[point])
        terms = [curve.term(int(path.columns[place])) for place in used]
        intercepts = {parent: float(path.intercepts[point, place]) for place, parent in enumerate(curve.parents)}
        elements = elements_of(self.dataset.rows.take(pa.array(self._learned_rows())))
        return model_of(pools[curve.pool], terms, path.coefficients[point, used], intercepts, elements)


def chosen(together: Sequence[Curve], settings: ExpandSettings) -> tuple[Curve, int]:
    """The curve and point of the model that is saved.

    Without a wish: of the curve whose error under cross-validation is least, the smallest model within one standard
    error of it.
    """
    fitting = [curve for curve in together if settings.degree in (None, curve.degree)]
    if settings.features is None:
        curve = min(fitting, key=lambda one: float(one.judged.cv_rmse[one.judged.best]))
        return curve, curve.judged.simplest

    def error(one: Curve) -> float:
        value = float(one.judged.cv_rmse[_point(one, settings.features)])
        return value if value == value else float("inf")

    curve = min(fitting, key=error)
    return curve, _point(curve, settings.features)


def _point(curve: Curve, wanted: int | None) -> int:
    """The largest model of no more features than wanted."""
    assert wanted is not None
    return int(np.flatnonzero(curve.judged.path.n_features <= max(wanted, int(curve.judged.path.n_features[0])))[-1])
