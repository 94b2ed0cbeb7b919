"""Densities of states: the zero of energy, units, spins, and what is refused; AFLOW's two forms agree."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.sources import find
from lake.sources.aflow.texts import decode
from lake.sources.base import Context
from lake.sources.batch import Batch
from lake.sources.dos import dos_columns
from lake.sources.values import BadValueError
from lake.tables import TABLES
from tests.conftest import examples

ENTRY = Path(__file__).parent.parent / "data" / "aflow" / "entry"
GRID = np.arange(-10.0, 10.0, 0.01)


def insulator(vbm=1.0, cbm=3.0):
    return np.where((vbm + 1e-9 < GRID) & (cbm - 1e-9 > GRID), 0.0, 4.0)


def dosdata():
    packed = (ENTRY / "Ag1Co1O2_ICSD_246157_dosdata.json.xz").read_bytes()
    return orjson.loads(lzma.decompress(packed)) | {"auid": "aflow:fbc2cf03b9659c90"}


def doscar():
    return decode(lzma.decompress((ENTRY / "DOSCAR.static.xz").read_bytes()))["doscar"]


def normalised(kind, *records, origin=""):
    batch = Batch(list(records), "dos")
    find("aflow").normalise(batch, kind, Context({}, origin))
    return batch


@pytest.mark.parametrize("fermi", [1.0, 1.004, 1.5, 2.0, 2.5, 2.98])
def test_the_zero_is_the_highest_state_below_the_fermi_level_wherever_in_the_gap_that_lies(fermi):
    columns = dos_columns(GRID, insulator(), n_atoms=2, fermi_ev=fermi)
    assert columns["reference_level"] == "vbm_from_dos"
    assert columns["reference_energy_ev"] == pytest.approx(1.0)
    assert columns["fermi_energy_ev"] == pytest.approx(fermi - 1.0)
    assert max(columns["states_per_ev_per_atom"]) == 2.0
    assert columns["energy_min_ev"] == pytest.approx(-11.0)
    assert columns["energy_step_ev"] == pytest.approx(0.01)


def test_a_fermi_level_printed_just_inside_a_band_still_means_the_gap():
    for fermi in (0.985, 3.015):
        columns = dos_columns(GRID, insulator(), n_atoms=1, fermi_ev=fermi)
        assert columns["reference_level"] == "vbm_from_dos"
        assert columns["reference_energy_ev"] == pytest.approx(1.0)


def test_of_a_metal_the_zero_is_the_fermi_level():
    for density in (np.ones_like(GRID), insulator(vbm=5.0, cbm=7.0)):
        columns = dos_columns(GRID, density, n_atoms=1, fermi_ev=2.0)
        assert (columns["reference_level"], columns["reference_energy_ev"]) == ("fermi", 2.0)


def test_one_empty_point_makes_no_insulator():
    density = np.ones_like(GRID)
    density[np.searchsorted(GRID, 2.0)] = 0.0
    assert dos_columns(GRID, density, n_atoms=1, fermi_ev=2.0)["reference_level"] == "fermi"


def test_a_reported_band_edge_wins_if_it_lies_on_the_grid():
    columns = dos_columns(GRID, insulator(), n_atoms=1, fermi_ev=2.0, vbm_ev=0.97)
    assert (columns["reference_level"], columns["reference_energy_ev"]) == ("vbm_reported", 0.97)
    columns = dos_columns(GRID, insulator(), n_atoms=1, fermi_ev=2.0, vbm_ev=-400.0)
    assert columns["reference_level"] == "vbm_from_dos"
    assert dos_columns(GRID, insulator(), n_atoms=1, fermi_ev=None, vbm_ev=1.0)["fermi_energy_ev"] is None


def test_spins_are_kept_and_summed_and_a_half_metal_is_a_metal():
    columns = dos_columns(GRID, insulator(), np.ones_like(GRID), n_atoms=2, fermi_ev=2.0)
    assert columns["spin_polarized"] is True
    assert columns["reference_level"] == "fermi"
    total = np.array(columns["states_per_ev_per_atom"])
    spins = (columns["spin_up_states_per_ev_per_atom"], columns["spin_down_states_per_ev_per_atom"])
    assert np.allclose(total, np.array(spins[0]) + np.array(spins[1]))


def test_small_negative_densities_of_smearing_become_zero():
    density = insulator()
    density[5] = -0.01
    assert min(dos_columns(GRID, density, n_atoms=1, fermi_ev=2.0)["states_per_ev_per_atom"]) == 0.0


@pytest.mark.parametrize(("changes", "message"), [
    ({"energies_ev": []}, "0 points"),
    ({"energies_ev": GRID[::-1]}, "not ascending"),
    ({"energies_ev": GRID[:-1]}, "values for"),
    ({"energies_ev": [0.0, "x"]}, "no list of numbers"),
    ({"energies_ev": None}, "no list of numbers"),
    ({"spin_up": np.full_like(GRID, np.nan)}, "not finite"),
    ({"spin_up": -insulator()}, "negative"),
    ({"spin_up": np.zeros_like(GRID)}, "zero everywhere"),
    ({"spin_up": np.zeros((len(GRID), 2))}, "shape"),
    ({"n_atoms": 0}, "n_atoms"),
    ({"n_atoms": True}, "n_atoms"),
    ({"fermi_ev": 50.0}, "off the grid"),
    ({"fermi_ev": None}, "neither a Fermi level"),
    ({"fermi_ev": "x"}, "no number"),
    ({"fermi_ev": -9.999, "spin_up": insulator() * (GRID > 0)}, "no states at or below"),
])
def test_what_is_no_density_is_refused_with_a_reason(changes, message):
    given = {"energies_ev": GRID, "spin_up": insulator(), "n_atoms": 1, "fermi_ev": 2.0} | changes
    with pytest.raises(BadValueError, match=message):
        dos_columns(**given)


@settings(max_examples=examples(60), deadline=None)
@given(shift=st.floats(-100, 100), atoms=st.integers(1, 50), fermi=st.floats(1.05, 2.95))
def test_the_result_depends_neither_on_the_absolute_scale_nor_on_the_cell(shift, atoms, fermi):
    plain = dos_columns(GRID, insulator(), n_atoms=1, fermi_ev=2.0)
    moved = dos_columns(GRID + shift, insulator() * atoms, n_atoms=atoms, fermi_ev=fermi + shift)
    assert np.allclose(moved["energies_ev"], plain["energies_ev"], atol=1e-9)
    assert np.allclose(moved["states_per_ev_per_atom"], plain["states_per_ev_per_atom"])
    assert moved["reference_energy_ev"] == pytest.approx(plain["reference_energy_ev"] + shift, abs=1e-9)


def test_dosdata_and_doscar_of_one_entry_agree():
    left, right = normalised("dosdata", dosdata()), normalised("doscar", doscar())
    assert not left.rejects
    assert not right.rejects
    for name in TABLES["dos"].by_name:
        a, b = left.column(name)[0], right.column(name)[0]
        if isinstance(a, list):
            assert np.allclose(a, b, atol=1e-3)
        elif isinstance(a, float):
            assert a == pytest.approx(b, abs=1e-4)
        else:
            assert a == b
    assert left.column("n_atoms") == [8]
    assert left.column("reference_energy_ev")[0] == pytest.approx(1.911, abs=0.001)
    # all 172 states of the cell, hence 172 / 8 per atom, are on the grid
    integral = np.trapezoid(left.column("states_per_ev_per_atom")[0], left.column("energies_ev")[0])
    assert integral == pytest.approx(172 / 8, rel=1e-3)


def test_spin_channels_of_dosdata_are_taken_also_mirrored():
    record = dosdata()
    half = [v / 2 for v in record["tDOS_data"]["tDOS"]]
    for minority in (half, [-v for v in half]):
        data = {"energy": record["tDOS_data"]["energy"], "spin_majority": half, "spin_minority": minority}
        batch = normalised("dosdata", record | {"tDOS_data": data})
        assert batch.column("spin_polarized") == [True]
        plain = normalised("dosdata", record).column("states_per_ev_per_atom")[0]
        assert np.allclose(batch.column("states_per_ev_per_atom")[0], plain)


def test_a_live_density_links_to_its_entry():
    origin = "https://aflowlib.duke.edu/AFLOWDATA/ICSD_WEB/HEX/X/X_dosdata.json.xz#aflow:fbc2cf03b9659c90"
    batch = normalised("dosdata", dosdata(), origin=origin)
    assert batch.column("source_url") == ["https://aflowlib.duke.edu/AFLOWDATA/ICSD_WEB/HEX/X"]


@pytest.mark.parametrize("change", [
    {"tDOS_data": None}, {"tDOS_data": {}}, {"tDOS_data": {"energy": [1, 2], "tDOS": "x"}}, {"Efermi": "x"},
    {"composition": None}, {"composition": [0.5]}, {"composition": ["x"]}, {"tDOS_data": {"energy": [1], "tDOS": [1]}},
    {"tDOS_data": {"energy": [1e400, 2], "tDOS": [1, 2]}}, {"tDOS_data": {"energy": [[1], 2], "tDOS": [1, 2]}},
])
def test_a_broken_density_is_rejected_and_harms_no_other(change):
    batch = normalised("dosdata", dosdata() | change, dosdata())
    assert set(batch.rejects) == {0}
    assert batch.rejects[0].reason == "bad_dos"
    assert batch.column("n_atoms")[1] == 8


def test_a_cut_doscar_is_rejected():
    record = doscar()
    record["columns"] = [column[:100] for column in record["columns"]]
    assert "cut" in normalised("doscar", record).rejects[0].message
