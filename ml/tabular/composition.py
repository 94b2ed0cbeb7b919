"""Composition features: statistics of element properties, weighted by the formula.

The preset "magpie" of matminer's ElementProperty: minimum, maximum, range, mean, average deviation and mode of each of
22 properties (Ward et al., npj Comput. Mater. 2, 16028 (2016), doi 10.1038/npjcompumats.2016.28), for all formulas of
a column at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml.tabular.elements import element_table
from ml.tabular.formulas import Compositions, compositions

STATISTICS = ("minimum", "maximum", "range", "mean", "avg_dev", "mode")
# What bounds the memory: a block of formulas, not all of them.
BLOCK = 20_000


def composition_names() -> tuple[str, ...]:
    """The features' names as matminer writes them: ``MagpieData <statistic> <property>``."""
    return tuple(f"MagpieData {s} {p}" for p in element_table().properties for s in STATISTICS)


def composition_features(formulas: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """Statistics of element properties.

    Args:
        formulas: n plain formulas; whether they are reduced does not matter.

    Returns:
        (n, 132), columns as in :func:`composition_names`.

    Raises:
        InputError: a formula is missing or none.
    """
    coded = _encoded(formulas)
    counted = compositions(coded.dictionary)
    n = len(counted.offsets) - 1
    blocks = [_statistics(_part(counted, i, min(i + BLOCK, n))) for i in range(0, n, BLOCK)]
    features: NDArray[np.float64] = np.concatenate(blocks) if blocks else np.zeros((0, len(composition_names())))
    of_rows: NDArray[np.float64] = features[coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)]
    return of_rows


def _encoded(formulas: pa.Array | pa.ChunkedArray) -> Any:
    """Each formula once, and which of them each row has: materials share formulas."""
    if formulas.null_count:
        compositions(formulas)  # says what is wrong
    coded = formulas.dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        return coded.combine_chunks() if len(coded) else pa.array([], pa.string()).dictionary_encode()
    return coded


def _part(counted: Compositions, start: int, stop: int) -> Compositions:
    """The materials from start to stop."""
    terms = slice(counted.offsets[start], counted.offsets[stop])
    offsets = counted.offsets[start:stop + 1] - counted.offsets[start]
    return Compositions(offsets, counted.atomic_numbers[terms], counted.counts[terms])


def _statistics(counted: Compositions) -> NDArray[np.float64]:
    """(n, 132) statistics; the weights are atoms of an element in the formula."""
    starts, weights = counted.offsets[:-1], counted.counts[:, None]
    row = np.repeat(np.arange(len(starts)), np.diff(counted.offsets))
    values = element_table().values[counted.atomic_numbers]
    total = np.add.reduceat(weights, starts)
    lowest, highest = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    mean = np.add.reduceat(values * weights, starts) / total
    deviation = np.add.reduceat(np.abs(values - mean[row]) * weights, starts) / total
    # matminer: of the elements with the most atoms, as numpy.isclose sees it, the one with the least value.
    most = np.isclose(weights, np.maximum.reduceat(weights, starts)[row])
    mode = np.minimum.reduceat(np.where(most, values, np.inf), starts)
    stacked = np.stack((lowest, highest, highest - lowest, mean, deviation, mode), axis=2)
    return stacked.reshape(len(starts), -1)
