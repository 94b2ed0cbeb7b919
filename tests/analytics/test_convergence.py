"""Convergence of a material in a lake: hand-made settings, and the shipped series of h-BN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pytest
from report_lakes import calculation, fill, settings
from similar_lakes import GRID, fingerprint, put_fingerprints, put_material

from analytics.convergence import convergence
from analytics.convergence.convergence import convergence_of
from analytics.convergence.pair import pair_detail
from lake.errors import InputError, SettingsError
from lake.store.lake import Lake
from lake.tables import TABLES

SAMPLES = Path(__file__).parents[2] / "samples/nomad/archive-h-BN"


def put_dos(lake, ids, spectra):
    rows = [
        {"calculation_id": i, "source": i.split("/")[0], "source_id": i.split("/")[1], "energies_ev": e.tolist(),
         "states_per_ev_per_atom": s.tolist(), "reference_level": "vbm_reported", "record_sha256": [("t", i)],
         "fetched_at": None}
        for i, (e, s) in zip(ids, spectra, strict=True)
    ]
    from report_lakes import NOW

    return fill(lake, "dos", [row | {"fetched_at": NOW} for row in rows])


def counted(lake, grid_name="REFERENCE"):
    """Fingerprints of all densities of a lake, by the functions that fingerprints are made with."""
    from analytics.fingerprints import grid as grids
    from analytics.fingerprints.histogram import dos_counts
    from analytics.fingerprints.profiles import Profiles

    grid = getattr(grids, grid_name)
    profiles = Profiles.of_table(lake.read("dos"))
    counts, starts, stops = dos_counts(profiles, grid)
    rows = [
        fingerprint(name, counts[i], grid_id=grid.grid_id, start_interval=int(starts[i]), stop_interval=int(stops[i]))
        for i, name in enumerate(profiles.ids)
    ]
    table = pa.Table.from_pylist(rows, schema=TABLES["fingerprints"].schema)
    lake.replace("fingerprints", table, {"grid_id": grid.grid_id})
    return lake


@pytest.fixture(scope="module")
def boron_nitride(tmp_path_factory):
    """The shipped series, ingested and fingerprinted."""
    from lake.ingest.run import ingest

    lake = Lake.open(str(tmp_path_factory.mktemp("h-bn") / "lake"), settings())
    ingest(lake, "nomad", saved=[str(SAMPLES)])
    return counted(counted(lake), "PAPER")


@pytest.fixture(scope="module")
def study(boron_nitride):
    return convergence_of(boron_nitride, "BN_194", "dos-reference")


def test_the_series_is_sorted_into_blocks_of_functional_and_k_points(study):
    assert len(study.ids) == 112
    by_functional, by_mesh, by_kind = study.blocks
    assert [run.words for run in by_functional.runs] == [("lda",), ("pbe",)]
    meshes = ["4×4×2", "6×6×2", "8×8×4", "12×12×4"]
    assert [run.words for run in by_mesh.runs] == [(f, k) for f in ("lda", "pbe") for k in meshes]
    assert {run.stop - run.start for run in by_mesh.runs} == {14}
    assert {run.stop - run.start for run in by_kind.runs} == {6, 8}
    # Blocks of one mesh stand out, the more the denser it is, and again beside the other functional.
    for functional in range(2):
        within = [by_mesh.runs[4 * functional + mesh].within for mesh in range(4)]
        assert within == sorted(within)
    between = by_mesh.between
    for a in range(8):
        for b in range(8):
            if a % 4 != b % 4:
                assert between[a, b] < min(between[a, a], between[a, (a + 4) % 8])


def test_k_points_matter_most_then_the_basis_then_the_functional(study):
    assert [e.setting for e in study.effects] == ["k_points", "basis_kind", "basis_size", "functional", "tier"]
    assert {e.method for e in study.effects} == {"one at a time"}
    # One calculation of each of the 14 bases and 2 tiers, 4 meshes and 2 functionals: pairs that differ in one.
    assert {e.setting: e.n_pairs for e in study.effects} == {
        "k_points": 6 * 2 * 7 * 2, "functional": 4 * 7 * 2, "tier": 4 * 7 * 2, "basis_kind": 3 * 4 * 4 * 2 * 2,
        "basis_size": (3 + 6) * 4 * 2 * 2,
    }
    distance = {e.setting: e.distance for e in study.effects}
    assert distance["k_points"] == pytest.approx(0.657, abs=0.01)
    assert distance["functional"] == pytest.approx(0.129, abs=0.01)
    assert all(e.low < e.distance < e.high for e in study.effects)
    assert all(e.aligned_distance <= e.distance for e in study.effects)


def test_only_the_cutoff_comes_near_to_convergence(boron_nitride, study):
    assert {s.status for s in study.series} == {"not reached"}
    assert len(study.series) == 8
    lower = convergence_of(boron_nitride, "BN_194", "dos-reference", level=0.85)
    reached = {(s.functional, s.basis_kind, s.setting): s.at for s in lower.series if s.status == "reached"}
    assert reached == {(f, "plane waves", "basis_size"): "450 eV" for f in ("lda", "pbe")}


def test_the_farther_the_settings_the_less_similar(study):
    found = {(b.functional, b.k_points, b.basis): b for b in study.differences}
    assert sum(b.n_pairs for b in study.differences) == 112 * 111 // 2
    assert found["same", "same", "same"].similarity > found["other", "same", "same"].similarity
    meshes = [found["same", k, "same"].similarity for k in ("same", "up to √2", "√2 to 2")]
    bases = [found["same", "same", b].similarity for b in ("same", "up to √2", "√2 to 2", "above 2")]
    assert meshes == sorted(meshes, reverse=True)
    assert bases == sorted(bases, reverse=True)


def test_the_same_on_the_grid_of_the_paper(boron_nitride, study):
    found = convergence_of(boron_nitride, "B2N2_194", "dos-paper")
    assert [e.setting for e in found.effects] == [e.setting for e in study.effects]
    assert found.ids == study.ids


def test_the_document_is_complete_and_plain_json(study):
    document = orjson.loads(orjson.dumps(study.document()))
    assert document["n_calculations"] == len(document["similarity"]) == len(document["shifts_ev"]) == 112
    assert document["calculations"][0]["calculation_id"] == study.ids[0]
    assert document["calculations"][0]["words"]["k_points"] == "4×4×2"
    assert [len(b["runs"]) for b in document["blocks"]] == [2, 8, 16]
    assert document["effects"][0]["setting"] == "k_points"
    assert len(document["convergence"]) == 8


def test_the_same_again_gives_the_same(boron_nitride, study):
    assert convergence_of(boron_nitride, "BN_194", "dos-reference").document() == study.document()


def test_a_pair_in_detail_is_what_the_matrix_says(boron_nitride, study):
    left, right = study.ids[0], study.ids[60]
    pair = pair_detail(boron_nitride, left, right, "dos-reference")
    assert pair.similarity == study.similarity[0, 60] == pair.overlap.sum() / pair.union.sum()
    assert pair.aligned == study.aligned[0, 60]
    assert abs(pair.shift_ev) == abs(study.shifts_ev[0, 60])
    assert len(pair.edges_ev) == len(pair.overlap) + 1 == 145
    assert (pair.overlap <= pair.union).all()
    assert len(pair.left_spectrum[0]) == len(pair.left_spectrum[1]) > 100
    assert pair.left_settings["calculation_id"] == left
    document = orjson.loads(orjson.dumps(pair.document()))
    assert document["right"]["counts"] == pair.right_counts.tolist()
    assert pair_detail(boron_nitride, left, left, "dos-reference").similarity == 1.0


# Materials that the shipped records do not show

def test_two_databases_that_state_different_settings(lake):
    generator = np.random.default_rng(0)
    energies = np.linspace(-12, 8, 401)
    rows = [
        {"code": "vasp", "cutoff_ev": 520.0, "basis_set": "plane waves", "xc_functional": "pbe"},
        {"code": "vasp", "k_point_density_angstrom": 30.0, "hubbard_u_ev": [("Na", 1.0)]},
        {"code": "fhi-aims", "n_basis_functions": 80, "settings_tier": "tight", "n_k_points": 64},
        {},
    ]
    put_material(lake, rows, [None] * 4)
    ids = [f"x/{n:04}" for n in range(4)]
    put_dos(lake, ids, [(energies, generator.random(401)) for _ in ids])
    found = convergence_of(counted(lake), "ClNa_225", GRID)
    assert len(found.ids) == 4
    assert sum(b.n_pairs for b in found.differences) == 6
    assert {s.status for s in found.series} == {"no series"}
    assert orjson.dumps(found.document())


def test_one_calculation_has_nothing_to_differ_from(lake):
    put_material(lake, [{}], [np.ones(144, int)])
    put_dos(lake, ["x/0000"], [(np.linspace(-12, 8, 401), np.ones(401))])
    found = convergence_of(lake, "ClNa_225", GRID)
    assert (found.differences, found.effects) == ((), ())
    assert found.blocks[0].runs[0].within is None
    assert found.document()["blocks"][0]["between"] == [[None]]


def test_a_grid_that_is_not_of_densities_of_states_is_compared_without_alignment(lake):
    grid = {"grid_id": "composition-x", "kind": "composition", "parameters_json": "{}", "n_counts": 3, "levels": 9}
    lake.upsert("grids", pa.Table.from_pylist([grid], schema=TABLES["grids"].schema))
    rows = [calculation("x", str(n), {"Na": 1}) for n in range(2)]
    fill(lake, "calculations", rows)
    put_fingerprints(lake, [
        fingerprint(f"x/{n}", [n + 1, 1, 0], grid_id="composition-x", kind="composition", input_sha256=str(n))
        for n in range(2)
    ])
    found = convergence_of(lake, "Na_225", "composition-x")
    assert (found.aligned, found.similarity[0, 1]) == (None, 2 / 3)
    pair = pair_detail(lake, "x/0", "x/1", "composition-x")
    assert (pair.similarity, pair.aligned, pair.edges_ev, pair.left_spectrum) == (2 / 3, None, None, None)
    assert pair.union.tolist() == [2, 1, 0]


def test_what_cannot_be_studied_is_said(lake, monkeypatch):
    put_material(lake, [{}, {}], [None, np.ones(144, int)])
    fill(lake, "calculations", [calculation("x", "k", {"K": 1})])
    with pytest.raises(InputError, match=r"1 calculations of K_225 .*1 no_dos.*matlake fingerprint"):
        convergence_of(lake, "K_225", GRID)
    with pytest.raises(SettingsError, match="--level 2"):
        convergence_of(lake, "ClNa_225", GRID, level=2.0)
    with pytest.raises(InputError, match="no_reference_level"):
        pair_detail(lake, "x/0000", "x/0001", GRID)
    with pytest.raises(InputError, match=r"no calculation 'x/1'.*x/0001"):
        pair_detail(lake, "x/1", "x/0001", GRID)
    with pytest.raises(InputError, match="matlake fingerprint"):
        pair_detail(lake, "x/0001", "x/k", GRID)
    monkeypatch.setattr(convergence, "MOST_CALCULATIONS", 0)
    with pytest.raises(InputError, match="up to 0 are studied"):
        convergence_of(lake, "ClNa_225", GRID)
