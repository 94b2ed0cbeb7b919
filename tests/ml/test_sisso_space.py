"""Features of formulas: the same as an enumeration by hand gives, units kept, and screening that misses none."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, permutations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import InputError
from ml.sisso.counting import n_candidates
from ml.sisso.expression import Expression, Primary, feature_of
from ml.sisso.levels import build
from ml.sisso.operators import OPERATORS, operators_of
from ml.sisso.pool import directions
from ml.sisso.scores import Classes, Residuals
from ml.sisso.screen import screen
from ml.sisso.space import Space, SpaceSettings
from ml.sisso.units import Unit

Floats = npt.NDArray[np.float64]
EV, ANGSTROM, NUMBER = Unit.parse("eV"), Unit.parse("Å"), Unit()
N = 24
ALL = tuple(OPERATORS)


def columns(seed: int = 0, n: int = N) -> dict[str, Floats]:
    random = np.random.default_rng(seed)
    return {name: random.uniform(0.4, 2.5, n) for name in ("a", "b", "c", "d")}


PRIMARIES = (Primary("a", EV), Primary("b", EV), Primary("c", ANGSTROM))


def by_hand(primaries: tuple[Primary, ...], rung: int, operators: tuple[str, ...], values: dict[str, Floats]) -> Floats:
    """All features up to a rung by recursion over everything, with nothing clever: their values."""
    features: list[Primary | Expression] = list(primaries)
    for _ in range(rung):
        more: list[Expression] = []
        for name in operators:
            operator = OPERATORS[name]
            # a − b and b − a are one feature: which of the two is fixed by the order of the features.
            for operands in (combinations if operator.commutes else permutations)(features, operator.arity):
                if operator.unit(*(one.unit for one in operands)) is not None:
                    more.append(Expression(name, operands))
        known = {one.key for one in features}
        features += [one for one in more if one.key not in known]
    found = np.array([one.values(values) for one in features])
    with np.errstate(invalid="ignore"):
        good = np.isfinite(found).all(axis=1) & (np.abs(found).max(axis=1) <= 1e8)
    found = found[good]
    return found[np.ptp(found, axis=1) > 1e-10 * np.abs(found).max(axis=1)]


def without_twins(values: Floats) -> Floats:
    """Directions of features, one of each."""
    found: list[Floats] = []
    for one in directions(values):
        if not found or (np.abs(np.array(found) @ one) < 1 - 1e-9).all():
            found.append(one)
    return np.array(found)


@pytest.mark.parametrize(("rung", "operators"), [(1, ALL), (2, ("+", "-", "|-|", "*", "/", "^2", "sqrt", "^-1")),
                                                 (2, ("*", "/", "exp", "log", "cbrt"))])
def test_the_space_is_the_one_built_by_hand(rung: int, operators: tuple[str, ...]) -> None:
    values = columns()
    expected = without_twins(by_hand(PRIMARIES, rung, operators, values))
    space = build(PRIMARIES, values, SpaceSettings(rung=rung, operators=operators))
    found = screen(space, Residuals.of(np.random.default_rng(1).normal(size=N)), 5_000)
    mine = directions(found.values)
    products = np.abs(expected @ mine.T)
    assert len(mine) == len(expected)
    assert (products.max(axis=1) > 1 - 1e-9).all()
    assert (products.max(axis=0) > 1 - 1e-9).all()


def test_screening_finds_the_best_and_their_scores() -> None:
    """Against the correlation of every feature of a space, computed one by one."""
    values = columns(2)
    residuals = np.random.default_rng(3).normal(size=(2, N))
    tasks = ["x"] * 10 + ["y"] * 14
    space = build(PRIMARIES, values, SpaceSettings())
    everything = screen(space, Residuals.of(residuals, tasks), 100_000)
    best = screen(space, Residuals.of(residuals, tasks), 20)
    assert [one.key for one in best.features] == [one.key for one in everything.features[:20]]

    def score(one: Floats) -> float:
        return max(
            float(np.sqrt(np.mean([np.corrcoef(one[part], residual[part])[0, 1] ** 2
                                   for part in (slice(0, 10), slice(10, 24))])))
            for residual in residuals
        )

    expected = [score(one.values(values)) for one in everything.features]
    assert np.allclose(expected, everything.scores, rtol=0, atol=1e-9)
    assert (np.diff(everything.scores) <= 1e-9).all()


def test_every_feature_is_what_it_says() -> None:
    values = columns(4)
    found = screen(build(PRIMARIES, values, SpaceSettings(operators=ALL)), Residuals.of(values["a"] * values["d"]), 300)
    for feature, row in zip(found.features, found.values, strict=True):
        assert np.allclose(feature.values(values), row, rtol=1e-12)
        assert feature_of(feature.to_json()).key == feature.key
        assert feature.rung <= 2


def test_tiles_and_pools_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    values = columns(5)
    space = build(PRIMARIES, values, SpaceSettings())
    target = Residuals.of(values["d"])
    whole = screen(space, target, 40)
    monkeypatch.setattr("ml.sisso.tiles.MOST_SIDE", 7)
    monkeypatch.setattr("ml.sisso.tiles.LEAST_SIDE", 3)
    monkeypatch.setattr("ml.sisso.pool.Pool.most_waiting", 41)
    small = screen(space, target, 40)
    assert [one.key for one in small.features] == [one.key for one in whole.features]
    assert small.n_candidates == whole.n_candidates == n_candidates(space)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_the_number_of_candidates_is_known_before(limit: int) -> None:
    space = build(PRIMARIES, columns(), SpaceSettings(operators=ALL, max_operators=limit))
    found = screen(space, Residuals.of(columns()["d"]), 10)
    assert found.n_candidates == n_candidates(space)
    assert max(one.n_operators for one in found.features) <= limit


@pytest.mark.parametrize(("rung", "planted"), [
    (1, lambda v: v["a"] / v["c"]), (2, lambda v: (v["a"] - v["b"]) / v["c"] ** 2),
    (3, lambda v: np.sqrt(v["a"] * v["b"]) / (v["c"] + v["d"])),
])
def test_a_planted_feature_is_the_best(rung: int, planted: object) -> None:
    values = columns(6, 40)
    assert callable(planted)
    target = planted(values) + 1e-6 * np.random.default_rng(7).normal(size=40)
    primaries = (*PRIMARIES, Primary("d", ANGSTROM))
    settings = SpaceSettings(rung=rung, operators=("+", "-", "*", "/", "sqrt", "^2") if rung < 3 else
                             ("+", "*", "/", "sqrt"))
    found = screen(build(primaries, values, settings), Residuals.of(target), 3)
    assert found.scores[0] > 1 - 1e-9
    assert abs(np.corrcoef(found.features[0].values(values), planted(values))[0, 1]) > 1 - 1e-9


def test_what_was_chosen_before_is_not_chosen_again() -> None:
    values = columns(8)
    space, target = build(PRIMARIES, values, SpaceSettings()), Residuals.of(values["d"])
    first = screen(space, target, 30)
    second = screen(space, target, 30, already=3.0 - 2.0 * first.values)
    both = screen(space, target, 60)
    assert {one.key for one in first.features} | {one.key for one in second.features} == {
        one.key for one in both.features}


def test_classes_are_told_apart_by_the_feature_planted() -> None:
    values = columns(9, 60)
    labels = np.where(values["a"] * values["c"] > 1.5, "metal", "insulator")
    found = screen(build(PRIMARIES, values, SpaceSettings(operators=("+", "-", "*", "/"))), Classes.of(labels), 5)
    assert "(* a c)" in {one.key for one in found.features[:3]}
    best = found.features[0].values(values)
    low, high = (best[labels == name] for name in ("insulator", "metal"))
    assert max(low.min(), high.min()) > min(low.max(), high.max())  # no overlap


def test_the_overlap_is_counted_as_by_hand() -> None:
    labels = ["x", "x", "x", "y", "y", "y"]
    feature = np.array([[0.0, 1.0, 2.0, 1.5, 3.0, 4.0], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]])
    # Ranges [0, 2] and [1.5, 4] share [1.5, 2]: rows 2 and 1.5, and an eighth of the range; [0, 2] and [3, 5] leave a
    # gap of a fifth of the range.
    assert np.allclose(Classes.of(labels).exact(feature), [1 - (2 + 0.5 / 4) / 7, 1 + 0.2 / 7])


words = st.sampled_from(["eV", "Å", "atom", "K"])
units = st.dictionaries(words, st.fractions(-3, 3, max_denominator=3), max_size=3).map(Unit.of)


@given(units, units)
def test_units_multiply_as_powers_do(one: Unit, other: Unit) -> None:
    assert one * other == other * one
    assert (one * other) / other == one
    assert (one**2) ** Fraction(1, 2) == one
    assert OPERATORS["+"].unit(one, other) == (one if one == other else None)
    assert (OPERATORS["exp"].unit(one) is None) == bool(one.exponents)


@given(units)
def test_a_unit_is_read_as_it_is_written(one: Unit) -> None:
    assert Unit.parse(one.text()) == one


@pytest.mark.parametrize(("text", "expected"), [
    ("eV/atom", {"eV": 1, "atom": -1}), ("angstrom3", {"Å": 3}), ("1/Å", {"Å": -1}), ("eV·Å^-2", {"eV": 1, "Å": -2}),
    ("1", {}), ("", {}),
])
def test_units_as_people_write_them(text: str, expected: dict[str, int]) -> None:
    assert Unit.parse(text) == Unit.of({symbol: Fraction(power) for symbol, power in expected.items()})


@given(st.text(max_size=12) | st.text("eVÅK/·*^()-123⁻² ", max_size=12))
def test_any_text_is_a_unit_or_is_said_to_be_none(text: str) -> None:
    try:
        found = Unit.parse(text)
    except InputError:
        return
    assert found / found == NUMBER


@pytest.mark.parametrize("text", ["e V", "eV^^2", "3", "/", "eV+Å", "eV^(1/0)", "e" * 1_000])
def test_what_is_no_unit_is_said(text: str) -> None:
    with pytest.raises(InputError, match="is no unit"):
        Unit.parse(text)


def test_bad_columns_are_named() -> None:
    values = columns()
    for name, column in (("a", np.full(N, 2.0)), ("b", np.where(np.arange(N) == 3, np.nan, 1.0))):
        with pytest.raises(InputError, match=f"column {name} "):
            build(PRIMARIES, values | {name: column}, SpaceSettings())
    with pytest.raises(InputError, match="needs a column c"):
        build(PRIMARIES, {"a": values["a"], "b": values["b"]}, SpaceSettings())


def test_a_space_that_is_too_large_is_refused_before() -> None:
    space = build(PRIMARIES, columns(), SpaceSettings(most_candidates=1_000))
    with pytest.raises(InputError, match=r"gives \d,\d{3} features, and 1,000 are allowed"):
        screen(space, Residuals.of(columns()["d"]), 5)
    with pytest.raises(InputError, match="do not fit into 1e-06 GB"):
        build(PRIMARIES, columns(), SpaceSettings(rung=3, memory_gb=1e-6))


@pytest.mark.parametrize("given_", [
    {"rung": 4}, {"rung": True}, {"operators": ("+", "tan")}, {"operators": ()}, {"max_operators": 0},
    {"smallest": 2.0, "largest": 1.0}, {"memory_gb": 0.0},
])
def test_settings_that_cannot_be(given_: dict[str, object]) -> None:
    with pytest.raises(InputError):
        SpaceSettings(**given_)  # type: ignore[arg-type]


@pytest.mark.parametrize("given_", [
    None, {}, {"operator": "tan", "operands": []}, {"operator": "+", "operands": [{"name": "a", "unit": "eV"}]},
    {"operator": "exp", "operands": [{"name": "a", "unit": "eV", "latex": None}]},
    {"name": 3, "unit": "eV", "latex": None}, {"operator": [], "operands": []}, {"operator": {}, "operands": [None]},
    {"operator": "exp", "operands": [{"name": "a", "unit": "eV^(1/0)", "latex": None}]},
])
def test_a_feature_from_anywhere_is_checked(given_: object) -> None:
    with pytest.raises(InputError):
        feature_of(given_)


def test_a_feature_that_is_nested_without_end_is_refused() -> None:
    nested: dict[str, object] = {"name": "a", "unit": "1", "latex": None}
    for _ in range(50):
        nested = {"operator": "exp", "operands": [nested]}
    with pytest.raises(InputError, match="no feature"):
        feature_of(nested)


def test_operators_keep_their_order() -> None:
    assert [one.name for one in operators_of(("exp", "+"))] == ["+", "exp"]


def test_held_features_say_what_they_are() -> None:
    space = build(PRIMARIES[::-1], columns(), SpaceSettings(rung=3))
    assert isinstance(space, Space)
    for place in range(space.n):
        assert np.allclose(space.feature(place).values(columns()), space.values[place], rtol=1e-12)
        assert space.feature(place).n_operators == space.n_operators[place]
        assert space.feature(place).unit == space.units[space.unit[place]]
