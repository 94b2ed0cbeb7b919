"""What `matlake expand` shows: where each curve turns on stdout, everything else on stderr."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from flows.terminal import emit, err
from flows.training import described, progress_bar
from lake.errors import InputError, SettingsError

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml.data import Selection
    from ml.expand.run import Expanded
    from ml.expand.settings import ExpandSettings
    from ml.expansion.parent import Parent

SHOWN = ("pool", "feature_set", "n_features", "fit_rmse", "cv_rmse", "simplest_n_features", "simplest_cv_rmse",
         "last_n_features", "last_fit_rmse", "turns")


@dataclass(frozen=True)
class Asked:
    """What a person asks for.

    Attributes:
        selection: rows and target.
        settings: what is expanded in what.
        parents: the lattices; none = they are recognised.
        name: what run and model are called.
        again: do also what was done before.
    """

    selection: Selection
    settings: ExpandSettings
    parents: Sequence[Parent]
    name: str
    again: bool


def run(lake: Lake, asked: Asked, format_: str, output: Path | None) -> None:
    """Expand under a progress bar, and show where each curve turns."""
    from ml.data import dataset
    from ml.expand.run import expand

    rows = dataset(lake, asked.selection)
    _say(*described(rows))
    with progress_bar(rows.target.unit) as progress:
        found = expand(lake, rows, asked.settings, name=asked.name, parents=asked.parents, again=asked.again,
                       progress=progress)
    if not found.was_there:
        lake.refresh()
    _say(*parents_words(found.run), *(f"Warning: {note}" for note in found.notes))
    emit(turns(found.run), format_, output)
    _say(*answers(found.run), *next_steps(found))


def turns(run_: dict[str, Any]) -> pa.Table:
    """Where each curve is least under cross-validation, the smallest model about as good, and the end of the path."""
    rows = json.loads(run_["turns_json"])
    return pa.table({name: [row[name] for row in rows] for name in SHOWN} | {"unit": [run_["unit"]] * len(rows)})


def parents_words(run_: dict[str, Any]) -> Iterator[str]:
    """The lattices and how many structures are on each."""
    yield f"{run_['n_mapped']:,} of {run_['n_rows']:,} structures are on a parent lattice:"
    for one in json.loads(run_["parents_json"]):
        pools = ", ".join(f"{pool} {n['n_correlations']}" for pool, n in one["pools"].items())
        yield (f"  {one['name']}  space group {one['spacegroup_number']}, {one['n_sites']} sites ({one['species']}), "
               f"{one['n_mapped']:,} structures; correlations: {pools}")


def answers(run_: dict[str, Any]) -> Iterator[str]:
    """Whether nonlinear features are better than standard ones, by the fit and under cross-validation."""
    rows = json.loads(run_["turns_json"])
    standard = {row["pool"]: row for row in rows if row["feature_set"] == "standard"}
    for row in rows:
        known = standard.get(row["pool"])
        if known is None or row is known:
            continue
        fit = "better" if row["last_fit_rmse"] < known["last_fit_rmse"] else "not better"
        held = "better" if row["cv_rmse"] < known["cv_rmse"] else "not better"
        yield (f"{row['feature_set']} against standard, {row['pool']} pool: {fit} on the fit "
               f"({row['last_fit_rmse']:.4g} with {row['last_n_features']} features against "
               f"{known['last_fit_rmse']:.4g} with {known['last_n_features']}), {held} under cross-validation "
               f"({row['cv_rmse']:.4g} against {known['cv_rmse']:.4g} {run_['unit']}).")


def next_steps(found: Expanded) -> Iterator[str]:
    """Where the results are, and what to do with them."""
    row = found.run
    if found.was_there:
        yield (f"{row['run_id']} was made from the same data with the same settings on {row['created_at']:%Y-%m-%d}: "
               "nothing was done. --again does it once more.")
    else:
        yield f"{row['run_id']}: {row['seconds']:,.0f} s."
    if row["n_left_out"]:
        yield f"Not mapped, with reasons: matlake sql \"from unmapped where run_id = '{row['run_id']}'\""
    yield f"All curves: matlake sql expressivity --param run={row['run_id']}"
    yield f"The expansion is the model {row['model_id']}: matlake predict {row['model_id']} --on STRUCTURE_FILE"


def given_parents(files: Sequence[Path], species: Sequence[str]) -> list[Parent]:
    """The lattices of structure files.

    Args:
        files: of structures; the first structure of each.
        species: ``element=species,…``: what may be on the sites of an element.

    Raises:
        SettingsError: species without a file, or not of that form.
        InputError: a file cannot be read, or an element has no species to vary.
    """
    from ml.expansion.parent import of_structure
    from ml.predict.structures import read_structures

    if species and not files:
        raise SettingsError("--species belongs to lattices that are given: --parent FILE.")
    allowed: dict[str, list[str]] = {}
    for word in species:
        element, given, others = word.partition("=")
        if not given or not others:
            raise SettingsError(f"--species {word!r:.80}: give it as element=species, such as Al=Al,Ga,In.")
        allowed[element.strip()] = [one.strip() for one in others.split(",") if one.strip()]
    parents = []
    for file in files:
        read = read_structures([file])
        if not read.rows.num_rows:
            raise InputError(f"{file} holds no structure that can be used: "
                             f"{next(iter(read.failures.values()), 'it is empty')}")
        row = read.rows.slice(0, 1).to_pylist()[0]
        parents.append(of_structure(
            file.stem, row["lattice_vectors_angstrom"], row["fractional_positions"],
            [allowed.get(one, [one]) for one in row["species_at_sites"]],
        ))
    return parents


def slug(selection: Selection) -> str:
    """A name by rows and target, as in ``oxides-band-gap-expansion``."""
    from ml.data import target_of

    rows = [selection.subset] if selection.subset else selection.sources
    text = "-".join([*rows, target_of(selection.target).label, "expansion"])
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")[:64]


def _say(*lines: str) -> None:
    for line in lines:
        err.print(line, soft_wrap=True, markup=False)
