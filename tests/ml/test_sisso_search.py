"""SISSO: exhaustive search against brute force, planted formulas, tasks, classes, kills, and what is refused."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lake.errors import InputError
from ml.data.table import read_table
from ml.sisso import sisso as module
from ml.sisso.classification import overlap
from ml.sisso.exhaustive import best_combinations, check_bounds
from ml.sisso.expression import Primary
from ml.sisso.problem import Problem, classes_of, coded, one_task
from ml.sisso.settings import SissoSettings
from ml.sisso.sisso import errors_of, sisso
from ml.sisso.sources import Columns, problem_of_table
from ml.sisso.space import SpaceSettings
from ml.sisso.validate import out_of_fold

BINARIES = Path(__file__).parents[2] / "samples" / "tables" / "rocksalt_zincblende.csv"
FEW = ("+", "-", "*", "/", "sqrt")


def problem_of(columns: dict[str, np.ndarray], target: np.ndarray, **changes: object) -> Problem:
    n = len(target)
    given = Problem("y", "1", tuple(Primary(name) for name in columns), columns, target, *one_task(n), None, (),
                    tuple(map(str, range(n))))
    return replace(given, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def columns() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {name: random.uniform(0.5, 5.0, 80) for name in "abcd"}


def settings(rung: int = 2, dimensions: int = 2, **changes: object) -> SissoSettings:
    return SissoSettings(dimensions=dimensions, screened=20, space=SpaceSettings(rung=rung, operators=FEW),
                         **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("n_features", "size", "n_tasks"), [(9, 1, 2), (9, 2, 2), (8, 3, 2), (8, 4, 1), (7, 5, 1)])
def test_the_best_combinations_are_those_of_brute_force(n_features: int, size: int, n_tasks: int) -> None:
    random = np.random.default_rng(size)
    values = random.normal(size=(n_features, 60)) * 10.0 ** np.arange(n_features)[:, None]
    target = random.normal(size=60)
    tasks = random.integers(0, n_tasks, 60)
    expected = []
    for chosen in itertools.combinations(range(n_features), size):
        squares = 0.0
        for task in range(n_tasks):
            rows = tasks == task
            some = values[list(chosen)][:, rows]
            matrix = np.column_stack((np.ones(rows.sum()), (some / np.abs(some).max(axis=1, keepdims=True)).T))
            off = target[rows] - matrix @ np.linalg.lstsq(matrix, target[rows], rcond=None)[0]
            squares += float(off @ off)
        expected.append((squares / 60, chosen))
    expected.sort()
    found = best_combinations(values, target[None], tasks, size, n_kept=4, threads=2)
    assert [tuple(one) for one in found.places.tolist()] == [chosen for _, chosen in expected[:4]]
    np.testing.assert_allclose(found.unexplained, [squares for squares, _ in expected[:4]])
    assert found.n_searched == len(expected)


def test_features_that_say_the_same_are_no_trouble() -> None:
    random = np.random.default_rng(0)
    one = random.normal(size=40)
    values = np.stack((one, 2 * one + 1, random.normal(size=40), np.ones(40)))
    found = best_combinations(values, (one + values[2])[None], np.zeros(40, int), 2, n_kept=6)
    assert found.places[0].tolist() in ([0, 2], [1, 2])
    assert found.unexplained[0] == pytest.approx(0, abs=1e-12)
    assert np.isfinite(found.unexplained).all()


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_planted_formulas_are_found(columns: dict[str, np.ndarray], noise: float) -> None:
    a, b, c, d = columns.values()
    clean = 3 * a * b - 2 * np.sqrt(c) / d
    target = clean + noise * clean.std() * np.random.default_rng(1).normal(size=80)
    found = sisso(problem_of(columns, target), settings())
    terms = found[1].formula.terms(columns)
    alike = np.abs(np.corrcoef(np.vstack((terms, a * b, np.sqrt(c) / d))))[:2, 2:]
    assert (alike.max(axis=0) > 1 - 1e-9).all()
    if not noise:
        assert sorted(found[1].formula.coefficients[0, 0, 1:]) == pytest.approx([-2, 3])
        assert errors_of(clean, found[1].fitted)[0] < 1e-10
        # Nothing is left for a third term.
        assert len(sisso(problem_of(columns, clean), settings(dimensions=3))) == 2


def test_a_planted_formula_of_rung_three_is_found(columns: dict[str, np.ndarray]) -> None:
    a, b, c, d = columns.values()
    target = 2 * (a - b) * (a + c) / (d + c)
    space = SpaceSettings(rung=3, operators=("+", "-", "*", "/"), max_operators=5)
    found = sisso(problem_of(columns, target), SissoSettings(dimensions=1, screened=5, space=space))
    assert errors_of(target, found[0].fitted)[0] < 1e-9
    assert found[0].formula.features[0].rung == 3


def test_tasks_share_the_descriptor_and_have_their_own_coefficients(columns: dict[str, np.ndarray]) -> None:
    tasks = np.arange(80) % 2
    product = columns["a"] * columns["b"]
    target = np.where(tasks == 0, 1 + 2 * product, 5 - 3 * product)
    found = sisso(problem_of(columns, target, tasks=tasks, task_names=("mp", "oqmd"), task_column="source"),
                  settings(rung=1, dimensions=1))
    formula = found[0].formula
    np.testing.assert_allclose(formula.coefficients[:, 0], [[1, 2], [5, -3]], atol=1e-9)
    np.testing.assert_allclose(formula.values(columns, tasks), target)
    assert np.isnan(formula.values(columns, np.full(80, -1))).all()


def test_classes_are_told_apart(columns: dict[str, np.ndarray]) -> None:
    labels, names = classes_of(columns["a"] / columns["b"], (0.7, 1.5))
    assert names == ("<= 0.7", "0.7 to 1.5", "> 1.5")
    found = sisso(problem_of(columns, labels, classes=names, unit=None), settings(rung=1, dimensions=1))
    assert (found[0].fitted == labels).all()
    assert found[0].n_overlap == 0


def test_the_overlap_of_classes_counts_rows_within_hulls() -> None:
    square = np.array([[0, 0], [2, 0], [0, 2], [2, 2], [1, 1], [3, 3], [1, 5]], dtype=float)
    labels = np.array([0, 0, 0, 0, 1, 1, 1])
    assert np.flatnonzero(overlap(square, labels)).tolist() == [3, 4]
    assert np.flatnonzero(overlap(square[:, :1], labels)).tolist() == [1, 3, 4, 6]
    solid = np.column_stack((square, np.array([0, 0, 0, 0, 1, 1, 1.0])))
    assert not overlap(solid, labels).any()


def test_a_killed_search_goes_on_after_the_last_dimension(
    columns: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(5)
    problem = problem_of(columns, random.normal(size=80))
    whole = sisso(problem, settings(rung=1, dimensions=3))
    screened, called = module.screen, []

    def killed(*given: object, **options: object) -> object:
        called.append(1)
        if len(called) == 3:
            raise KeyboardInterrupt
        return screened(*given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "screen", killed)
    with pytest.raises(KeyboardInterrupt):
        sisso(problem, settings(rung=1, dimensions=3), tmp_path)
    again = sisso(problem, settings(rung=1, dimensions=3), tmp_path)
    assert len(called) == 4
    assert [one.formula.sql() for one in again] == [one.formula.sql() for one in whole]
    (tmp_path / "dimension-2.json").write_text('{"features": [')
    assert sisso(problem, settings(rung=1, dimensions=3), tmp_path)[1].formula.sql() == whole[1].formula.sql()


def test_a_space_that_is_used_up_is_searched_all_the_same(columns: dict[str, np.ndarray]) -> None:
    problem = problem_of(columns, np.random.default_rng(5).normal(size=80))
    found = sisso(problem, settings(rung=0, dimensions=5))
    assert [one.formula.dimension for one in found] == [1, 2, 3, 4]
    assert found[3].n_searched == 1


def test_folds_are_left_out_of_the_whole_procedure(columns: dict[str, np.ndarray]) -> None:
    product = columns["a"] * columns["b"]
    random = np.random.default_rng(6)
    said = out_of_fold(problem_of(columns, product), settings(rung=1, dimensions=2, n_folds=4))
    np.testing.assert_allclose(said, np.stack((product, product)), rtol=1e-9)
    noise = problem_of(columns, random.normal(size=80))
    held = out_of_fold(noise, settings(rung=1, dimensions=2, n_folds=4))
    assert np.std(noise.values - held[1]) > np.std(noise.values - sisso(noise, settings(rung=1))[1].fitted)


def test_binaries_come_near_what_was_published() -> None:
    table = read_table(BINARIES)
    problem, notes = problem_of_table(table, "delta_e_ev_per_atom", Columns(excluded=("LUMO_A_ev", "LUMO_B_ev")))
    assert problem.n == 82
    assert notes == ("Left out: A (no numbers).", "Left out: B (no numbers).")
    space = SpaceSettings(operators=("+", "-", "|-|", "/", "^2", "^3"))
    found = sisso(problem, SissoSettings(dimensions=3, screened=60, space=space))
    rmse = [errors_of(problem.values, one.fitted)[0] for one in found]
    assert rmse[0] < 0.143
    assert rmse[1] < 0.125
    assert rmse[2] < 0.105


def test_what_cannot_be_searched_is_refused_before(columns: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match="combinations of 5 out of 5,000"):
        check_bounds(5_000, 5)
    with pytest.raises(InputError, match="--screened"):
        sisso(problem_of(columns, columns["a"]), SissoSettings(dimensions=4, screened=2_000))
    with pytest.raises(InputError, match="too few for 3 dimensions"):
        problem_of({name: column[:4] for name, column in columns.items()}, columns["a"][:4]).check(3)
    with pytest.raises(InputError, match=r"task x \(1 rows\)"):
        problem_of(columns, columns["a"], tasks=(np.arange(80) == 3).astype(int), task_names=("w", "x"),
                   task_column="source").check(2)
    with pytest.raises(InputError, match="always 2"):
        problem_of(columns, np.full(80, 2.0)).check(1)
    with pytest.raises(InputError, match="Several tasks belong to a regression"):
        problem_of(columns, np.arange(80) % 2.0, classes=("x", "y"), tasks=np.arange(80) // 40,
                   task_names=("w", "x"), task_column="source").check(1)


def test_settings_are_checked_and_read_back() -> None:
    given = settings(n_folds=3)
    assert SissoSettings.of(given.plain()) == given
    assert SissoSettings(dimensions=5).per_dimension < SissoSettings(dimensions=3).per_dimension == 500
    for wrong in ({"dimensions": 6}, {"screened": 0}, {"n_folds": 1}, {"unknown": 1}, {"space": {"rung": 9}},
                  {"space": {"operators": ["rm"]}}):
        with pytest.raises(InputError):
            SissoSettings.of(wrong)


def test_names_become_places() -> None:
    places, names = coded(["b", "a", "b"])
    assert places.tolist() == [1, 0, 1]
    assert names == ("a", "b")
