"""Aligned coefficients of all pairs of a lake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pair_lakes import GRID, listed
from report_lakes import NOW

from analytics.fingerprints.build import build
from analytics.fingerprints.grid import REFERENCE
from analytics.fingerprints.profiles import Profiles
from analytics.similarity import sorted_index, tile_profiles
from analytics.similarity.aligned import aligned_pairs
from analytics.similarity.run import all_pairs
from lake.errors import SettingsError
from lake.store.lake import Lake
from lake.tables import TABLES
from tests.conftest import quick_settings


@pytest.fixture
def densities(lake: Lake) -> tuple[list[str], list[np.ndarray], np.ndarray]:
    """A lake of 50 densities, copies of ten shapes moved and scaled a little, and their fingerprints."""
    random = np.random.default_rng(3)
    energies = np.arange(-14.0, 9.0, 0.05)
    centers = random.uniform(-10, 5, (10, 8))
    ids, states = [], []
    for k in range(50):
        shift = random.uniform(-0.12, 0.12)
        shape = np.exp(-(((energies[:, None] - centers[k % 10] - shift) / 0.5) ** 2)).sum(axis=1)
        ids.append(f"x/{(k * 37) % 50:03}")
        states.append(shape * random.uniform(0.95, 1.05))
    rows = [{
        "calculation_id": name, "source": "x", "source_id": name[2:], "energies_ev": energies.tolist(),
        "states_per_ev_per_atom": s.tolist(), "reference_level": "vbm_reported", "record_sha256": [("k", name)],
        "fetched_at": NOW, "n_atoms": 1, "energy_step_ev": 0.05, "energy_min_ev": -14.0, "energy_max_ev": 9.0,
    } for name, s in zip(ids, states, strict=True)]
    lake.upsert("dos", pa.Table.from_pylist(rows, schema=TABLES["dos"].schema))
    assert build(lake, REFERENCE).comparable == 50
    return ids, states, energies


def test_equals_the_plain_call(lake: Lake, densities: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    ids, states, energies = densities
    # Several tiles, blocks and groups, as in a large lake.
    monkeypatch.setattr(sorted_index, "SMALLEST_TILE", 16)
    monkeypatch.setattr(sorted_index, "OWN_TILE_ROWS", 8)
    monkeypatch.setattr(tile_profiles, "BATCH_ROWS", 4)
    monkeypatch.setattr(tile_profiles, "BLOCK_BYTES", 50_000)
    monkeypatch.setattr(tile_profiles, "SIDE_BYTES", 40_000)
    all_pairs(lake, GRID, 0.3, aligned=True)
    rows = lake.read("similarities").to_pylist()
    assert len(rows) > 100
    order = sorted(range(50), key=lambda k: ids[k])
    profiles = Profiles.of_arrays([energies] * 50, [states[k] for k in order], sorted(ids))
    place = {name: k for k, name in enumerate(sorted(ids))}
    left, right = ([place[row[side]] for row in rows] for side in ("left_id", "right_id"))
    values, shifts = aligned_pairs(profiles, left, right, REFERENCE, 0.1)
    assert [row["aligned_similarity"] for row in rows] == values.tolist()
    np.testing.assert_allclose([row["aligned_shift_ev"] for row in rows], shifts)
    assert any(row["aligned_shift_ev"] > 0.03 for row in rows)
    assert all(row["aligned_similarity"] >= row["similarity"] for row in rows)


def test_a_density_that_is_gone_has_no_aligned_coefficient(lake: Lake, densities: tuple) -> None:
    from lake.store.delta import delete_keys

    plain = all_pairs(lake, GRID, 0.3)
    pairs = listed(lake, "similarities")
    gone = pairs[0][0]
    delete_keys(lake.root, "dos", "x", [gone])
    assert all_pairs(lake, GRID, 0.3, aligned=True).n_pairs == plain.n_pairs
    assert listed(lake, "similarities") == pairs
    for row in lake.read("similarities").to_pylist():
        assert (row["aligned_similarity"] is None) == (gone in (row["left_id"], row["right_id"]))


def test_only_densities_can_be_shifted(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--aligned: the grid .* describes a composition"):
        all_pairs(Lake.open(str(tmp_path), quick_settings()), "composition", 0.9, aligned=True)
