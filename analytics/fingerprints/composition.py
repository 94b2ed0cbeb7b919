"""Fingerprints of compositions: which elements a material consists of, and in which shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analytics.fingerprints.made import Made
from lake.crystal.formula import ATOMIC_NUMBER, SYMBOLS, parse
from lake.errors import InputError

DEFINITION = 1
"""Raised when the same formula comes to give other counts: fingerprints of two definitions never meet."""

LEVELS = 27_720
"""The least common multiple of 1 to 12: fractions of formulas of up to 12 atoms are exact. It fits 16 bits."""


@dataclass(frozen=True)
class CompositionGrid:
    """One count per element, H to Og: its atomic fraction in units of 1/27,720.

    The counts of a material add up to 27,720: fractions are rounded down and what is missing goes, one each, to
    those that lost most (of equal ones, to the lightest). Two formulas with the same ratios have the same counts.

    Σmin / Σmax of the fractions is the Ruzicka similarity, or weighted Jaccard (Ružička, Biológia (Bratislava) 13,
    647 (1958)): with o the share of atoms that two materials have in common, it is o / (2 − o). It knows no
    kinship of elements: NaCl is as far from KCl as from HCl.

    Libraries (pymatgen, matminer) give the same fractions formula by formula; this takes a column at once.
    """

    @property
    def kind(self) -> str:
        """What it describes."""
        return "composition"

    @property
    def grid_id(self) -> str:
        """Its name."""
        return "composition"

    @property
    def n_counts(self) -> int:
        """Counts of a fingerprint: elements."""
        return len(SYMBOLS)

    @property
    def levels(self) -> int:
        """Largest count."""
        return LEVELS

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that counts have in memory."""
        return np.dtype(np.uint16)

    @property
    def description(self) -> str:
        """The grid in words."""
        return f"atomic fractions of the {self.n_counts} elements in units of 1/{LEVELS:,}"

    def parameters(self) -> dict[str, Any]:
        """Everything that makes the grid again, ready for JSON."""
        return {"kind": "composition", "definition": DEFINITION}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> CompositionGrid:
        """The grid of :meth:`parameters`.

        Raises:
            InputError: it takes no parameters, or they are of another definition.
        """
        if dict(parameters) != cls().parameters():
            raise InputError(
                f"Composition grid: parameters are {dict(parameters)}, this matlake makes {cls().parameters()} and "
                "no other; leave them out."
            )
        return cls()


COMPOSITION = CompositionGrid()


def make(rows: pa.Table, grid: CompositionGrid = COMPOSITION) -> Made:
    """The fingerprints of rows with a column ``formula_reduced``.

    Reasons: ``no_formula``, ``bad_formula`` (no plain formula of known elements).

    Args:
        rows: n rows with at least ``formula_reduced``.
        grid: the grid.
    """
    coded = pa.concat_arrays(
        [chunk.cast(pa.string()) for chunk in rows.column("formula_reduced").chunks] or [pa.array([], pa.string())]
    ).dictionary_encode()
    texts = coded.dictionary.to_pylist()
    table, readable = formula_counts(texts)
    codes = coded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False).astype(np.int64)
    counts = np.concatenate([table, np.zeros((1, grid.n_counts), dtype=grid.dtype)])[codes]
    reasons = [*(None if good else "bad_formula" for good in readable), "no_formula"]
    messages = [
        *(None if good else f"{text!r:.80} is no plain formula of known elements"
          for good, text in zip(readable, texts, strict=True)),
        "the formula is not known",
    ]
    return Made.whole(counts, [reasons[c] for c in codes.tolist()], [messages[c] for c in codes.tolist()])


def formula_counts(formulas: list[str]) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """The counts (n, 118) of formulas such as ``Al2O3``, and which of them can be read (n,)."""
    places: list[int] = []
    elements: list[int] = []
    atoms: list[int] = []
    readable = np.zeros(len(formulas), dtype=np.bool_)
    for place, text in enumerate(formulas):
        content = parse(text)
        if content is None:
            continue
        readable[place] = True
        places += [place] * len(content)
        elements += [ATOMIC_NUMBER[element] - 1 for element in content]
        atoms += content.values()
    counts = np.zeros((len(formulas), len(SYMBOLS)), dtype=np.uint16)
    _fill(counts, np.array(places, dtype=np.int64), np.array(elements, dtype=np.int64), np.array(atoms, dtype=np.int64))
    return counts, readable


def _fill(
    counts: NDArray[np.uint16], places: NDArray[np.int64], elements: NDArray[np.int64], atoms: NDArray[np.int64]
) -> None:
    """Write the counts of sparse compositions: whole numbers throughout, so that every machine finds the same."""
    sums = np.bincount(places, weights=atoms, minlength=len(counts)).astype(np.int64)[places]
    share, lost = np.divmod(atoms * LEVELS, sums)
    missing = LEVELS - np.bincount(places, weights=share, minlength=len(counts)).astype(np.int64)
    order = np.lexsort((elements, -lost, places))
    first = np.searchsorted(places[order], places[order])
    share[order] += np.arange(len(order)) - first < missing[places[order]]
    counts[places, elements] = share
