"""Several classes of models, each in several sizes, on the same rows of the lake: error against complexity."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.errors import InputError, MatlakeError
from lake.tables import TABLES
from ml.complexity.compare import Difference, best_of_each, comparable, difference, matched
from ml.complexity.counts import Coefficients
from ml.complexity.rows import SCHEMA, counts_of, line
from ml.complexity.sizes import TOLERANCE, Sized, settings_for
from ml.complexity.tables import put
from ml.complexity.worth import Answers, Worth, answers_of, validation_mae, worth_of
from ml.spec import TABULAR_KINDS, TRAINED_KINDS, ModelSpec

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml.data.dataset import Dataset
    from ml.progress import Progress

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
DEFAULT = "default"
TREES_LOOKED_AT = 5
Reasons = Callable[[Mapping[str, Any], Mapping[str, Any], Difference], list[str]]


@dataclass(frozen=True)
class ClassStudy:
    """Which models are to be compared.

    Attributes:
        name: of the study; models are called ``<name>-<kind>-<size>``.
        kinds: of models; two at least.
        sizes: numbers of parameters that each kind gets, as near as it can.
        defaults: whether every kind is also made without settings, as `matlake train` makes it.
        coefficients: a, b, c.
        tolerance: share by which matched numbers of parameters may differ.
        model: settings by kind that all of its models have.
        training: settings of training of networks.
        seed: of weights and trees.
        paper: MAE that the paper gives, by kind, in the unit of the target.
    """

    name: str
    kinds: tuple[str, ...]
    sizes: tuple[int, ...] = SIZES
    defaults: bool = True
    coefficients: Coefficients = field(default_factory=Coefficients)
    tolerance: float = TOLERANCE
    model: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    paper: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(set(self.kinds)) < 2 or len(set(self.kinds)) != len(self.kinds):
            raise InputError(f"Kinds {', '.join(self.kinds) or 'none'}: two different ones at least are compared.")
        if unknown := [kind for kind in self.kinds if kind not in TRAINED_KINDS]:
            raise InputError(f"Models of kind {unknown[0]!r:.80} cannot be trained in a study; those that can: "
                             f"{', '.join(TRAINED_KINDS)}.")
        if not self.sizes and not self.defaults:
            raise InputError("A study without sizes and without models as they are by default has no models.")
        if any(type(size) is not int or size < 1 for size in self.sizes):
            raise InputError(f"Sizes {self.sizes!r:.80}: whole numbers of parameters from 1 are needed.")


@dataclass(frozen=True)
class Studied:
    """What a study found.

    Attributes:
        complexities: rows of `complexities`, by kind and number of parameters.
        comparisons: rows of `model_comparisons`.
        n_trained: models that were made now; the others were there.
    """

    complexities: pa.Table
    comparisons: pa.Table
    n_trained: int


def run_class_study(
    lake: Lake, dataset: Dataset, study: ClassStudy, *, reasons: Reasons | None = None,
    progress: Progress | None = None, note: Callable[[str], None] = lambda _: None,
) -> Studied:
    """Train what is not there, measure all, and compare the kinds; what was done before is not done again.

    Models go into the lake as those of `matlake train`. One that fails is written down with its reason, and the next
    run tries it again; the others go on.

    Args:
        lake: where to.
        dataset: the rows; their splits are those of materials.
        study: which models.
        reasons: what to say of a comparison, from what was measured.
        progress: of every training.
        note: told what is done.

    Raises:
        InputError: the rows cannot be learned from.
        TableError: the lake could not be written to.
    """
    dataset.check()
    rows, n_trained = [], 0
    candidates = _candidates(dataset, study)
    for number, (kind, size, made) in enumerate(candidates, start=1):
        name = f"{study.name}-{kind}-{size}"
        note(f"{number} of {len(candidates)}: {name}")
        row, is_new = _row(lake, dataset, study, kind, size, made, progress)
        n_trained += is_new
        if row["reason"]:
            note(f"{name}: {row['reason']}")
        rows.append(row)
        put(lake, "complexities", pa.Table.from_pylist([row], schema=SCHEMA))
    answers = {row["model_id"]: answers_of(lake, _own_id(row)) for row in rows if row["mae"] is not None}
    judged_by = {row["model_id"]: validation_mae(lake, _own_id(row)) for row in rows if row["mae"] is not None}
    found = compared(rows, answers, study.name, tolerance=study.tolerance, paper=study.paper, reasons=reasons,
                     judged_by=judged_by)
    if found.num_rows:
        put(lake, "model_comparisons", found)
    order = sorted(rows, key=lambda row: (row["kind"], row["n_parameters"] or 0))
    return Studied(pa.Table.from_pylist(order, schema=SCHEMA), found, n_trained)


def compared(
    rows: Sequence[Mapping[str, Any]], answers: Mapping[str, Answers], comparison: str, *, measure: str = "mae",
    tolerance: float = TOLERANCE, paper: Mapping[str, float] | None = None, reasons: Reasons | None = None,
    judged_by: Mapping[str, float | None] | None = None,
) -> pa.Table:
    """Rows of `model_comparisons`: kinds at matched numbers of parameters, as made by default, and at their best.

    Args:
        rows: of `complexities`.
        answers: model_id → what it says of rows that it has not seen.
        comparison: name of the study.
        measure: mae or rmsle.
        tolerance: of numbers of parameters.
        paper: what the paper gives, by kind.
        reasons: what to say where the paper gives something.
        judged_by: model_id → error on validation rows, which chooses the best.
    """
    known, found = paper or {}, []
    for group in comparable(row for row in rows if row["model_id"] in answers):
        defaults = [row for row in group if row["study"]
                    and str(row["model_id"]).rpartition(".")[0].endswith(f"-{DEFAULT}")]
        pairs = [("parameters", pair) for pair in matched(group, tolerance)]
        pairs += [("defaults", pair) for pair in best_of_each(defaults, measure, {})]
        pairs += [("best", pair) for pair in best_of_each(group, measure, judged_by or {})]
        for pairing, (left, right) in pairs:
            errors = difference(answers[left["model_id"]], answers[right["model_id"]], measure)
            said = reasons(left, right, errors) if reasons and {left["kind"], right["kind"]} <= set(known) else []
            found.append({
                "comparison": comparison, "pairing": pairing, "left_id": left["model_id"],
                "right_id": right["model_id"], "left_kind": left["kind"], "right_kind": right["kind"],
                "left_parameters": left["n_parameters"], "right_parameters": right["n_parameters"],
                "target": left["target"], "unit": left["unit"], "measure": measure, "left_error": errors.left,
                "right_error": errors.right, "difference": errors.value, "difference_low": errors.low,
                "difference_high": errors.high, "n": errors.n, "n_materials": errors.n_materials,
                "paper_left": known.get(left["kind"]), "paper_right": known.get(right["kind"]), "reasons": said,
                "data_sha256": left["data_sha256"], "created_at": datetime.now(UTC),
            })
    return pa.Table.from_pylist(found, schema=TABLES["model_comparisons"].schema)


def _candidates(dataset: Dataset, study: ClassStudy) -> list[tuple[str, str, Sized | InputError]]:
    """Kind, name of the size, and the settings that give it, or why there are none."""
    needs: dict[str, dict[str, Any]] = {}
    found: list[tuple[str, str, Sized | InputError]] = []
    for kind in study.kinds:
        more = dict(study.model.get(kind, {}))
        if study.defaults:
            found.append((kind, DEFAULT, Sized(more, 0)))
        for size in study.sizes:
            try:
                if kind not in needs:
                    needs[kind] = _needs(dataset, kind, more, study.seed)
                sized = settings_for(kind, size, more=more, **needs[kind])
                found.append((kind, str(size), sized if sized.matches else InputError(_no_such_size(kind, sized))))
            except InputError as error:
                found.append((kind, str(size), error))
    return found


def _no_such_size(kind: str, sized: Sized) -> str:
    return (f"a model of kind {kind} cannot have about {sized.wanted:,} parameters here: the nearest has "
            f"{sized.n_parameters:,}")


def _needs(dataset: Dataset, kind: str, more: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What decides the number of parameters of a kind on these rows."""
    if kind not in TABULAR_KINDS:
        from ml.elements import elements_of

        return {"elements": elements_of(dataset.rows.take(pa.array(dataset.places("train"))))}
    from ml.complexity.forests import nodes_by_depth
    from ml.learn_features import Prepared
    from ml.tabular.forest import ForestSettings, fit_forest
    from ml.tabular.trees import Trees

    ready = Prepared.of(dataset, ModelSpec(kind, baseline="none"))
    if kind == "mlp":
        return {"n_features": ready.values.shape[1]}
    settings = ForestSettings.of(dict(more) | {"n_estimators": TREES_LOOKED_AT, "max_depth": None})
    grown = fit_forest(ready.values, ready.targets, ready.train, ready.validation, settings, seed=seed, threads=1)
    return {"tree_nodes": nodes_by_depth(Trees.of_weights(grown.weights, ready.values.shape[1])).tolist()}


def _row(
    lake: Lake, dataset: Dataset, study: ClassStudy, kind: str, size: str, made: Sized | InputError,
    progress: Progress | None,
) -> tuple[dict[str, Any], bool]:
    """The row of one candidate, and whether it was trained now."""
    from ml.train import train

    common: dict[str, Any] = {"target": dataset.target.column, "unit": dataset.target.unit,
                              "data_sha256": dataset.sha256, "study": study.name}
    name, within = f"{study.name}-{kind}-{size}", f"{study.name}/{kind}-{size}"
    settings: dict[str, Any] = {"name": name, "seed": study.seed}
    try:
        if isinstance(made, InputError):
            raise made
        training = {} if kind == "forest" else study.training
        # Steps of a perceptron are too short to be shared by threads, which would wait for each other.
        training = {"threads": 1, **training} if kind == "mlp" else training
        spec = ModelSpec(kind, made.settings, training, seed=study.seed)
        settings |= {"spec": json.loads(spec.for_any_machine().json()), "wanted_parameters": made.wanted or None}
        road = "own" if len(dataset.sources) == 1 else "combined"
        trained = train(lake, dataset, spec, name=name, road=road, progress=progress)
        model_id = trained.model.model_id
        settings["model_id"] = model_id
        own = trained.model.row
        row = line(f"{within}.{own['version']}", kind, counts_of(lake, own), worth_of(lake, model_id),
                   study.coefficients, settings=settings, **common)
        return row, not trained.was_there
    except MatlakeError as error:
        failed = line(within, kind, None, Worth(reason=str(error)), study.coefficients,
                      settings=settings, **common)
        return failed, False


def _own_id(row: Mapping[str, Any]) -> str:
    """The model of the lake that a row of a study is of."""
    return str(json.loads(row["settings_json"])["model_id"])
