"""What `matlake predict` shows: predictions on stdout, everything that one must know about them on stderr."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.report.models.kinds import single
from flows.terminal import emit, err
from lake.errors import InputError, SettingsError
from ml.data.checks import HULL, reference_of
from ml.data.selection import SUBSET, Selection
from ml.data.target import FORMATION_ENERGY
from ml.predict.levels import Levels, Value, parsed
from ml.predict.predict import LEVEL, calibration_of, domain_of, predict_rows
from ml.predict.source import model_of, rows_of, save_predictions
from ml.predict.structures import STDIN, read_structures
from ml.spec import TRAINED_KINDS

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml.registry.model import Model

MOST_NOTES = 20
SHOWN = ("calculation_id", "formula_reduced", "split", "actual", "predicted", "uncertainty", "low", "high", "outside")


@dataclass(frozen=True)
class Asked:
    """What a person asks for.

    Attributes:
        model: name, id or folder.
        on: a subset, or files.
        where: a condition over calculations; None = nothing.
        databases: only calculations of these; empty = all.
        level: settings at which predictions are meant, as given, by name.
        save: whether predictions are kept.
        device: where the model computes.
    """

    model: str
    on: Sequence[str]
    where: str | None
    databases: tuple[str, ...]
    level: Mapping[str, str]
    save: bool
    device: str


def run(lake: Lake, asked: Asked, format_: str, output: Path | None) -> None:
    """Predict, and show it.

    Raises:
        InputError: nothing can be predicted; or a file could not be, which is said after the others are shown.
    """
    subset = subset_of(asked)
    from_lake = subset is not None or asked.where is not None or bool(asked.databases)
    if asked.save and not from_lake:
        raise SettingsError("--save keeps predictions of calculations of the lake, not of files: write those to a file "
                            "with --output FILE.")
    model = model_of(lake, asked.model, asked.device)
    if from_lake:
        _of_lake(lake, model, asked, subset, format_, output)
    else:
        _of_files(model, asked, format_, output)


def subset_of(asked: Asked) -> str | None:
    """The subset that is meant; None where files or a condition are.

    Raises:
        SettingsError: nothing was said to predict for, or too much.
        InputError: what was named is neither.
    """
    if not asked.on:
        if asked.where is None and not asked.databases:
            raise SettingsError("Predict for what? Give --on SUBSET, --on FILE …, or --where \"a condition\".")
        return None
    names = [name for name in asked.on if name != STDIN and not Path(name).exists()]
    if not names or len(asked.on) > 1:
        if asked.where is not None or asked.databases:
            raise SettingsError("--where and --database choose calculations of the lake, and files were given: leave "
                                "one of them out.")
        return None
    if not SUBSET.fullmatch(names[0]):
        raise InputError(f"{names[0]!r:.120} is neither a file nor a subset. matlake curate --list shows the subsets.")
    return names[0]


def _of_lake(
    lake: Lake, model: Model, asked: Asked, subset: str | None, format_: str, output: Path | None
) -> None:
    selection = Selection(model.target.column, subset=subset, where=asked.where, sources=asked.databases)
    level = _given_level(model, asked)
    rows, n_without = rows_of(lake, model, selection)
    predicted = predict_rows(model, rows, level=level, strict=False)
    _say(*about(model), *_level_words(level, chosen=False))
    if n_without:
        _say(f"{n_without:,} calculations have no whole structure and are left out.")
    if asked.save:
        n_saved = save_predictions(lake, model, predicted)
        lake.refresh()
        _say(f"{n_saved:,} rows are kept in predictions.")
    emit(shown(predicted, model), format_, output)
    _say(*summary(predicted, model), *_of_references(rows, model))


def _of_files(model: Model, asked: Asked, format_: str, output: Path | None) -> None:
    given = _given_level(model, asked)
    levels = _levels(model)
    level = levels.chosen(given) if levels and levels.columns else given
    read = read_structures(asked.on)
    predicted = predict_rows(model, read.rows, level=level, strict=False)
    failures = read.failures | _unpredicted(predicted)
    predicted = predicted.filter(pc.is_valid(predicted["predicted"]))
    if predicted.num_rows:
        _say(*about(model), *_level_words(level, chosen=True))
        _say(*(f"{name}: its reader warns: {note}" for name, note in list(read.notes.items())[:MOST_NOTES]))
        emit(shown(predicted, model), format_, output)
        _say(*summary(predicted, model))
    if failures:
        raise InputError(_failed(failures, predicted.num_rows))


def shown(predicted: pa.Table, model: Model) -> pa.Table:
    """Predictions as a person reads them, with the unit, and the error where the value is known."""
    unit = pa.array([model.target.unit] * predicted.num_rows, pa.string())
    names = [name for name in SHOWN if name in predicted.column_names]
    table = predicted.select(names)
    table = table.add_column(names.index("outside"), "unit", unit)
    if "actual" in names:
        error = pc.subtract(table["predicted"], table["actual"])
        table = table.add_column(names.index("predicted") + 1, "error", error)
    return table


def about(model: Model) -> Iterator[str]:
    """What the predictions are of, and how sure they are."""
    row, target = model.row, model.target
    refers = f", referring to {target.reference}" if target.reference else ""
    if not refers and target.column in (FORMATION_ENERGY, HULL):
        refers = ", referring to what its databases refer to, which is not stated or differs"
    learned = f", learned from {' and '.join(row['sources'])}" if row.get("sources") else ""
    yield f"{model.model_id or 'The model'}: {target.label} in {target.unit}{refers}{learned}."
    if calibration_of(model) is not None:
        yield (f"Uncertainties are calibrated standard deviations; {100 * LEVEL:.0f} % of values should lie between "
               "low and high.")
    elif model.spec.n_members > 1:
        yield "Its members' spread was never calibrated: no uncertainty is stated."
    else:
        kind = model.spec.kind
        more = ": matlake train … --members 4 trains several that do" if kind in TRAINED_KINDS else ""
        yield f"It is {single(kind)}, which states no uncertainty{more}."
    if domain_of(model) is None:
        yield "It was saved without what it has seen: whether materials lie outside cannot be said."


def summary(predicted: pa.Table, model: Model) -> Iterator[str]:
    """How many lie outside, and how large errors are on what the model has not learned from."""
    known = predicted.filter(pc.is_valid(predicted["predicted"]))
    without = predicted.num_rows - known.num_rows
    if without:
        yield f"Of {without:,} of {predicted.num_rows:,} rows nothing can be predicted: outside says why."
    outside = known.num_rows - known["outside"].null_count
    if outside:
        yield f"{outside:,} of {known.num_rows:,} lie outside what the model has seen: outside says why."
    if "actual" not in known.column_names:
        return
    for words, mask in _groups(known):
        some = known.filter(mask)
        error = pc.subtract(some["predicted"], some["actual"]).drop_null().to_numpy()
        if len(error):
            yield (f"MAE {np.abs(error).mean():.4g} {model.target.unit}, mean of predicted minus actual "
                   f"{error.mean():+.4g}, on {len(error):,} calculations {words}.")


def _groups(rows: pa.Table) -> Iterator[tuple[str, Any]]:
    trained = pc.fill_null(pc.equal(rows["split"], "train"), False)
    yield "of materials that it was trained on", trained
    others = pc.invert(trained)
    inside = pc.is_null(rows["outside"])
    if pc.any(pc.and_(others, pc.invert(inside))).as_py():
        yield "of other materials, inside what it has seen", pc.and_(others, inside)
        yield "of other materials, outside", pc.and_(others, pc.invert(inside))
    else:
        yield "of other materials", others


def _of_references(rows: pa.Table, model: Model) -> Iterator[str]:
    """A word where the actual values refer to something else than the predictions."""
    with_value = rows.filter(pc.is_valid(rows["actual"]))
    if not with_value.num_rows or not model.target.reference or "level of" in model.target.reference:
        return
    reference = reference_of(with_value, model.target, None, mixed_allowed=True)
    if reference != model.target.reference:
        other = reference or "several references, or none that is stated"
        yield (f"The actual values refer to {other}, the predictions to {model.target.reference}: errors hold the "
               "difference of the two.")


def _levels(model: Model) -> Levels | None:
    domain = domain_of(model)
    return None if domain is None else domain.levels


def _given_level(model: Model, asked: Asked) -> dict[str, Value]:
    """The settings that were given, by column.

    Raises:
        InputError: the model does not take one of them.
    """
    levels = _levels(model) or Levels(model.spec.inputs, {}, {}, ())
    found: dict[str, Value] = {}
    for name, text in asked.level.items():
        found |= parsed(model.spec.inputs, name, text, levels)
    return found


def _level_words(level: Mapping[str, Value], chosen: bool) -> Iterator[str]:
    if level:
        values = ", ".join(f"{name} {'unknown' if value is None else value}" for name, value in level.items())
        how = " (what is not given is what most training rows have)" if chosen else ""
        yield f"Predictions are meant at the level of {values}{how}."


def _unpredicted(predicted: pa.Table) -> dict[str, str]:
    missing = predicted.filter(pc.is_null(predicted["predicted"]))
    return dict(zip(missing["calculation_id"].to_pylist(), missing["outside"].to_pylist(), strict=True))


def _failed(failures: Mapping[str, str], n_predicted: int) -> str:
    listed = "".join(f"\n  {name}: {reason}{'' if reason.endswith(('.', '?')) else '.'}"
                     for name, reason in failures.items())
    total = len(failures) + n_predicted
    if total == 1:
        return f"Nothing was predicted.{listed}"
    return f"{len(failures):,} of {total:,} structures were not predicted:{listed}"


def _say(*lines: str) -> None:
    for line in lines:
        err.print(line, soft_wrap=True, markup=False)
