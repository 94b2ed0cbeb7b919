"""What SISSO is asked: primary features with units, a target, tasks; checked before any long work."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml.sisso.expression import Primary
from ml.sisso.formula import ONE_TASK
from ml.sisso.space import CONSTANT

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST_CLASSES = 20
MOST_TASKS = 100
MOST_DIMENSIONS = 5


@dataclass(frozen=True)
class Problem:
    """Rows to find a formula for.

    Attributes:
        target: name of the target.
        unit: of the target; None of classes.
        primaries: primary features.
        columns: their values by name (n,), finite.
        values: the target (n,); of classes their place.
        tasks: place of every row's task (n,).
        task_names: by place.
        task_column: column that tells tasks apart; None = one for all.
        classes: names by place; empty = a regression.
        groups: rows of one group stay together in a cross-validation (n,).
    """

    target: str
    unit: str | None
    primaries: tuple[Primary, ...]
    columns: Mapping[str, Floats]
    values: Floats
    tasks: Ints
    task_names: tuple[str, ...]
    task_column: str | None
    classes: tuple[str, ...]
    groups: tuple[str, ...]

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.values)

    @property
    def is_regression(self) -> bool:
        """Whether the target is a number."""
        return not self.classes

    def rows(self, places: Ints) -> Problem:
        """The same of some rows; a primary feature that is constant among them is left out."""
        columns = {name: column[places] for name, column in self.columns.items()}
        kept = tuple(one for one in self.primaries if not is_constant(columns[one.name]))
        return replace(self, columns=columns, values=self.values[places], tasks=self.tasks[places], primaries=kept,
                       groups=tuple(self.groups[place] for place in places.tolist()))

    def check(self, dimensions: int) -> None:
        """Refuse what no formula can be found for.

        Args:
            dimensions: terms that are asked for at most.

        Raises:
            InputError: with what is wrong and what to do.
        """
        if type(dimensions) is not int or not 1 <= dimensions <= MOST_DIMENSIONS:
            raise InputError(f"{dimensions!r:.40} dimensions: a whole number from 1 to {MOST_DIMENSIONS} is needed.")
        if not self.primaries:
            raise InputError("There is no primary feature left: all are constant or cannot be used.")
        if not np.isfinite(self.values).all():
            raise InputError(f"The target {self.target} holds values that are no finite numbers.")
        if len(self.task_names) > MOST_TASKS:
            raise InputError(f"{self.task_column} tells {len(self.task_names):,} tasks apart, and {MOST_TASKS} are the "
                             "most: is it the column that was meant?")
        counts = Counter(self.tasks.tolist())
        few = [f"{name} ({counts[place]} rows)" for place, name in enumerate(self.task_names)
               if counts[place] < dimensions + 2]
        if few:
            of = "" if self.task_column is None else f" of the task {', '.join(few)}"
            raise InputError(f"{self.n:,} rows{of} are too few for {dimensions} dimensions, which have "
                             f"{dimensions + 1} coefficients{' for each task' if of else ''}: at least "
                             f"{dimensions + 2} are needed. Ask for fewer dimensions (--dimensions) or take more rows.")
        if self.is_regression:
            if is_constant(self.values):
                raise InputError(f"The target {self.target} is always {self.values[0]:g}: there is nothing to find.")
            return
        members = Counter(self.values.astype(int).tolist())
        if len(members) < 2 or len(self.classes) > MOST_CLASSES:
            raise InputError(f"The target {self.target} tells {len(members)} classes apart, and from 2 to "
                             f"{MOST_CLASSES} are needed.")
        if len(self.task_names) > 1:
            raise InputError("Several tasks belong to a regression: leave --task out to tell classes apart.")
        if small := [self.classes[place] for place, n in members.items() if n < 2]:
            raise InputError(f"The class {small[0]} has one row only: leave it out, or join it with another one.")

    @property
    def sha256(self) -> str:
        """Digest of rows, features with units, target and tasks."""
        head = {"target": self.target, "unit": self.unit, "primaries": [one.to_json() for one in self.primaries],
                "tasks": list(self.task_names), "column": self.task_column, "classes": list(self.classes),
                "groups": list(self.groups)}
        digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
        for one in self.primaries:
            digest.update(np.ascontiguousarray(self.columns[one.name]).tobytes())
        digest.update(np.ascontiguousarray(self.values).tobytes() + self.tasks.tobytes())
        return digest.hexdigest()


def is_constant(column: Floats) -> bool:
    """Whether a column says nothing."""
    return not len(column) or bool(np.ptp(column) <= CONSTANT * np.abs(column).max())


def coded(names: list[str]) -> tuple[Ints, tuple[str, ...]]:
    """Names as places in the list of those that occur, which is alphabetical."""
    known = tuple(sorted(set(names)))
    place = {name: n for n, name in enumerate(known)}
    return np.array([place[name] for name in names], dtype=np.int64), known


def one_task(n: int) -> tuple[Ints, tuple[str, ...]]:
    """All rows in one task."""
    return np.zeros(n, dtype=np.int64), (ONE_TASK,)


def classes_of(values: Floats, boundaries: tuple[float, ...]) -> tuple[Floats, tuple[str, ...]]:
    """Classes of a number: places (n,), and their names.

    Args:
        values: the number (n,).
        boundaries: ascending; a value at a boundary belongs below.

    Raises:
        InputError: they do not ascend.
    """
    if list(boundaries) != sorted(set(boundaries)):
        raise InputError(f"Boundaries {', '.join(f'{b:g}' for b in boundaries)}: give them in ascending order.")
    ends = [f"{b:g}" for b in boundaries]
    names = (f"<= {ends[0]}", *(f"{low} to {high}" for low, high in pairwise(ends)),
             f"> {ends[-1]}")
    places = np.searchsorted(np.array(boundaries), values, side="left").astype(np.float64)
    return places, names
