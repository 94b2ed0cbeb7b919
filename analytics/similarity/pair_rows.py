"""Pairs of row numbers as rows of the table `similarities`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    from analytics.similarity.pairs import Pairs
    from analytics.similarity.sorted_index import TileRows

Floats = NDArray[np.float64]


class Aligned(NamedTuple):
    """Coefficients (m,) and shifts in eV (m,) of right against left; NaN where there is none."""

    similarity: Floats
    shift_ev: Floats


def rows_of(left: TileRows, right: TileRows, pairs: Pairs, aligned: Aligned | None = None) -> pa.Table:
    """Rows ordered by their ids, the one that comes first in the alphabet on the left.

    Ids are columns of numbers and a dictionary: the same few ids stand in very many rows.

    Args:
        left: the tile of ``pairs.left``.
        right: the tile of ``pairs.right``; may be the same.
        pairs: row numbers of the two.
        aligned: for each pair, if that was asked for.
    """
    same = left is right
    ids = left.ids if same else pa.concat_arrays([left.ids, right.ids])
    ranks = left.ranks if same else np.concatenate([left.ranks, right.ranks])
    one, other = pairs.left, pairs.right if same else pairs.right + len(left.ids)
    used = np.zeros(len(ids), np.bool_)
    used[one], used[other] = True, True
    chosen = np.flatnonzero(used)
    chosen = chosen[np.argsort(ranks[chosen])]
    code = np.zeros(len(ids), np.int64)
    code[chosen] = np.arange(len(chosen))
    first, second = code[one], code[other]
    both = (np.minimum(first, second) << 32) | np.maximum(first, second)
    order = np.argsort(both)
    both = both[order]
    names = ids.take(pa.array(chosen))
    m = len(order)
    columns = {
        "left_id": pa.DictionaryArray.from_arrays(pa.array((both >> 32).astype(np.int32)), names),
        "right_id": pa.DictionaryArray.from_arrays(pa.array((both & 0xFFFFFFFF).astype(np.int32)), names),
        "similarity": pa.array(pairs.similarity[order]),
        "aligned_similarity": pa.nulls(m, pa.float64()), "aligned_shift_ev": pa.nulls(m, pa.float64()),
    }
    if aligned is not None:
        missing = np.isnan(aligned.similarity)[order]
        # Exchanging the two gives the same coefficient at the opposite shift.
        turned = np.where(first > second, -aligned.shift_ev, aligned.shift_ev)[order] + 0.0
        columns["aligned_similarity"] = pa.array(aligned.similarity[order], mask=missing)
        columns["aligned_shift_ev"] = pa.array(turned, mask=missing)
    return pa.table(columns)
