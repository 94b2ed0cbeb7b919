"""Formulas to element counts, all of a column at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.crystal.formula import ATOMIC_NUMBER
from lake.errors import InputError

LONGEST_COUNT = 6
SHOWN = 3


def _symbol_codes() -> NDArray[np.int64]:
    """Atomic number by the two bytes of a symbol (first · 256 + second, 0 where it has one letter); 0 = no element."""
    codes = np.zeros(1 << 16, np.int64)
    for symbol, number in ATOMIC_NUMBER.items():
        first, second = symbol.ljust(2, "\0").encode()
        codes[first * 256 + second] = number
    return codes


SYMBOL_CODES = _symbol_codes()


@dataclass(frozen=True)
class Compositions:
    """Element counts of n materials, row by row (CSR).

    Attributes:
        offsets: (n + 1,): the terms of material i are ``offsets[i]:offsets[i + 1]``; every material has one at least.
        atomic_numbers: (n_terms,), ascending within a material.
        counts: (n_terms,), atoms of that element in the formula.
    """

    offsets: NDArray[np.int64]
    atomic_numbers: NDArray[np.int64]
    counts: NDArray[np.float64]


def compositions(formulas: pa.Array | pa.ChunkedArray) -> Compositions:
    """Element counts of plain formulas (no brackets) such as ``F2Mg``.

    Args:
        formulas: n strings.

    Raises:
        InputError: a formula is missing, names no element, or is no plain formula.
    """
    if formulas.null_count:
        raise InputError(
            f"{formulas.null_count} of {len(formulas)} rows have no formula (formula_reduced), and composition "
            "features need one: leave them out, with `formula_reduced is not null`."
        )
    text, starts = _bytes(formulas)
    term_starts, term_of = _terms(text, starts, formulas)
    numbers = _numbers(text, term_starts)
    counts = _counts(text, term_starts, term_of)
    rows = np.searchsorted(starts, term_starts, side="right") - 1
    bad = (numbers == 0) | (counts == 0)
    if bad.any():
        _refuse(formulas, rows[bad])
    return _merged(rows, numbers, counts, len(formulas))


def _bytes(formulas: pa.Array | pa.ChunkedArray) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All characters one after the other, and where each formula starts, the end included."""
    if not len(formulas):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    array = pa.concat_arrays([chunk.cast(pa.large_string()) for chunk in _chunks(formulas)])
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64)[array.offset:array.offset + len(array) + 1]
    text = np.frombuffer(data, np.uint8)[ends[0]:ends[-1]] if data is not None else np.zeros(0, np.uint8)
    return text, ends - ends[0]


def _chunks(formulas: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return list(formulas.chunks) if isinstance(formulas, pa.ChunkedArray) else [formulas]


def _terms(
    text: NDArray[np.uint8], starts: NDArray[np.int64], formulas: pa.Array | pa.ChunkedArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each term (element and count) starts, and the term of each character."""
    upper, lower, digit = (_between(text, a, b) for a, b in ("AZ", "az", "09"))
    first = np.zeros(len(text), bool)
    first[starts[:-1][starts[:-1] < len(text)]] = True
    follows_upper = np.concatenate(([False], upper[:-1]))
    follows_digit = np.concatenate(([False], digit[:-1]))
    wrong = ~(upper | lower | digit) | (first & ~upper) | (lower & ~follows_upper)
    wrong |= digit & ~follows_digit & (text == ord("0"))
    rows = np.searchsorted(starts, np.flatnonzero(wrong), side="right") - 1
    empty = np.flatnonzero(np.diff(starts) == 0)
    if len(rows) or len(empty):
        _refuse(formulas, np.concatenate((rows, empty)))
    return np.flatnonzero(upper), np.cumsum(upper) - 1


def _between(text: NDArray[np.uint8], low: str, high: str) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (text >= ord(low)) & (text <= ord(high))
    return found


def _numbers(text: NDArray[np.uint8], term_starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The atomic number of each term; 0 where it names no element."""
    second = np.concatenate((text, np.zeros(1, np.uint8)))[term_starts + 1].astype(np.int64)
    second[(second < ord("a")) | (second > ord("z"))] = 0
    numbers: NDArray[np.int64] = SYMBOL_CODES[text[term_starts].astype(np.int64) * 256 + second]
    return numbers


def _counts(
    text: NDArray[np.uint8], term_starts: NDArray[np.int64], term_of: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The count of each term: 1 where none stands; 0 where it has too many digits to be one."""
    ends = np.append(term_starts[1:], len(text))
    digits = np.flatnonzero(_between(text, "0", "9"))
    power = ends[term_of[digits]] - 1 - digits
    worth = (text[digits].astype(np.float64) - ord("0")) * 10.0 ** np.minimum(power, LONGEST_COUNT)
    counts = np.bincount(term_of[digits], worth, minlength=len(term_starts))
    lengths = np.bincount(term_of[digits], minlength=len(term_starts))
    return np.where(lengths == 0, 1.0, np.where(lengths > LONGEST_COUNT, 0.0, counts))


def _merged(
    rows: NDArray[np.int64], numbers: NDArray[np.int64], counts: NDArray[np.float64], n: int
) -> Compositions:
    """Terms in the order of material and atomic number, one for each element of a material."""
    keys, place = np.unique(rows * 128 + numbers, return_inverse=True)
    offsets = np.concatenate(([0], np.cumsum(np.bincount(keys >> 7, minlength=n))))
    summed = np.bincount(place, counts, minlength=len(keys)).astype(np.float64)
    return Compositions(offsets.astype(np.int64), keys & 127, summed)


def _refuse(formulas: pa.Array | pa.ChunkedArray, rows: NDArray[np.int64]) -> None:
    wrong = np.unique(rows)
    shown = ", ".join(repr(formulas[int(i)].as_py())[:40] for i in wrong[:SHOWN])
    raise InputError(
        f"{len(wrong)} of {len(formulas)} formulas are no plain formulas of elements, such as F2Mg: {shown}. "
        "Leave these rows out."
    )
