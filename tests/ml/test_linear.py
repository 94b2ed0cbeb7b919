"""Paths of linear models: equal to scikit-learn's, whole, and honest under cross-validation."""

from __future__ import annotations

from math import comb

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge, lasso_path, orthogonal_mp

from lake.errors import InputError
from ml.linear.cross_validation import METHODS, judged
from ml.linear.design import Design
from ml.linear.folds import folds
from ml.linear.matching_pursuit import omp_path
from ml.linear.monomials import Monomials, check_size, n_monomials
from ml.linear.shrinkage import lasso_path as our_lasso
from ml.linear.shrinkage import ridge_path

Floats = npt.NDArray[np.float64]


def problem(n: int = 120, p: int = 40, seed: int = 0) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    values = random.normal(size=(n, p)) * random.uniform(0.1, 10, p) + random.normal(size=p)
    return values, values[:, 3] - 2 * values[:, 5] + 0.5 * values[:, p // 2] + random.normal(size=n)


def scaled(values: Floats) -> Floats:
    found = values - values.mean(axis=0)
    return np.asarray(found / np.linalg.norm(found, axis=0))


@pytest.mark.parametrize("seed", range(4))
def test_the_whole_pursuit_equals_that_of_scikit_learn(seed: int) -> None:
    values, target = problem(seed=seed)
    path = omp_path(Design.plain(values), target, 30)
    peer = orthogonal_mp(scaled(values), target - target.mean(), n_nonzero_coefs=30, return_path=True)
    said = path.predict(Design.plain(values))
    assert list(path.n_features) == list(range(31))
    for size in range(1, 31):
        assert set(path.columns[:size]) == set(np.flatnonzero(peer[:, size - 1]))
        assert np.allclose(said[size], scaled(values) @ peer[:, size - 1] + target.mean(), atol=1e-8)


def test_columns_that_say_nothing_new_are_passed_over() -> None:
    values, target = problem(40, 6)
    more = np.column_stack([values, values[:, 0], 2 * values[:, 1] - values[:, 2], np.full(40, 3.0)])
    path = omp_path(Design.plain(more), target, 9)
    assert len(path.columns) == 6  # the rank
    assert 8 not in path.columns
    exact = np.linalg.lstsq(np.column_stack([values, np.ones(40)]), target, rcond=None)[0]
    assert np.allclose(path.predict(Design.plain(more))[-1], np.column_stack([values, np.ones(40)]) @ exact, atol=1e-8)


def test_the_path_ends_where_nothing_is_left() -> None:
    values, _ = problem(30, 10)
    path = omp_path(Design.plain(values), 2 * values[:, 4] - values[:, 1] + 3, 10)
    assert set(path.columns) == {1, 4}
    assert np.allclose(path.predict(Design.plain(values))[-1], 2 * values[:, 4] - values[:, 1] + 3, atol=1e-9)


def test_blocks_are_the_block_diagonal_matrix_with_an_intercept_each() -> None:
    one, target_one = problem(60, 8, 1)
    other, target_other = problem(50, 12, 2)
    rows = np.random.default_rng(3).permutation(110)
    design = Design.of([(rows[:60], one), (rows[60:], other)])
    target = np.empty(110)
    target[rows[:60]], target[rows[60:]] = target_one + 5, target_other
    whole = np.zeros((110, 20))
    whole[:60, :8], whole[60:, 8:] = scaled(one), scaled(other)
    centred = np.concatenate([target_one - target_one.mean(), target_other - target_other.mean()])
    peer = orthogonal_mp(whole, centred, n_nonzero_coefs=15, return_path=True)
    path = omp_path(design, target, 15)
    said = path.predict(design)[:, rows]
    means = np.concatenate([np.full(60, target_one.mean() + 5), np.full(50, target_other.mean())])
    for size in range(1, 16):
        assert set(path.columns[:size]) == set(np.flatnonzero(peer[:, size - 1]))
        assert np.allclose(said[size], whole @ peer[:, size - 1] + means, atol=1e-8)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_what_is_left_out_is_not_learned_from(method: str) -> None:
    values, target = problem()
    learned = np.arange(120) % 4 != 0
    changed = np.where(learned, target, 1e3)
    first = METHODS[method](Design.plain(values), target, 10, learned)
    second = METHODS[method](Design.plain(values), changed, 10, learned)
    assert np.allclose(first.coefficients, second.coefficients)
    alone = METHODS[method](Design.plain(values[learned]), target[learned], 10)
    assert np.allclose(alone.predict(Design.plain(values)), first.predict(Design.plain(values)), atol=1e-8)


def test_lasso_equals_that_of_scikit_learn_at_its_penalties() -> None:
    values, target = problem()
    path = our_lasso(Design.plain(values), target, 20)
    assert path.penalties is not None
    _, peer, _ = lasso_path(scaled(values), target - target.mean(), alphas=path.penalties, tol=1e-9)
    for place in range(len(path.n_features)):
        expected = scaled(values) @ peer[:, place] + target.mean()
        assert np.allclose(path.predict(Design.plain(values))[place], expected, atol=1e-3 * np.ptp(target))
    assert list(path.n_features) == sorted(set(path.n_features))
    assert path.n_features[-1] <= 20


def test_ridge_equals_that_of_scikit_learn_and_has_the_features_asked_for() -> None:
    values, target = problem()
    path = ridge_path(Design.plain(values), target, 20)
    assert path.penalties is not None
    singular = np.linalg.svd(scaled(values), compute_uv=False) ** 2
    for place, penalty in enumerate(path.penalties):
        peer = Ridge(alpha=penalty).fit(scaled(values), target)
        assert np.allclose(path.predict(Design.plain(values))[place], peer.predict(scaled(values)), atol=1e-8)
        assert (singular / (singular + penalty)).sum() == pytest.approx(path.n_features[place], abs=1e-3)


def test_cross_validation_is_done_anew_in_every_fold() -> None:
    """Against the same by hand; with features of noise the fit gets better and the rest gets worse."""
    random = np.random.default_rng(5)
    values, target = random.normal(size=(60, 50)), random.normal(size=60)
    of_fold = folds(range(60), 4)
    found = judged(Design.plain(values), target, 20, "omp", of_fold)
    expected = np.zeros(60)
    for fold in range(4):
        train = of_fold != fold
        expected[~train] = omp_path(Design.plain(values[train]), target[train], 7).predict(
            Design.plain(values[~train]))[7] - target[~train]
    assert found.cv_rmse[7] == pytest.approx(np.sqrt(np.mean(expected**2)))
    assert (np.diff(found.fit_rmse) < 0).all()
    assert found.cv_rmse[20] > found.cv_rmse[0] > found.fit_rmse[20]
    assert found.best < 5
    assert found.simplest <= found.best


@given(st.integers(1, 6), st.integers(1, 4))
def test_monomials_are_as_many_as_they_should_be(p: int, degree: int) -> None:
    found = Monomials.of(p, degree)
    assert len(found) == len(set(found.factors)) == n_monomials(p, degree) == comb(p + degree, degree) - 1


def test_monomials_of_the_paper() -> None:
    assert [n_monomials(27, degree) for degree in (1, 2, 3)] == [27, 405, 4_059]


def test_monomials_are_products() -> None:
    values = np.random.default_rng(0).normal(size=(5, 3))
    found = Monomials.of(3, 3)
    made = found.values(values)
    for column, factors in enumerate(found.factors):
        assert np.allclose(made[:, column], np.prod([values[:, one] for one in factors], axis=0))
    assert found.names(["a", "b", "c"])[-1] == "c³"
    assert "a²·b" in found.names(["a", "b", "c"])
    some = found.taken(np.array([18, 4]))
    assert np.allclose(some.values(values), made[:, [18, 4]])
    assert list(some.degrees()) == [3, 2]


def test_what_does_not_fit_into_memory_is_refused_before() -> None:
    with pytest.raises(InputError, match=r"1,373,700 features of 2,400 rows need 26\.4 GB, and 2 GB are allowed"):
        check_size(2_400, [n_monomials(200, 3)], 2.0)
    check_size(2_400, [n_monomials(27, 3)], 2.0)


def test_bad_designs_are_refused() -> None:
    with pytest.raises(InputError, match="no finite numbers"):
        Design.plain(np.array([[1.0], [np.nan]]))
    with pytest.raises(InputError, match="two blocks"):
        Design.of([(np.array([0, 1]), np.ones((2, 1))), (np.array([1]), np.ones((1, 1)))])
    with pytest.raises(InputError, match="degree"):
        Monomials.of(3, 0)
