"""Problems from tables and from rows of the lake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.errors import InputError
from ml.sisso.crystals import all_features, columns_of, primary_of, usual_features
from ml.sisso.expression import Primary
from ml.sisso.problem import Problem, classes_of, coded, is_constant, one_task
from ml.sisso.units import Unit

if TYPE_CHECKING:
    from ml.data.dataset import Dataset
    from ml.data.table import TableData

Floats = npt.NDArray[np.float64]
MOST_UNDEFINED = 0.05
"""A feature that is not defined in a larger share of the rows is left out; else these rows are."""
TASKS_OF_LAKE = ("source", "energy_functional", "gap_functional", "xc_functional", "plus_u", "code", "spin_polarized")


@dataclass(frozen=True)
class Columns:
    """Which columns a person chose.

    Attributes:
        features: primary features; none = all that are usual.
        excluded: not these.
        task: column whose values have coefficients of their own; None = one task.
        group: of a table: column of which all rows of one value are in one fold; None = each row for itself.
        boundaries: of classes that a number is cut into; none = a regression, or classes by name.
    """

    features: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    task: str | None = None
    group: str | None = None
    boundaries: tuple[float, ...] = ()


def problem_of_table(table: TableData, target: str, columns: Columns) -> tuple[Problem, tuple[str, ...]]:
    """The problem that a table poses; a target that is text tells classes apart.

    Returns:
        The problem, and what a person should know: rows and columns that were left out.

    Raises:
        InputError: a column is missing, cannot be used, or has no unit.
    """
    table.check_there([target, *columns.excluded, *([columns.task] if columns.task else []),
                       *([columns.group] if columns.group else [])])
    apart = [target, *columns.excluded, *(one for one in (columns.task, columns.group) if one)]
    if target in columns.features:
        raise InputError(f"{target} is the target: it cannot be a feature as well.")
    names = table.features(columns.features, apart)
    is_text = not pa.types.is_float64(table.columns[target].type)
    texts = table.columns[target].to_pylist()
    there = np.array([one is not None for one in texts])
    for column in (columns.task, columns.group):
        if column is not None and table.columns[column].null_count:
            raise InputError(f"The column {column} of {table.name} is empty in {table.columns[column].null_count:,} "
                             "rows: fill it, or leave these rows out.")
    places = np.flatnonzero(there)
    if not len(places):
        raise InputError(f"The target {target} of {table.name} is empty in every row.")
    if is_text:
        codes, classes = coded([str(texts[place]) for place in places.tolist()])
        values, unit = codes.astype(np.float64), None
    else:
        values, unit, classes = table.values(target)[places], table.units.get(target), ()
        if columns.boundaries:
            values, classes = classes_of(values, columns.boundaries)
            unit = None
        elif unit is None:
            raise InputError(f"The target {target} of {table.name} has no unit: put it at the end of the name, or say "
                             f"it, as in --unit {target}=eV; --unit {target}=1 for a plain number.")
    primaries = tuple(Primary(name, Unit.parse(table.units[name])) for name in names)
    tasks, task_names = _tasks(table, columns.task, places)
    groups = tuple(str(table.columns[columns.group][place]) for place in places.tolist()) if columns.group else tuple(
        map(str, places.tolist()))
    problem = Problem(target, unit, primaries, {name: table.values(name)[places] for name in names}, values, tasks,
                      task_names, columns.task, classes, groups)
    kept = problem.rows(np.arange(len(places)))
    notes = [f"Left out: {name} ({why})." for name, why in table.left_out.items() if name not in apart]
    notes += [f"Left out: {one.name} (constant where the target is known)." for one in primaries
              if one not in kept.primaries]
    if n := int((~there).sum()):
        notes.append(f"{n:,} rows are left out: they have no {target}.")
    return kept, tuple(notes)


def problem_of_rows(
    dataset: Dataset, places: npt.NDArray[np.int64], columns: Columns
) -> tuple[Problem, tuple[str, ...]]:
    """The problem that rows of the lake pose.

    Args:
        dataset: the rows.
        places: of those to learn from.
        columns: which features, which task.

    Returns:
        The problem, and what a person should know.

    Raises:
        InputError: there is no such feature or task.
    """
    if columns.group is not None:
        raise InputError("Rows of the lake are grouped by material (--key): leave --group out.")
    for name in (*columns.features, *columns.excluded):
        primary_of(name)
    chosen = [name for name in columns.features or usual_features() if name not in columns.excluded]
    found = columns_of(dataset.rows.take(pa.array(places)), chosen)
    notes, kept = [], []
    for name in chosen:
        undefined = int((~np.isfinite(found[name])).sum())
        if undefined > MOST_UNDEFINED * len(places):
            notes.append(f"Left out: {name} (an element of {undefined:,} rows has no such value).")
        else:
            kept.append(name)
    defined = np.all([np.isfinite(found[name]) for name in kept], axis=0) if kept else np.ones(len(places), dtype=bool)
    if not defined.all():
        notes.append(f"{int((~defined).sum()):,} of {len(places):,} training rows are left out: an element in them has "
                     "no value of one of the features.")
    places, found = places[defined], {name: column[defined] for name, column in found.items()}
    constant = [name for name in kept if is_constant(found[name])]
    notes += [f"Left out: {name} (constant)." for name in constant]
    kept = [name for name in kept if name not in constant]
    rows = dataset.rows.take(pa.array(places))
    if not kept:
        raise InputError(f"No feature of the crystals can be used: {' '.join(notes)} Features: "
                         f"{', '.join(all_features())}.")
    tasks, task_names = one_task(len(places))
    if columns.task is not None:
        if columns.task not in TASKS_OF_LAKE:
            raise InputError(f"{columns.task!r:.80} cannot tell tasks apart. Columns that can: "
                             f"{', '.join(TASKS_OF_LAKE)}.")
        tasks, task_names = coded([str(one) for one in rows[columns.task].to_pylist()])
    values, unit = dataset.actual[places], dataset.target.unit
    classes: tuple[str, ...] = ()
    if columns.boundaries:
        values, classes = classes_of(values, columns.boundaries)
    problem = Problem(
        dataset.target.column, None if classes else unit, tuple(primary_of(name) for name in kept),
        {name: found[name] for name in kept}, values, tasks, task_names, columns.task, classes,
        tuple(rows["material_key"].to_pylist()),
    )
    return problem, tuple(notes)


def _tasks(table: TableData, task: str | None, places: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64],
                                                                                    tuple[str, ...]]:
    if task is None:
        return one_task(len(places))
    return coded([_name(table.columns[task][place].as_py()) for place in places.tolist()])


def _name(value: object) -> str:
    """As DuckDB writes it: a number that is whole is read as one."""
    return f"{value:.17g}" if isinstance(value, float) else str(value)
