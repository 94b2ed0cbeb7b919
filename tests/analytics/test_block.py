"""The dense block of one material."""

from __future__ import annotations

import numpy as np
import pytest
from report_lakes import NOW, calculation, fill
from similar_lakes import GRID, fingerprint, put_fingerprints, put_material

from analytics.similarity import block as block_module
from analytics.similarity import members
from analytics.similarity.block import block_of
from lake.errors import InputError


def tanimoto(a, b):
    return float(np.minimum(a, b).sum() / np.maximum(a, b).sum()) if np.maximum(a, b).sum() else 0.0


def test_the_block_holds_every_pair_in_the_order_of_the_ids(lake):
    generator = np.random.default_rng(0)
    counts = [generator.integers(0, 57, 144) for _ in range(6)]
    counts[4] = np.zeros(144, int)
    put_material(lake, [{"xc_functional": f} for f in ("pbe", "lda", None, "pbe", "pbe", "pbe")], counts)
    block = block_of(lake, "ClNa_225", GRID, aligned=False)
    assert block.ids == [f"x/{n:04}" for n in range(6)]
    assert block.settings["xc_functional"].to_pylist() == ["pbe", "lda", None, "pbe", "pbe", "pbe"]
    expected = [[tanimoto(a, b) for b in counts] for a in counts]
    np.testing.assert_array_equal(block.similarity, expected)
    assert block.aligned is None
    assert block.shifts_ev is None


def test_members_without_fingerprint_are_set_aside_with_a_reason(lake):
    put_material(lake, [{}, {}], [np.ones(144, int), None])
    fill(lake, "calculations", [calculation("y", "1", {"Cl": 1, "Na": 1}), calculation("y", "2", {"K": 1})])
    block = block_of(lake, "ClNa_225", GRID, aligned=False)
    assert block.ids == ["x/0000"]
    assert block.set_aside.select(["calculation_id", "reason"]).to_pylist() == [
        {"calculation_id": "x/0001", "reason": "no_reference_level"}, {"calculation_id": "y/1", "reason": "no_dos"},
    ]


def test_a_fingerprint_of_another_grid_does_not_count(lake):
    put_material(lake, [{}], [None])
    put_fingerprints(lake, [fingerprint("x/0000", [1, 2], grid_id="composition")])
    assert block_of(lake, "ClNa_225", GRID).ids == []
    assert block_of(lake, "ClNa_225", GRID).similarity.shape == (0, 0)
    assert block_of(lake, "ClNa_225", "composition", aligned=False).similarity.tolist() == [[1.0]]


def test_both_kinds_of_key_find_a_material(lake):
    rows = [
        calculation("x", "1", {"Cl": 1, "Na": 1}, cell_key="Cl4Na4_225"),
        calculation("x", "2", {"Cl": 1, "Na": 1}),
    ]
    fill(lake, "calculations", rows)
    put_fingerprints(lake, [fingerprint(row["calculation_id"], np.ones(144, int)) for row in rows])
    assert block_of(lake, "ClNa_225", GRID, aligned=False).ids == ["x/1", "x/2"]
    assert block_of(lake, "Cl4Na4_225", GRID, aligned=False).ids == ["x/1"]


def test_windows_that_differ_are_compared_where_both_cover(lake):
    put_material(lake, [{}, {}], [None, None])
    put_fingerprints(lake, [
        fingerprint("x/0000", [4, 4, 4, 0], stop_interval=3, input_sha256="a"),
        fingerprint("x/0001", [0, 4, 2, 9], start_interval=1, input_sha256="b"),
    ])
    assert block_of(lake, "ClNa_225", GRID, aligned=False).similarity[0, 1] == 6 / 8


@pytest.mark.parametrize("key", ["NaCl_225", "ClNa_22", "clna_225", "any", ""])
def test_an_unknown_key_names_close_ones(lake, key):
    put_material(lake, [{}], [np.ones(144, int)])
    with pytest.raises(InputError, match="ClNa_225"):
        block_of(lake, key, GRID)


def put_densities(lake, n):
    """Calculations with densities that differ by a shift of 0.02 eV each, and fingerprints of zeros."""
    put_material(lake, [{}] * n, [np.ones(144, int)] * n)
    energies = np.linspace(-12, 8, 801)
    fill(lake, "dos", [
        {"calculation_id": f"x/{i:04}", "source": "x", "source_id": f"{i:04}", "energies_ev": energies.tolist(),
         "states_per_ev_per_atom": (2 + np.sin(5 * (energies - 0.02 * i))).tolist(),
         "reference_level": "vbm_reported", "record_sha256": [("test", str(i))], "fetched_at": NOW}
        for i in range(n)
    ])


def test_aligned_coefficients_undo_a_shift_of_the_energies(any_lake, monkeypatch):
    lake = any_lake
    put_densities(lake, 4)
    block = block_of(lake, "ClNa_225", GRID)
    assert (block.aligned == block.aligned.T).all()
    assert (block.shifts_ev == -block.shifts_ev.T).all()
    # The column lies above the row by 0.02 eV for every place between them: it has to be moved down.
    assert block.shifts_ev[0].tolist() == pytest.approx([0.0, -0.02, -0.04, -0.06])
    assert block.aligned[0, 1:].min() > 0.98
    monkeypatch.setattr(block_module, "PAIRS_AT_ONCE", 2)
    in_parts = block_of(lake, "ClNa_225", GRID)
    np.testing.assert_array_equal(in_parts.aligned, block.aligned)
    np.testing.assert_array_equal(in_parts.shifts_ev, block.shifts_ev)


def test_an_empty_lake_says_so(lake):
    with pytest.raises(InputError, match="holds no calculations"):
        block_of(lake, "ClNa_225", GRID)


def test_a_block_is_bounded(lake, monkeypatch):
    monkeypatch.setattr(members, "LARGEST_BLOCK", 2)
    put_material(lake, [{}] * 3, [np.ones(144, int)] * 3)
    with pytest.raises(InputError, match="has 3 calculations"):
        block_of(lake, "ClNa_225", GRID)
