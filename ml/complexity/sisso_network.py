"""The paper's second example: formulas of SISSO against networks on numerical-precision data, at many sizes.

Speckhard et al., Faraday Discuss. 256, 483 (2025): RMSLE 0.231 of SISSO and 1.367 of a neural network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.errors import InputError, MatlakeError
from lake.tables import TABLES
from ml.complexity.class_study import Studied, compared
from ml.complexity.counts import Coefficients, Counts
from ml.complexity.cross_validated import STEPS, perceptrons
from ml.complexity.precision_data import GROUP, TARGET, PrecisionData, precision_data
from ml.complexity.precision_reasons import AS_IS, precision_reasons
from ml.complexity.rows import SCHEMA, line
from ml.complexity.sizes import TOLERANCE, settings_for
from ml.complexity.tables import put
from ml.complexity.worth import Answers, Worth, answers_of

if TYPE_CHECKING:
    from lake.store.lake import Lake

NAME = "sisso-against-network"
SHIPPED = Path("samples/tables/numerical_precision.csv")
PAPER_RMSLE: Mapping[str, float] = {"sisso": 0.231, "mlp": 1.367}
SIZES = (120, 300, 1_000, 3_000, 10_000)
CROSS_VALIDATION = "cross-validation"
Note = Callable[[str], None]
Made = tuple[Counts, npt.NDArray[np.float64], npt.NDArray[np.float64], str | None]
"""Counts, out-of-fold answers and those of the fit, both as logarithms, and the formula."""


@dataclass(frozen=True)
class SissoStudy:
    """What is compared.

    Attributes:
        table: CSV or Parquet with numerical errors; the shipped one where it is run from the repository.
        target: column of errors.
        group: column of the materials: all rows of one are in one fold.
        features: columns to learn from; none = those that the paper's data have.
        dimensions: most terms of a formula.
        rungs: of the features of formulas.
        screened: features per dimension that the exhaustive search sees.
        sizes: parameters of the networks.
        steps: gradient steps of each network.
        n_folds: of the cross-validation; three at least.
        coefficients: a, b, c.
        tolerance: share by which matched numbers of parameters may differ.
        seed: of folds and weights.
    """

    table: Path | str = SHIPPED
    target: str = TARGET
    group: str = GROUP
    features: tuple[str, ...] = ()
    dimensions: int = 3
    rungs: tuple[int, ...] = (1, 2)
    screened: int = 50
    sizes: tuple[int, ...] = SIZES
    steps: int = STEPS
    n_folds: int = 5
    coefficients: Coefficients = field(default_factory=Coefficients)
    tolerance: float = TOLERANCE
    seed: int = 0
    name: str = NAME

    def __post_init__(self) -> None:
        if type(self.n_folds) is not int or self.n_folds < 3:
            raise InputError(f"{self.n_folds!r:.40} folds: three at least are needed, one to judge by, one to stop by, "
                             "one to learn from.")


def run_sisso_study(lake: Lake, study: SissoStudy, *, note: Note = lambda _: None) -> Studied:
    """Find formulas, train networks, and compare them on rows whose material none of them has seen.

    What was done before with the same data and settings is taken from the lake; a candidate that fails is written
    down with its reason, and tried again the next time.

    Args:
        lake: where rows of `complexities`, `predictions` and `model_comparisons` go.
        study: what.
        note: told what is done.

    Raises:
        InputError: the table cannot be used.
        TableError: the lake could not be written to.
    """
    data, fold = _data(study)
    note(f"{data.name}: {len(data.errors):,} rows of {data.n_groups:,} values of {data.group}, "
         f"{len(data.features)} features; {study.n_folds} folds.")
    rows: list[dict[str, Any]] = []
    answers: dict[str, Answers] = {}
    n_made = 0
    for kind, names, settings, make in _candidates(data, fold, study, note):
        ids = [f"{study.name}/{name}" for name in names]
        common: dict[str, Any] = {"target": data.target, "unit": data.unit, "data_sha256": data.sha256,
                                  "study": study.name}
        known = _known(lake, ids, data, settings, study)
        if known:
            note(f"{', '.join(names)}: found, made before")
        for place, made in enumerate([] if known else _made(make, note, names)):
            model_id = ids[place]
            row, said = _row(made, model_id, kind, data, study, settings, common)
            n_made += said is not None
            put(lake, "complexities", pa.Table.from_pylist([row], schema=SCHEMA))
            known.append((row, said))
            if said is not None:
                _keep(lake, model_id, data, said)
        rows += [row for row, _ in known]
        answers |= {str(row["model_id"]): said for row, said in known if said is not None}
    reasons = precision_reasons(data, study.n_folds, rows, answers, PAPER_RMSLE)
    compared_rows = [row for row in rows if not str(row["model_id"]).endswith(AS_IS)]
    found = compared(compared_rows, answers, study.name, measure="rmsle", tolerance=study.tolerance,
                     paper=PAPER_RMSLE, reasons=reasons)
    put(lake, "model_comparisons", found)
    order = sorted(rows, key=lambda row: (row["kind"], row["n_parameters"] or 0, row["model_id"]))
    return Studied(pa.Table.from_pylist(order, schema=SCHEMA), found, n_made)


def _data(study: SissoStudy) -> tuple[PrecisionData, npt.NDArray[np.int64]]:
    from ml.linear.folds import folds

    if study.table == SHIPPED and not SHIPPED.exists():
        raise InputError(f"Which table? {SHIPPED} is shipped with the repository and is not below this folder: give "
                         "--table FILE.")
    data = precision_data(study.table, study.target, study.group, study.features)
    return data, folds(data.groups.tolist(), study.n_folds, study.seed)


def _candidates(
    data: PrecisionData, fold: npt.NDArray[np.int64], study: SissoStudy, note: Note
) -> Iterator[tuple[str, list[str], dict[str, Any], Callable[[], list[Made]]]]:
    """Kind, names, settings, and what makes them: formulas of a rung together, networks one by one."""
    for rung in study.rungs:
        names = [f"sisso-rung{rung}-{d}" for d in range(1, study.dimensions + 1)]
        settings: dict[str, Any] = {"rung": rung, "dimensions": study.dimensions, "screened": study.screened,
                                    "n_folds": study.n_folds, "seed": study.seed}
        yield "sisso", names, settings, lambda rung=rung: _formulas(data, fold, study, rung, note)  # type: ignore[misc]
    middle = study.sizes[len(study.sizes) // 2] if study.sizes else 0
    for size, as_is in [*((size, False) for size in study.sizes), *([(middle, True)] if middle else [])]:
        settings = {"wanted_parameters": size, "steps": study.steps, "n_folds": study.n_folds, "seed": study.seed,
                    "learns": "error" if as_is else "log(1 + error)"}
        names = [f"mlp-{size}" + (AS_IS if as_is else "")]
        yield "mlp", names, settings, lambda size=size, as_is=as_is: _network(  # type: ignore[misc]
            data, fold, study, size, as_is)


def _formulas(
    data: PrecisionData, fold: npt.NDArray[np.int64], study: SissoStudy, rung: int, note: Note
) -> list[Made]:
    from ml.complexity.formula_path import formulas_validated
    from ml.sisso.settings import SissoSettings
    from ml.sisso.space import SpaceSettings

    settings = SissoSettings(study.dimensions, study.screened, space=SpaceSettings(rung=rung))
    return [(one.validated.counts, one.validated.predicted, one.validated.fitted, one.formula.text())
            for one in formulas_validated(data.problem(rung), fold, settings, note)]


def _network(
    data: PrecisionData, fold: npt.NDArray[np.int64], study: SissoStudy, size: int, as_is: bool
) -> list[Made]:
    sized = settings_for("mlp", size, n_features=len(data.features), more={"dropout": 0.0, "n_hidden": 2})
    if not sized.matches:
        raise InputError(f"a network on {len(data.features)} features cannot have about {size:,} parameters: the "
                         f"nearest has {sized.n_parameters:,}")
    targets = data.errors if as_is else data.logarithms
    made = perceptrons(data.values, targets, fold, sized.settings, steps=study.steps, seed=study.seed)
    said, fitted = made.predicted, made.fitted
    if as_is:
        said, fitted = (np.log1p(np.maximum(values, 0.0)) for values in (said, fitted))
    return [(made.counts, said, fitted, None)]


def _made(make: Callable[[], list[Made]], note: Note, names: list[str]) -> list[Made | MatlakeError]:
    note(", ".join(names))
    try:
        return list(make())
    except MatlakeError as error:
        note(f"{', '.join(names)}: {error}")
        return [error] * len(names)


def _row(
    made: Made | MatlakeError, model_id: str, kind: str, data: PrecisionData, study: SissoStudy,
    settings: dict[str, Any], common: dict[str, Any],
) -> tuple[dict[str, Any], Answers | None]:
    """The row of a candidate, and what it says of rows that it has not seen, in the unit of the errors."""
    if isinstance(made, MatlakeError):
        worth = Worth(reason=str(made))
        return line(model_id, kind, None, worth, study.coefficients, settings=settings, **common), None
    counts, predicted, fitted, formula = made
    said = _answers(data, np.expm1(np.clip(predicted, 0.0, 50.0)))
    off = np.expm1(np.clip(fitted, 0.0, 50.0)) - data.errors
    train = {"mae": float(np.abs(off).mean()), "rmse": float(np.sqrt((off**2).mean()))}
    row = line(model_id, kind, counts, Worth.of(said, CROSS_VALIDATION, train), study.coefficients,
               settings=settings | ({"formula": formula} if formula else {}), **common)
    return row, said


def _answers(data: PrecisionData, predicted: npt.NDArray[np.float64]) -> Answers:
    ids = np.array([f"{data.name}/{row}" for row in data.rows])
    order = np.argsort(ids)
    return Answers(ids[order], data.groups[order], data.errors[order], predicted[order])


def _keep(lake: Lake, model_id: str, data: PrecisionData, said: Answers) -> None:
    """Keep answers, so that another run need not make the model again to compare it."""
    n, kept_as = len(said.rows), _kept_as(model_id)
    rows = {
        "model_id": [kept_as] * n, "calculation_id": said.rows.tolist(), "source": [data.name] * n,
        "material_key": said.materials.tolist(), "split": ["test"] * n, "actual": said.actual,
        "predicted": said.predicted, "uncertainty": pa.nulls(n, pa.float64()), "outside": pa.nulls(n, pa.string()),
    }
    lake.replace("predictions", pa.table(rows, schema=TABLES["predictions"].schema), {"model_id": kept_as})


def _kept_as(model_id: str) -> str:
    """The name of a model's folder in `predictions`, where a slash would open another one."""
    return model_id.replace("/", "-")


def _known(
    lake: Lake, ids: list[str], data: PrecisionData, settings: dict[str, Any], study: SissoStudy
) -> list[tuple[dict[str, Any], Answers | None]]:
    """Rows of candidates that were made before from the same data and settings, all of them or none."""
    found: list[tuple[dict[str, Any], Answers | None]] = []
    for model_id in ids:
        rows = lake.read("complexities", where=f"model_id = '{model_id}'").to_pylist()
        row = next((row for row in rows if row["data_sha256"] == data.sha256 and row["reason"] is None), None)
        if row is None or _digest(json.loads(row["settings_json"])) != _digest(settings):
            return []
        said = answers_of(lake, _kept_as(model_id))
        if not np.array_equal(said.actual, _answers(data, data.errors).actual):
            return []
        counts = {name: row[name] for name in ("n_additive", "n_linear", "n_nonlinear")}
        # The user's a, b, c may be others than then.
        row |= study.coefficients.columns() | {"complexity": study.coefficients.of(Counts(**counts))}
        put(lake, "complexities", pa.Table.from_pylist([row], schema=SCHEMA))
        found.append((row, said))
    return found


def _digest(settings: Mapping[str, Any]) -> str:
    plain = {name: value for name, value in settings.items() if name != "formula"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
