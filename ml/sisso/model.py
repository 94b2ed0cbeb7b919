"""A formula as a model: crystals in, values in the unit of the target out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.errors import InputError
from ml.elements import check_elements
from ml.sisso.crystals import columns_of, primary_of
from ml.sisso.formula import Formula
from ml.sisso.sisso import names_of

if TYPE_CHECKING:
    from ml.registry.document import Document

Floats = npt.NDArray[np.float64]
PART = "formula"
"""Its name among the settings of a model."""


@dataclass(frozen=True)
class FormulaModel:
    """A formula over features of crystals.

    Attributes:
        formula: what it computes.
        elements: atomic numbers that it has seen.
    """

    formula: Formula
    elements: tuple[int, ...]

    @classmethod
    def of(cls, document: Document, arrays: Mapping[str, npt.NDArray[Any]], where: str) -> FormulaModel:
        """The model of a description, with coefficients that fit it.

        Raises:
            InputError: it describes no formula over features of crystals, or the arrays are not its coefficients.
        """
        try:
            formula = Formula.of(document.settings[PART])
            for name in names_of(formula.features):
                primary_of(name)
            if formula.classes:
                raise InputError("it tells classes apart, and a model says numbers.")
            if set(arrays) != {"coefficients"} or not np.array_equal(arrays["coefficients"], formula.coefficients):
                raise InputError("its coefficients are not those of its description.")
        except (InputError, KeyError, TypeError) as error:
            raise InputError(f"{where} is not what it is described as, a formula: {error}") from None
        return cls(formula, document.elements)

    def members(self, rows: pa.Table) -> Floats:
        """Predictions (1, n), in the unit of the target; NaN where the formula is not defined.

        Raises:
            InputError: a row holds an element that was not learned from, or its task is not known.
        """
        check_elements(rows, self.elements)
        return self.formula.values(self._columns(rows), tasks_of(self.formula, rows))[None]

    def latents(self, _: pa.Table) -> Floats | None:
        """A formula has none."""
        return None

    def both(self, rows: pa.Table) -> tuple[Floats, Floats | None]:
        """Predictions, and no latents."""
        return self.members(rows), None

    def features(self, rows: pa.Table) -> Floats:
        """Values of the descriptor (n, d), 0 where not defined: where crystals lie among those learned from."""
        return np.nan_to_num(self.formula.terms(self._columns(rows))).T

    def _columns(self, rows: pa.Table) -> dict[str, Floats]:
        return columns_of(rows, names_of(self.formula.features))


def tasks_of(formula: Formula, rows: pa.Table) -> npt.NDArray[np.int64]:
    """The task of every row, as its place in the formula (n,).

    Raises:
        InputError: the rows do not say, or are of a task without coefficients.
    """
    if formula.task_column is None:
        return np.zeros(rows.num_rows, dtype=np.int64)
    column, known = formula.task_column, {name: place for place, name in enumerate(formula.tasks)}
    names = [str(one) for one in rows[column].to_pylist()] if column in rows.column_names else ["unknown"]
    strange = sorted(set(names) - set(known))
    if strange and rows.num_rows:
        raise InputError(f"The formula has its own coefficients for each {column} ({', '.join(known)}), and rows are "
                         f"of {', '.join(strange)[:200]}: say at which they are meant, as in --input {column}="
                         f"{formula.tasks[0]}.")
    return np.array([known[name] for name in names[:rows.num_rows]], dtype=np.int64)
