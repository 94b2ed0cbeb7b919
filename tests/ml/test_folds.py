"""Folds: no group in two of them, about equally large, whatever the order of the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import InputError
from ml.linear.folds import folds


@given(st.lists(st.integers(0, 30), min_size=12, max_size=80), st.integers(2, 4), st.integers(0, 3))
def test_a_group_is_in_one_fold_whatever_the_order(keys: list[int], n_folds: int, seed: int) -> None:
    if len(set(keys)) < n_folds:
        with pytest.raises(InputError, match="groups of rows"):
            folds(keys, n_folds, seed)
        return
    found = folds(keys, n_folds, seed)
    of_key = {key: {int(f) for k, f in zip(keys, found, strict=True) if k == key} for key in keys}
    assert all(len(where) == 1 for where in of_key.values())
    assert set(found) == set(range(n_folds))
    turned = folds(keys[::-1], n_folds, seed)
    assert np.array_equal(turned[::-1], found)
    # The largest group is the most that a fold can have above another one.
    sizes = np.bincount(found, minlength=n_folds)
    assert sizes.max() - sizes.min() <= max(keys.count(key) for key in keys)


def test_seeds_deal_out_otherwise() -> None:
    keys = list(range(100))
    assert not np.array_equal(folds(keys, 5, 0), folds(keys, 5, 1))


def test_one_fold_is_none() -> None:
    with pytest.raises(InputError, match="from 2"):
        folds([1, 2, 3], 1)
