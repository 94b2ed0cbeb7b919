"""Screening where it could go wrong: rounding, ties, tasks, threads, memory; bounds of tiles against exact scores."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lake.errors import InputError, SettingsError
from ml.sisso.counting import added, n_candidates
from ml.sisso.expression import Expression, Primary
from ml.sisso.levels import build
from ml.sisso.operators import OPERATORS
from ml.sisso.pool import SLACK
from ml.sisso.scores import Classes, Residuals, Scorer
from ml.sisso.screen import screen, seconds_expected
from ml.sisso.space import NAMES, Space, SpaceSettings, usable
from ml.sisso.tiles import Tiles
from ml.sisso.units import Unit

Floats = npt.NDArray[np.float64]
EV, ANGSTROM = Unit.parse("eV"), Unit.parse("Å")
N = 30
TASKS = ["x"] * 9 + ["y"] * 11 + ["z"] * 10
BINARY = ("+", "-", "|-|", "*", "/")
PRIMARIES = tuple(Primary(name, EV if name in "abn" else ANGSTROM) for name in "abcnz")


def columns() -> dict[str, Floats]:
    """Ordinary ones, one that is nearly constant, and one that is 0 once and constant within the first task."""
    random = np.random.default_rng(0)
    values = {name: random.uniform(0.4, 2.5, N) for name in "abc"}
    values["n"] = 1e5 + random.uniform(0, 1, N)
    values["z"] = np.where(np.arange(N) < 9, 0.7, random.uniform(-1, 1, N))
    values["z"][20] = 0.0
    return values


@pytest.fixture(scope="module")
def space() -> Space:
    return build(PRIMARIES, columns(), SpaceSettings(operators=(*BINARY, "^2", "sqrt")))


def residuals(n: int = N) -> Floats:
    return np.random.default_rng(1).normal(size=(3, n))


def scorers() -> Iterator[Scorer]:
    labels = np.array(["p", "q", "r"])[np.random.default_rng(2).integers(0, 3, N)].tolist()
    yield from (Residuals.of(residuals()[0]), Residuals.of(residuals(), TASKS), Classes.of(labels),
                Classes.of(labels, np.arange(N) % 4 != 1))


@pytest.mark.parametrize("scorer", list(scorers()), ids=["one", "tasks", "classes", "some rows"])
def test_tiles_bound_exact_scores_from_above(space: Space, scorer: Scorer) -> None:
    """They are the scores themselves but where a variance is next to nothing, and none are lost."""
    n_exact = n_all = 0
    for tile in Tiles(space, scorer).all():
        left, right = (one.ravel() for one in np.meshgrid(tile.left, tile.right, indexing="ij"))
        bounds = tile.scores.numpy().ravel()
        values = space.candidate_values(np.full(len(left), tile.operator), left, right)
        good = usable(values, space.settings) & (bounds >= 0)
        exact, bounds = scorer.exact(values[good]), bounds[good]
        assert (bounds >= exact * (1 - SLACK)).all()
        n_exact += int((bounds <= exact * (1 + SLACK)).sum())
        n_all += len(exact)
    assert n_all > 1_000
    assert n_exact > 0.7 * n_all


@pytest.mark.parametrize("scorer", list(scorers()), ids=["one", "tasks", "classes", "some rows"])
def test_compiled_code_says_the_same_as_tensors(space: Space, scorer: Scorer) -> None:
    """A CPU makes candidates one by one, a GPU a tile at once."""
    tiles, places = Tiles(space, scorer), np.arange(space.n, dtype=np.int64)
    for name in BINARY:
        one, other = (f(OPERATORS[name], places, places).numpy() for f in (tiles._compiled, tiles._of_values))
        differ = places[:, None] != places[None]
        assert np.allclose(one[differ], other[differ], rtol=1e-6, atol=1e-9)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU at hand")
@pytest.mark.parametrize("scorer", list(scorers()), ids=["one", "tasks", "classes", "some rows"])
def test_a_gpu_finds_the_same(space: Space, scorer: Scorer) -> None:
    here, there = (screen(space, scorer, 50, device=device) for device in ("cpu", "cuda"))
    assert [one.key for one in here.features] == [one.key for one in there.features]


def test_a_difference_of_nearly_equal_columns_is_found() -> None:
    """Its variance is 10⁻¹⁴ of the squares that it is the rest of: matrix products see only rounding."""
    random = np.random.default_rng(3)
    base, small = random.uniform(900, 1100, 60), random.normal(size=60)
    values = {"a": base + 1e-5 * small, "b": base, "c": random.uniform(1, 2, 60)}
    primaries = (Primary("a", EV), Primary("b", EV), Primary("c", ANGSTROM))
    found = screen(build(primaries, values, SpaceSettings(rung=2, operators=("+", "-", "*", "/"))),
                   Residuals.of(small / values["c"]), 1)
    assert found.features[0].key == "(/ (- a b) c)"
    assert found.scores[0] > 1 - 1e-6


def test_a_product_that_is_nearly_constant_is_found() -> None:
    random = np.random.default_rng(4)
    base, small = random.uniform(1, 3, 60), random.normal(size=60)
    values = {"a": base * (1 + 1e-6 * small), "b": 1 / base, "c": random.uniform(1, 2, 60)}
    found = screen(build((Primary("a"), Primary("b"), Primary("c")), values, SpaceSettings(
        rung=1, operators=("*", "/"))), Residuals.of(small), 1)
    assert found.features[0].key == "(* a b)"


def test_a_feature_that_is_constant_within_a_task_says_nothing_there() -> None:
    values = columns()
    found = screen(build(PRIMARIES, values, SpaceSettings(rung=0)), Residuals.of(residuals()[0], TASKS), 10)
    score = dict(zip((one.key for one in found.features), found.scores, strict=True))["z"]
    parts = [np.corrcoef(values["z"][part], residuals()[0][part])[0, 1] ** 2 for part in (slice(9, 20), slice(20, 30))]
    assert score == pytest.approx(np.sqrt(sum(parts) / 3), abs=1e-12)


def test_neither_threads_nor_the_order_of_columns_change_what_is_found() -> None:
    target, threads = Residuals.of(residuals(), TASKS), torch.get_num_threads()
    found = []
    try:
        for n_threads, primaries in ((1, PRIMARIES), (2, PRIMARIES), (2, PRIMARIES[::-1])):
            torch.set_num_threads(n_threads)
            found.append([one.key for one in screen(build(primaries, columns(), SpaceSettings()), target, 60).features])
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1] == found[2]


def test_of_features_that_say_the_same_the_shortest_is_kept() -> None:
    values = columns()
    found = screen(build(PRIMARIES, values, SpaceSettings(operators=("*", "/", "+"))),
                   Residuals.of(values["a"]), 200)
    names = [one.key for one in found.features]
    assert names[0] == "a"
    assert not {"(/ (* a b) b)", "(+ a a)", "(/ a (/ b b))"} & set(names)


def test_many_features_that_tell_classes_apart_end_soon_and_the_widest_gap_wins() -> None:
    random = np.random.default_rng(5)
    labels = np.arange(60) % 2
    values = {f"x{i}": random.uniform(1, 1.5, 60) + (i + 1) * labels for i in range(5)}
    space = build([Primary(name) for name in values], values, SpaceSettings(operators=("+", "-", "*", "/", "^2")))
    found = screen(space, Classes.of(labels.tolist()), 30)
    assert (found.scores > 1).all()
    gaps = []
    for one in found.features:
        column = one.values(values)
        low, high = sorted((column[labels == 0], column[labels == 1]), key=lambda part: part.min())
        gaps.append((high.min() - low.max()) / np.ptp(column))
    assert (np.diff(gaps) <= 1e-9).all()


def test_columns_that_say_the_same_are_taken_once_and_names_but_once() -> None:
    values = columns()
    values["twin"] = values["a"].copy()
    space = build((*PRIMARIES, Primary("twin", EV)), values, SpaceSettings(rung=1))
    assert [one.name for one in space.primaries] == list("abcnz")
    assert space.n_dropped == 1
    # In another unit it may be joined with other features.
    assert len(build((*PRIMARIES, Primary("twin")), values, SpaceSettings(rung=1)).primaries) == 6
    with pytest.raises(InputError, match="column a is given twice"):
        build((*PRIMARIES, Primary("a", ANGSTROM)), values, SpaceSettings())


def test_units_say_how_features_scale() -> None:
    """Every feature of rung 2 in other units of energy and length: its values change as its unit says."""
    values = {name: np.random.default_rng(6).uniform(0.4, 2.5, N) for name in "abc"}
    space = build(PRIMARIES[:3], values, SpaceSettings(rung=3, operators=(*BINARY, "^2", "^-1", "sqrt", "cbrt", "exp",
                                                                         "log")))
    factors = {"eV": 1.7, "Å": 0.6}
    scaled = {one.name: values[one.name] * factors[one.unit.text()] for one in PRIMARIES[:3]}
    assert space.n > 100
    for place in range(space.n):
        feature = space.feature(place)
        factor = np.prod([factors[symbol] ** float(power) for symbol, power in feature.unit.exponents])
        assert np.allclose(feature.values(scaled), feature.values(values) * factor, rtol=1e-9, atol=1e-12)


def test_building_stays_within_its_memory() -> None:
    random = np.random.default_rng(7)
    values = {f"x{i}": random.uniform(0.5, 3, 200) for i in range(6)}
    primaries = [Primary(name, EV if name > "x2" else ANGSTROM) for name in values]
    tracemalloc.start()
    try:
        space = build(primaries, values, SpaceSettings(rung=3, memory_gb=0.1))
        assert tracemalloc.get_traced_memory()[1] < 0.1e9
    finally:
        tracemalloc.stop()
    assert space.values.nbytes > 10e6
    with pytest.raises(InputError, match=r"do not fit into 0\.01 GB"):
        build(primaries, values, SpaceSettings(rung=3, memory_gb=0.01))


def test_what_would_take_too_long_is_refused_before(space: Space) -> None:
    hasty = build(PRIMARIES, columns(), SpaceSettings(most_minutes=1e-9))
    with pytest.raises(InputError, match=r"would take about .* minutes, and 1e-09 are allowed"):
        screen(hasty, Residuals.of(residuals()), 5)
    patient = build(PRIMARIES, columns(), SpaceSettings(most_minutes=10))
    assert len(screen(patient, Residuals.of(residuals()), 5).features) == 5
    assert sum(added(space).values()) + space.n == n_candidates(space)
    assert seconds_expected(build(PRIMARIES, columns(), SpaceSettings(rung=0)), Residuals.of(residuals())) == 0


@pytest.mark.parametrize("device", ["abacus", *([] if torch.cuda.is_available() else ["cuda"])])
def test_a_device_that_is_not_there_is_said(space: Space, device: str) -> None:
    with pytest.raises(SettingsError, match=r"abacus|no GPU"):
        screen(space, Residuals.of(residuals()), 5, device=device)


def test_features_of_no_use_are_never_chosen() -> None:
    values = columns()
    found = screen(build(PRIMARIES, values, SpaceSettings(operators=tuple(NAMES))), Residuals.of(residuals()[1]), 2_000)
    for one, row in zip(found.features, found.values, strict=True):
        assert np.isfinite(row).all()
        assert np.ptp(row) > 0
        assert not (isinstance(one, Expression) and one.operator == "/" and one.operands[1].key == "z")
    with pytest.raises(InputError, match="no finite numbers"):
        Residuals.of(np.array([1.0, np.nan]))
    with pytest.raises(InputError, match="Nothing is left"):
        Residuals.of(np.ones(5))


def test_the_benchmark_screens_as_many_as_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.screening import main

    assert main(["--candidates", "20000", "--rows", "40", "--keep", "20"]) == 0
    said = capsys.readouterr().out
    assert int(said.split("rung 2: ")[1].split()[0].replace(",", "")) >= 20_000
    assert "best: (* (/ x3 x0) x1)" in said
    assert "met" in said


def test_both_terms_of_a_planted_formula_are_in_what_is_screened() -> None:
    """3ab − 2√c/d with noise: one by itself, the other in what the first leaves."""
    random = np.random.default_rng(8)
    values = {name: random.uniform(0.5, 3, 82) for name in "abcd"}
    terms = {"(* a b)": values["a"] * values["b"], "(/ (sqrt c) d)": np.sqrt(values["c"]) / values["d"]}
    target = 3 * terms["(* a b)"] - 2 * terms["(/ (sqrt c) d)"] + 0.05 * random.normal(size=82)
    space = build([Primary(name, unit) for name, unit in zip("abcd", (EV, EV, ANGSTROM, EV), strict=True)], values,
                  SpaceSettings())
    first = screen(space, Residuals.of(target), 100)
    names = [one.key for one in first.features]
    assert "(* a b)" in names
    fitted = np.column_stack([np.ones(82), first.values[names.index("(* a b)")]])
    left = target - fitted @ np.linalg.lstsq(fitted, target, rcond=None)[0]
    second = screen(space, Residuals.of(left), 20, already=first.values)
    assert second.features[0].key == "(/ (sqrt c) d)"
