"""Building fingerprints: what is new or changed, what is set aside, and what interruptions leave."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fingerprint_lakes import ENERGIES, calculation, dos_row, fingerprints, put

from analytics.fingerprints import build as module
from analytics.fingerprints import inputs
from analytics.fingerprints.build import Piece, build
from lake import tasks
from lake.errors import InputError, QueryError
from lake.store.lake import Lake
from lake.tasks import Workers, open_workers
from tests.conftest import only_long, quick_settings

E = ENERGIES
GOOD = np.array(dos_row("x/0")["states_per_ev_per_atom"])


def counts(result: module.BuildResult) -> tuple[int, int, int]:
    assert result.considered == result.new + result.changed + result.unchanged
    assert result.comparable + result.set_aside.total() == result.considered
    return result.new, result.changed, result.unchanged


def test_the_same_on_s3(s3_lake: Lake) -> None:
    put(s3_lake, "dos", [dos_row("x/0"), dos_row("x/1", states=GOOD * 0.9)])
    assert counts(build(s3_lake)) == (2, 0, 0)
    assert counts(build(s3_lake)) == (0, 0, 2)
    found = fingerprints(s3_lake, "dos-reference")
    assert found["x/1"]["total"] == sum(found["x/1"]["counts"]) < found["x/0"]["total"]


def test_only_what_is_new_or_changed(lake: Lake) -> None:
    rows = [dos_row(f"{source}/{n}") for source in ("x", "y") for n in range(3)]
    put(lake, "dos", rows)
    put(lake, "calculations", [calculation(row["calculation_id"]) for row in rows])
    first = build(lake)
    assert counts(first) == (6, 0, 0)
    assert not first.set_aside
    assert set(first.versions) == {"calculations", "dos", "fingerprints", "grids"}
    again = build(lake)
    assert counts(again) == (0, 0, 6)
    assert again.versions == first.versions  # nothing was committed

    put(lake, "dos", [dos_row("x/1", states=GOOD * 0.9, digest="2"), dos_row("y/9")])
    before = fingerprints(lake, "dos-reference")
    assert counts(build(lake)) == (1, 1, 5)
    after = fingerprints(lake, "dos-reference")
    assert {k for k in before if before[k] != after[k]} == {"x/1"}
    assert set(after) - set(before) == {"y/9"}
    assert after["x/1"]["total"] == sum(after["x/1"]["counts"]) < before["x/1"]["total"]
    assert lake.catalogue_path.exists()


def test_another_view_of_the_same_record_leaves_other_kinds_alone(lake: Lake) -> None:
    put(lake, "calculations", [calculation("x/1", total_energy_ev_per_atom=-1.0)])
    assert counts(build(lake, "composition")) == (1, 0, 0)
    put(lake, "calculations", [calculation("x/1", digest="2", total_energy_ev_per_atom=-2.0)])
    assert counts(build(lake, "composition")) == (0, 0, 1)
    put(lake, "calculations", [calculation("x/1", "C", digest="3")])
    assert counts(build(lake, "composition")) == (0, 1, 0)


def test_a_formula_that_comes_later_makes_the_electrons_be_checked(lake: Lake) -> None:
    put(lake, "dos", [dos_row("x/1", states=GOOD * 20)])
    assert not build(lake).set_aside
    put(lake, "calculations", [calculation("x/1")])
    result = build(lake)
    assert (counts(result), result.set_aside) == ((0, 1, 0), {"electron_count": 1})
    row = fingerprints(lake, "dos-reference")["x/1"]
    assert (row["counts"], row["total"], row["start_interval"]) == (None, None, None)
    assert row["electrons_per_atom"] > 50
    assert "BN" in row["message"]


def test_every_grid_keeps_its_own_rows_and_another_rule_makes_them_again(lake: Lake) -> None:
    narrow = (E > -6) & (E < 4)
    put(lake, "dos", [dos_row("x/1"), dos_row("x/2", E[narrow], GOOD[narrow])])
    assert build(lake).set_aside == {"window_not_covered": 1}
    assert build(lake, "paper").set_aside == {"window_not_covered": 1}
    wide = build(lake, {"window_max_ev": 8})
    assert counts(wide) == (2, 0, 0)
    loose = build(lake, minimum_coverage=0.5)
    assert (counts(loose), loose.set_aside) == ((0, 2, 0), {})
    row = fingerprints(lake, "dos-reference")["x/2"]
    assert 0 < row["start_interval"] < row["stop_interval"] < len(row["counts"])
    assert row["covered_min_ev"] == pytest.approx(E[narrow][0])
    assert {r["grid_id"] for r in lake.read("grids").to_pylist()} == {"dos-reference", "dos-paper", wide.grid_id}


def test_where_chooses_calculations(lake: Lake) -> None:
    rows = [f"{source}/{n}" for source in ("x", "y") for n in range(3)]
    put(lake, "dos", [dos_row(row) for row in rows])
    put(lake, "calculations", [calculation(row, xc_functional="pbe" if row[-1] == "1" else "lda") for row in rows])
    assert counts(build(lake, where="source = 'y' -- only these")) == (3, 0, 0)
    assert counts(build(lake, where="xc_functional = 'pbe'")) == (1, 0, 1)
    assert set(fingerprints(lake, "dos-reference")) == {"y/0", "y/1", "y/2", "x/1"}
    for wrong in ("nothing = 3", "true) or (", "1; drop table dos", "select"):
        with pytest.raises(QueryError):
            build(lake, where=wrong)


def dirty() -> dict[str, tuple[list[float], list[float], str | None]]:
    """Every kind of density that a database may hold, with the reason expected; None = it is comparable."""
    two_channels = np.sort(np.repeat(E, 2))
    hole = GOOD.copy()
    hole[300] = np.nan
    dip = GOOD.copy()
    dip[40] = -1e-3
    fine = np.linspace(-15, 12, 1_000_000)
    order = np.random.default_rng(1).permutation(len(E))
    cases = {
        "good": (E, GOOD, None),
        "empty": ([], [], "too_few_points"),
        "single": ([0.0], [1.0], "too_few_points"),
        "lengths": (E, GOOD[:-1], "too_few_points"),
        "nan": (E, hole, "not_finite"),
        "infinite": (np.where(E[5] == E, np.inf, E), GOOD, "not_finite"),
        "negative": (E, -GOOD, "negative"),
        "slightly_negative": (E, dip, None),
        "unsorted": (E[order], GOOD[order], None),
        "duplicated": (two_channels, np.tile([0.3, 0.5], len(E)), "duplicate_energies"),
        "zero": (E, GOOD * 0, "empty"),
        "tiny": (E, GOOD * 1e-2, "empty"),
        "short": (E[E > 0], GOOD[E > 0], "window_not_covered"),
        "elsewhere": (E + 100, GOOD, "window_not_covered"),
        "coarse": (E[::20], GOOD[::20], "too_coarse"),
        "million": (fine, np.interp(fine, E, GOOD), None),
        "huge": (E, GOOD * 1e300, "electron_count"),
    }
    return {name: (list(map(float, e)), list(map(float, s)), reason) for name, (e, s, reason) in cases.items()}


def test_dirty_densities_get_a_result_or_a_reason(lake: Lake) -> None:
    cases = dirty()
    rows = [dos_row(f"x/{name}", energies, states) for name, (energies, states, _) in cases.items()]
    rows.append(dos_row("x/no_level", reference_level=None))
    put(lake, "dos", rows)
    # of the tiny one no formula is known, or the number of its electrons would tell first
    known = [row["calculation_id"] for row in rows if row["calculation_id"] != "x/tiny"]
    put(lake, "calculations", [calculation(name) for name in known])
    result = build(lake)
    assert counts(result) == (len(rows), 0, 0)
    found = fingerprints(lake, "dos-reference")
    expected = {f"x/{name}": reason for name, (_, _, reason) in cases.items()} | {"x/no_level": "no_reference_level"}
    assert {name: row["reason"] for name, row in found.items()} == expected
    for row in found.values():
        assert (row["counts"] is None) == (row["reason"] is not None) == (row["message"] is not None)
    assert found["x/unsorted"]["counts"] == found["x/good"]["counts"]
    apart = np.abs(np.array(found["x/million"]["counts"]) - found["x/good"]["counts"])
    assert apart.max() <= 1
    assert dict(result.set_aside) == {
        reason: list(expected.values()).count(reason) for reason in expected.values() if reason
    }


def test_an_empty_lake_is_left_empty(lake: Lake) -> None:
    for grid in ("reference", "composition"):
        assert counts(build(lake, grid)) == (0, 0, 0)
    assert not Path(lake.root.uri).exists()


def test_impossible_coverage(lake: Lake) -> None:
    for wrong in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(InputError):
            build(lake, minimum_coverage=wrong)


def test_batches_are_bounded_and_together_the_same(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [dos_row(f"x/{n:03}", states=GOOD * (1 - n / 1000)) for n in range(120)]
    for first in range(0, 120, 30):
        put(lake, "dos", rows[first:first + 30])
    build(lake)
    whole = fingerprints(lake, "dos-reference")
    lake.replace("fingerprints", lake.read("fingerprints").slice(0, 0), {"grid_id": "dos-reference"})
    sizes = []
    real = inputs.batches

    def small(lake: Lake, made_by: inputs.Recipe, files: object, wanted: object, _bytes: int) -> object:
        for batch in real(lake, made_by, files, wanted, 60_000):  # type: ignore[arg-type]
            sizes.append(batch.nbytes)
            yield batch

    monkeypatch.setattr(inputs, "batches", small)
    monkeypatch.setattr(module, "ROWS_OF_A_TASK", {"dos": 25})
    seen: list[tuple[int, int]] = []
    assert counts(build(lake, progress=lambda *state: seen.append(state))) == (120, 0, 0)
    assert fingerprints(lake, "dos-reference") == whole
    assert len(sizes) > 8
    assert max(sizes) < 90_000
    assert seen[-1] == (120, 120)
    assert seen == sorted(seen)


def test_pieces_hold_every_file_once_or_every_share() -> None:
    pieces = module._pieces({"a": 10, "b": 95, "c": 250, "d": 1, "e": 99}, 100)
    assert pieces == [
        Piece(("a",), 0, 1, 10), Piece(("c",), 0, 3, 84), Piece(("c",), 1, 3, 84), Piece(("c",), 2, 3, 84),
        Piece(("b", "d"), 0, 1, 96), Piece(("e",), 0, 1, 99),
    ]


@pytest.fixture(scope="module")
def two() -> Iterator[Workers]:
    """Two processes for all grids."""
    with open_workers(quick_settings(dask_workers=2, timeout_seconds=60), "processes") as workers:
        yield workers


@pytest.mark.slow
@pytest.mark.parametrize("grid", ["reference", pytest.param("composition", marks=only_long)])
def test_local_workers_make_the_same(
    tmp_path: Path, grid: str, two: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tasks.run_tasks
    monkeypatch.setattr(tasks, "run_tasks", lambda todo, settings, where: (
        two.run(todo) if where == "processes" else here(todo, settings, where=where)))
    monkeypatch.setattr(module, "ROWS_OF_A_TASK", dict.fromkeys(module.ROWS_OF_A_TASK, 15))
    found = []
    for place, workers in (("here", 1), ("processes", 2)):
        lake = Lake.open(str(tmp_path / place), quick_settings(dask_workers=workers, timeout_seconds=60))
        rows = [f"{source}/{n:02}" for source in ("x", "y") for n in range(20)]
        put(lake, "dos", [dos_row(row, states=GOOD * (1 - int(row[-2:]) / 100)) for row in rows])
        put(lake, "calculations", [
            calculation(row, "BN" if row[0] == "x" else None, species_at_sites=["B", "N"],
                        lattice_vectors_angstrom=(np.eye(3) * (2 + int(row[-2:]) / 10)).tolist(),
                        fractional_positions=[[0, 0, 0], [0.5, 0.5, int(row[-2:]) / 40]])
            for row in rows
        ])
        result = build(lake, grid, place=place)
        assert counts(result) == (40, 0, 0)
        found.append((fingerprints(lake, result.grid_id), result.set_aside))
    assert found[0] == found[1]
    assert any(row["counts"] for row in found[0][0].values())


def build_slowly(root: str, seconds: float) -> None:
    """Build in a process of its own, with a pause after every batch of a few rows."""
    real = inputs.batches

    def slow(lake: Lake, made_by: inputs.Recipe, files: object, wanted: object, _bytes: int) -> object:
        for batch in real(lake, made_by, files, wanted, 50_000):  # type: ignore[arg-type]
            yield batch
            time.sleep(seconds)

    inputs.batches = slow  # type: ignore[assignment]
    build(Lake.open(root, quick_settings()))


@pytest.mark.slow
def test_a_killed_build_goes_on_where_it_was(lake: Lake) -> None:
    put(lake, "dos", [dos_row(f"x/{n:03}", states=GOOD * (1 - n / 1000)) for n in range(100)])
    process = multiprocessing.get_context("spawn").Process(target=build_slowly, args=(lake.root.uri, 0.2))
    process.start()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and lake.read("fingerprints", ["total"]).num_rows < 10:
        time.sleep(0.05)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    there = lake.read("fingerprints", ["total"]).num_rows
    assert 10 <= there < 100
    result = build(lake)
    assert counts(result) == (100 - there, 0, there)
    resumed = fingerprints(lake, "dos-reference")
    lake.replace("fingerprints", lake.read("fingerprints").slice(0, 0), {"grid_id": "dos-reference"})
    build(lake)
    assert fingerprints(lake, "dos-reference") == resumed


@pytest.mark.slow
def test_two_at_once_make_every_row_once(lake: Lake) -> None:
    put(lake, "dos", [dos_row(f"x/{n:03}") for n in range(60)])
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=build_slowly, args=(lake.root.uri, 0.02)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(180)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(fingerprints(lake, "dos-reference")) == 60
    assert counts(build(lake)) == (0, 0, 60)
