"""Whatever stands where a structure should: a reject with a reason, in bounded time, and nobody else's."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from known_crystals import real_structures, textbook

from lake.crystal import symmetry
from lake.crystal.columns import add_structure_columns
from lake.crystal.symmetry import space_group
from lake.sources.batch import Batch
from tests.conftest import examples

CUBE = [[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]]
GOOD = (CUBE, [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]], ["Cs", "Cl"])
NAMES = ("lattice_vectors_angstrom", "fractional_positions", "species_at_sites")


def derive(*structures: tuple[Any, Any, Any]) -> Batch:
    batch = Batch([{} for _ in structures])
    for name, column in zip(NAMES, zip(*structures, strict=True), strict=True):
        batch.set(name, column)
    add_structure_columns(batch)
    return batch


BAD = {
    "lattice text": ("abc", *GOOD[1:]),
    "lattice number": (3, *GOOD[1:]),
    "lattice empty": ([], *GOOD[1:]),
    "lattice null, positions given": (None, *GOOD[1:]),
    "two vectors": (CUBE[:2], *GOOD[1:]),
    "ragged": ([[1, 0, 0], [0, 1], [0, 0, 1]], *GOOD[1:]),
    "flat list": ([1, 2, 3], *GOOD[1:]),
    "nested null": ([[4, 0, None], *CUBE[1:]], *GOOD[1:]),
    "dict": ({"a": [1, 0, 0]}, *GOOD[1:]),
    "list of dicts": ([{"x": 1}] * 3, *GOOD[1:]),
    "nan": ([[float("nan"), 0, 0], *CUBE[1:]], *GOOD[1:]),
    "infinite": ([[float("inf"), 0, 0], *CUBE[1:]], *GOOD[1:]),
    "huge": ([[1e300, 0, 0], [0, 1e300, 0], [0, 0, 1e300]], *GOOD[1:]),
    "beyond doubles": ([[10**400, 0, 0], *CUBE[1:]], *GOOD[1:]),
    "singular": ([[1, 0, 0], [2, 0, 0], [0, 0, 1]], *GOOD[1:]),
    "singular but for rounding": ([[1e6, 1, 0], [1e6, 1, 1e-7], [0, 0, 3]], *GOOD[1:]),
    "zero": ([[0] * 3] * 3, *GOOD[1:]),
    "tiny": ([[1e-5, 0, 0], [0, 1e-5, 0], [0, 0, 1e-5]], *GOOD[1:]),
    "no positions": (CUBE, [], []),
    "null positions": (CUBE, None, ["Cs"]),
    "text position": (CUBE, ["000", "555"], GOOD[2]),
    "position of two": (CUBE, [[0, 0], [1, 1]], GOOD[2]),
    "position nan": (CUBE, [[0, 0, float("nan")], [0, 0, 0]], GOOD[2]),
    "position huge": (CUBE, [[0, 0, 1e12], [0, 0, 0]], GOOD[2]),
    "fewer species": (*GOOD[:2], ["Cs"]),
    "species text": (*GOOD[:2], "CsCl"),
    "species null": (*GOOD[:2], None),
    "species nulls": (*GOOD[:2], ["Cs", None]),
    "species lists": (*GOOD[:2], [["Cs"], ["Cl"]]),
    "unknown element": (*GOOD[:2], ["Cs", "Xx"]),
    "long element": (*GOOD[:2], ["Cs", "x" * 10_000_000]),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_structure_is_rejected_alone(case: str) -> None:
    batch = derive(GOOD, BAD[case], GOOD)
    assert set(batch.rejects) == {1}
    assert batch.rejects[1].reason == "bad_structure"
    assert 10 < len(batch.rejects[1].message) < 300
    assert batch.column("cell_key") == ["ClCs_221", None, "ClCs_221"]
    assert batch.column("fractional_positions")[1] is None


def test_all_kinds_of_bad_at_once() -> None:
    batch = derive(*BAD.values(), GOOD)
    assert sorted(batch.rejects) == list(range(len(BAD)))
    assert batch.column("cell_key")[-1] == "ClCs_221"


def test_no_structure_is_no_reject() -> None:
    batch = Batch([{}, {}])
    batch.set("formula_reduced", ["ClCs", None])
    add_structure_columns(batch)
    assert batch.rejects == {}
    assert batch.column("formula_reduced") == ["ClCs", None]
    assert batch.column("cell_key") == [None, None]


def test_an_empty_batch_stays_empty() -> None:
    batch = Batch([])
    add_structure_columns(batch)
    assert len(batch) == 0


def test_records_rejected_before_are_left_alone() -> None:
    batch = Batch([{}, {}])
    for name, value in zip(NAMES, GOOD, strict=True):
        batch.set(name, [value, value])
    batch.reject(0, "bad_value", "band_gap_ev: 'x' is no number")
    add_structure_columns(batch)
    assert batch.rejects[0].reason == "bad_value"
    assert batch.column("cell_key") == [None, "ClCs_221"]


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just("Cs")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=8,
)
matrices = st.lists(st.lists(st.one_of(st.floats(), st.floats(-9, 9), st.integers(-9, 9)), min_size=3, max_size=3),
                    min_size=1, max_size=4)
parts = st.tuples(
    st.one_of(anything, matrices, st.just(CUBE)), st.one_of(anything, matrices, st.just(GOOD[1])),
    st.one_of(anything, st.lists(st.sampled_from(["Cs", "Cl", "Xx"]), max_size=4), st.just(GOOD[2])),
)


@settings(derandomize=True, max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(parts, max_size=4))
def test_anything_at_all_is_a_row_or_a_reject(structures: list[tuple[Any, Any, Any]]) -> None:
    batch = derive(GOOD, *structures)
    assert batch.column("cell_key")[0] == "ClCs_221"
    for index in range(len(batch)):
        volume = batch.column("volume_angstrom3_per_atom")[index]
        assert (index in batch.rejects) <= (volume is None)
        assert volume is None or np.isfinite(volume)


def seconds(*cell: Any) -> tuple[int | None, float]:
    start = time.process_time()
    return space_group(*cell), time.process_time() - start


def supercell(times: int, noise_angstrom: float) -> tuple[Any, Any, list[int]]:
    structure = textbook()["rocksalt"][0] * [times, times, times]
    positions = structure.cart_coords + np.random.default_rng(0).normal(size=(len(structure), 3)) * noise_angstrom
    return (structure.lattice.matrix, structure.lattice.get_fractional_coords(positions),
            list(structure.atomic_numbers))


def test_overlapping_atoms_have_no_space_group_and_cost_no_minutes() -> None:
    rng = np.random.default_rng(1)
    for n_sites in (2, 50, 500, 5000):
        box = np.eye(3) * (15 * n_sites) ** (1 / 3)
        places = rng.random((n_sites // 2, 3))
        for positions in (np.zeros((n_sites, 3)), np.concatenate([places, places])):
            found, took = seconds(box, positions, [29] * n_sites)
            assert found is None
            assert took < 10


def test_atoms_that_overlap_across_the_cell_boundary_are_seen() -> None:
    lattice, positions, numbers = supercell(3, 0.0)
    assert space_group(lattice, positions, numbers) == 225
    image = positions[0] + np.array([1e-4, 0, -1e-4]) + [0, 2, -1]
    assert symmetry._overlap(np.asarray(lattice), np.concatenate([positions, [image]]) % 1.0)
    assert not symmetry._overlap(np.asarray(lattice), positions % 1.0)


def test_large_cells_are_answered_or_left_out_in_bounded_time() -> None:
    found, took = seconds(*supercell(4, 0.0))
    assert (found, took < 10) == (225, True)
    found, took = seconds(*supercell(10, 0.03))
    assert found is None
    assert took < 10
    rng = np.random.default_rng(2)
    found, took = seconds(np.eye(3) * 50, rng.random((10_000, 3)), rng.integers(1, 60, 10_000))
    assert took < 20


def test_skewed_and_flat_cells_do_not_hang() -> None:
    for size in (1e1, 1e3, 1e5):
        for lattice in ([[3, 0, 0], [size, 3, 0], [size, size / 2, 3]], [[3, 0, 0], [0, 3, 0], [0, 0, size]],
                        [[size, 0, 0], [0, size, 0], [0, 0, 0.01]], np.eye(3) * size, np.eye(3) / size):
            assert seconds(lattice, [[0, 0, 0], [0.3, 0.2, 0.1]], [29, 8])[1] < 2


def test_a_panic_in_the_library_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    import moyopy

    class Panic(BaseException):
        pass

    def fail(*args: object, **kwargs: object) -> None:
        raise Panic

    monkeypatch.setattr(moyopy, "MoyoDataset", fail)
    assert space_group(*supercell(1, 0.0)) is None


def test_moyo_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    code = (
        "import logging, sys; logging.basicConfig(level=0, stream=sys.stdout)\n"
        "from lake.crystal.symmetry import space_group\n"
        "assert space_group([[8.,0,0],[0,4,0],[0,0,4]], [[0,0,0],[.5,0,0]], [29,29]) == 221\n"
        "assert space_group([[4.,0,0],[0,4,0],[0,0,4]], [[0,0,0],[0,0,0]], [29,29]) is None\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "moyo" not in done.stdout + done.stderr
    with caplog.at_level(logging.DEBUG):
        space_group(*supercell(1, 0.0))
    assert caplog.records == []


def test_the_columns_cost_little_beside_the_symmetry_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks, formulas and keys of a page of 1,000 records: well under 0.1 s without the search itself."""
    structures = [(s.lattice.matrix.tolist(), s.frac_coords.tolist(), [site.specie.symbol for site in s])
                  for s in real_structures()]
    page = [structures[i % len(structures)] for i in range(1000)]
    monkeypatch.setattr(symmetry, "_ask_moyo", lambda *cell: 1)
    best = min(_cpu_seconds(page) for _ in range(5))
    assert best < 0.3


def _cpu_seconds(page: list[tuple[Any, Any, Any]]) -> float:
    start = time.process_time()
    derive(*page)
    return time.process_time() - start
