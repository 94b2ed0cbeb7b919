"""AFLOW entries to rows: real records against what they say, every spelling, and spoilt ones set aside."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.crystal.columns import add_structure_columns
from lake.sources import find
from lake.sources.aflow.cells import vectors
from lake.sources.aflow.lists import listed, quantity, texts, triples
from lake.sources.aflow.normalise import entry_path
from lake.sources.aflow.settings import functional
from lake.sources.base import Context
from lake.sources.batch import Batch
from lake.sources.values import BadValueError
from tests.conftest import examples

DATA = Path(__file__).parent.parent / "data" / "aflow"
ENTRY = orjson.loads((DATA / "icsd_example.json").read_bytes())
ROWS = orjson.loads((DATA / "aflux.json").read_bytes())


def rows(*records, kind="aflux"):
    batch = Batch([copy.deepcopy(r) for r in records])
    find("aflow").normalise(batch, kind, Context({}))
    add_structure_columns(batch)
    return batch


def row(record, **changes):
    batch = rows({**record, **changes})
    assert not batch.rejects, batch.rejects
    return {name: column[0] for name, column in batch.columns.items()}


def test_a_whole_entry_gives_every_column_that_it_speaks_of():
    found = row(ENTRY)
    expected = {
        "formula_cell": "Ac2Br6", "formula_reduced": "AcBr3", "cell_key": "Ac2Br6_176", "n_sites": 8,
        "spacegroup_source": 176, "spacegroup_number": 176, "collection": "ICSD", "material_id": "icsd-31578",
        "total_energy_ev_per_atom": -4.35149, "formation_energy_ev_per_atom": -2.13553,
        "formation_energy_reference": "aflow", "formation_energy_functional": "pbe", "band_gap_ev": 4.1084,
        "band_gap_functional": "pbe", "band_gap_type": "indirect", "magnetization_mu_b_per_atom": 0.0,
        "xc_functional": "pbe", "code": "vasp", "code_version": "4.6.35", "cutoff_ev": 302.8,
        "basis_set": "plane waves", "k_grid": [10, 10, 15], "hubbard_u_ev": None, "spin_polarized": None,
        "pseudopotentials": ["Ac:PAW_PBE:06Sep2000", "Br:PAW_PBE:06Sep2000"],
        "source_url": "https://aflowlib.duke.edu/AFLOWDATA/ICSD_WEB/HEX/Ac1Br3_ICSD_31578",
    }
    assert {name: found[name] for name in expected} == expected
    assert found["k_point_density_angstrom"] == pytest.approx(15 * 4.725054)
    assert found["volume_angstrom3_per_atom"] == pytest.approx(34.7942, rel=1e-4)
    assert found["species_at_sites"] == ["Ac"] * 2 + ["Br"] * 6


def test_plus_u_is_a_map_of_effective_values_and_unknown_is_null():
    lib3 = orjson.loads((DATA / "lib3_example.json").read_bytes())
    assert dict(row(lib3)["hubbard_u_ev"]) == {"Cr": 3.5, "Ru": 3.0}
    assert dict(row(lib3, ldau_j=[0.5, 0, 1])["hubbard_u_ev"]) == {"Cr": 3.0, "Ru": 2.0}
    assert dict(row(lib3, ldau_j=None)["hubbard_u_ev"]) == {"Cr": 3.5, "Ru": 3.0}
    silent = {k: v for k, v in lib3.items() if not k.startswith("ldau")}
    assert row(silent)["hubbard_u_ev"] is None
    assert row(silent, ldau_type=None, ldau_u=None)["hubbard_u_ev"] is None
    assert row(silent, ldau_type=2)["hubbard_u_ev"] is None
    assert row(silent, ldau_type="0")["hubbard_u_ev"] == []
    assert row(silent, ldau_u=[0, 0, 0])["hubbard_u_ev"] == []
    assert dict(row(silent, ldau_TLUJ="2;2,0,2;3.5,0,3;0,0,0")["hubbard_u_ev"]) == {"Cr": 3.5, "Ru": 3.0}


def test_a_library_of_elements_names_the_functional_of_its_potentials():
    lib1 = orjson.loads((DATA / "lib1_example.json").read_bytes())
    found = row(lib1)
    assert found["xc_functional"] == "pw91"
    assert found["collection"] == "LIB1"
    assert found["source_url"].endswith("/AFLOWDATA/LIB1_RAW/Ac:PAW_GGA:11Apr2000/A1")


@pytest.mark.parametrize(("given", "name"), [
    ("PAW_PBE", "pbe"), (["PAW_PBE"], "pbe"), ("['PAW_PBE']", "pbe"), ("PAW_PBE\n", "pbe"), (["PAW_PBE"] * 2, "pbe"),
    ("PAW_PBE_KIN", "pbe"), ("PAW_GGA", "pw91"), ("GGA", "pw91"), ("US_LDA", "lda"), ("PAW_LDA_KIN", "lda"),
    ("PAW_RPBE", "rpbe"), ("HSE06", "hse06"), (["PAW_PBE", "PAW_LDA"], None), (None, None), ("", None), ([], None),
])
def test_functionals_in_all_spellings(given, name):
    assert functional(given) == name


def test_a_metagga_is_the_functional():
    assert row(ENTRY, metagga="SCAN")["xc_functional"] == "scan"
    for nothing in (None, "none", "NONE", "", "--"):
        assert row(ENTRY, metagga=nothing)["xc_functional"] == "pbe"


def test_old_replies_with_texts_give_the_same_row():
    def as_text(value):
        if isinstance(value, list):
            nested = bool(value) and isinstance(value[0], list)
            return (";" if nested else ",").join(as_text(v) if nested else str(v) for v in value) + "\n" * (not nested)
        return value if value is None else str(value)

    old = {key: as_text(value) for key, value in ENTRY.items() if key != "kpoints"}
    new = {key: value for key, value in ENTRY.items() if key != "kpoints"}
    assert row(old) == row(new)


def test_printed_python_as_in_csv_gives_the_same_row():
    printed = {k: str(v) if isinstance(v, list) else v for k, v in ENTRY.items()}
    assert row(printed) == row(ENTRY)


def test_rows_without_structure_keep_their_composition():
    batch = rows(*orjson.loads((DATA / "data0.json").read_bytes()).values())
    assert not batch.rejects
    assert batch.column("formula_cell")[0] == "BeO"
    assert batch.column("band_gap_ev")[0] == 6.8531
    assert set(batch.column("lattice_vectors_angstrom")) == {None}
    assert set(batch.column("cell_key")) == {None}


@pytest.mark.parametrize("value", [1e9, 1e12, -1e12, "1e+12", "AUROSTD_NAN", "nan", "", None, "null"])
def test_sentinels_are_null(value):
    found = row(ENTRY, Egap=value, enthalpy_formation_atom=value, enthalpy_formation_cell=value)
    assert found["band_gap_ev"] is None
    assert found["band_gap_functional"] is None
    assert found["formation_energy_ev_per_atom"] is None
    assert found["formation_energy_reference"] is None


def test_a_corrected_enthalpy_counts_only_where_the_plain_one_is_missing():
    corrected = {"enthalpy_formation_cce_300K_atom": -2.5, "enthalpy_formation_cce_0K_atom": -2.6}
    assert row(ENTRY, **corrected)["formation_energy_reference"] == "aflow"
    bare = {k: v for k, v in ENTRY.items() if not k.startswith("enthalpy_formation")}
    found = row(bare, **corrected)
    assert (found["formation_energy_ev_per_atom"], found["formation_energy_reference"]) == (-2.5, "cce_300k")
    found = row(bare, enthalpy_formation_cce_0K_cell=-8)
    assert (found["formation_energy_ev_per_atom"], found["formation_energy_reference"]) == (-1.0, "cce_0k")


@pytest.mark.parametrize(("given", "name"), [
    ("metal", "metal"), ("half-metal", "half-metal"), ("insulator_direct", "direct"),
    ("insulator-indirect", "indirect"),
    ("insulator_indirect_spin-polarized", "indirect"), ("insulator-direct_spin-polarized", "direct"), ("", None),
])
def test_gap_types(given, name):
    assert row(ENTRY, Egap_type=given)["band_gap_type"] == name


def test_primitive_cells_beside_larger_counts_of_the_same_crystal_are_taken():
    odd = next(r for r in ROWS if r["natoms"] != sum(r["composition"]))
    found = row(odd)
    assert found["n_sites"] == sum(odd["composition"])
    assert found["total_energy_ev_per_atom"] == odd["energy_atom"]
    bare = {k: v for k, v in odd.items() if k != "energy_atom"}
    assert row(bare)["total_energy_ev_per_atom"] == pytest.approx(odd["energy_atom"], rel=1e-4)


@pytest.mark.parametrize(("changes", "reason"), [
    ({"composition": [2]}, "contradictory"),
    ({"composition": [3, 5]}, "contradictory"),
    ({"composition": [1, 3], "compound": None}, "contradictory"),
    ({"species": ["Ac", "Br", "O"]}, "contradictory"),
    ({"species": ["Ac", "Ac"]}, "contradictory"),
    ({"positions_fractional": [[0, 0, 0]]}, "contradictory"),
    ({"ldau_u": [1.0]}, "contradictory"),
    ({"geometry": [1, 2, 3]}, "bad_structure"),
    ({"geometry": [5, 5, 5, 10, 10, 170]}, "bad_structure"),
    ({"geometry": [5, 5, 5, 0, 90, 90]}, "bad_structure"),
    ({"species": ["Ac", "Xx"], "compound": None}, "bad_structure"),
    ({"geometry": "x,y"}, "bad_value"),
    ({"positions_fractional": [[0, 0], [1, 1]]}, "bad_value"),
    ({"energy_atom": "abc"}, "bad_value"),
    ({"energy_atom": True}, "bad_value"),
    ({"natoms": 1.5}, "bad_value"),
    ({"Egap": [1]}, "bad_value"),
    ({"code": "x" * 10_000_000}, "bad_value"),
    ({"dft_type": {"a": 1}}, "bad_value"),
])
def test_what_contradicts_itself_or_is_no_value_is_rejected_alone(changes, reason):
    batch = rows(ENTRY, {**ENTRY, **changes}, ENTRY)
    assert set(batch.rejects) == {1}
    assert batch.rejects[1].reason == reason
    assert batch.column("cell_key")[0] == batch.column("cell_key")[2] == "Ac2Br6_176"


def test_cartesian_positions_are_used_where_their_axes_are_known():
    bare = {k: v for k, v in ENTRY.items() if k != "positions_fractional"}
    found, expected = row(bare), row(ENTRY)
    difference = np.array(found["fractional_positions"]) - np.array(expected["fractional_positions"])
    assert np.abs(difference - np.round(difference)).max() < 1e-5
    assert found["cell_key"] == expected["cell_key"]
    turned = row(bare, geometry=[8.2, 8.3, 4.7, 80, 85, 100])
    assert turned["lattice_vectors_angstrom"] is None
    assert turned["formula_cell"] == "Ac2Br6"


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.floats(1, 50), min_size=3, max_size=3), st.lists(st.floats(60, 119), min_size=3, max_size=3))
def test_vectors_have_the_lengths_and_angles_that_they_are_made_from(lengths, angles):
    cell = vectors(np.array([[*lengths, *angles]]))[0]
    if not np.isfinite(cell).all():
        return
    assert np.allclose(np.linalg.norm(cell, axis=1), lengths)
    for (i, j), angle in zip(((1, 2), (0, 2), (0, 1)), angles, strict=True):
        assert np.degrees(np.arccos(cell[i] @ cell[j] / lengths[i] / lengths[j])) == pytest.approx(angle, abs=1e-6)
    assert np.linalg.det(cell) > 0
    assert cell[0, 1] == cell[0, 2] == cell[1, 2] == 0


def test_right_angles_are_exact_and_pymatgen_agrees():
    from pymatgen.core import Lattice

    assert vectors(np.array([[2.0, 3, 4, 90, 90, 90]]))[0].tolist() == [[2, 0, 0], [0, 3, 0], [0, 0, 4]]
    cell = vectors(np.array([[2.0, 3, 4, 80, 95, 101]]))[0]
    assert np.allclose(Lattice(cell).parameters, (2, 3, 4, 80, 95, 101))


def test_lists_in_every_form():
    assert listed("a, b,c\n") == ["a", "b", "c"]
    assert listed("1,2;3,4") == [["1", "2"], ["3", "4"]]
    assert listed("['a', None]") == ["a", None]
    assert listed("((1, 2), (3, 4))") == [[1, 2], [3, 4]]
    assert listed("") is listed(None) is None
    assert texts("Nb,Sc,Tc\n") == ["Nb", "Sc", "Tc"]
    assert quantity(" 1.5 ") == 1.5
    assert triples("0,0,0;0.5,0.5,0.5").shape == (2, 3)
    for bad in ({}, True, "[1,", "[" * 100_000, "x" * 5_000_000):
        with pytest.raises(BadValueError):
            listed(bad)


@pytest.mark.parametrize("aurl", [
    None, 7, "", "x", "h:AFLOWDATA/../../etc", "h:AFLOWDATA//x", "h:AFLOWDATA/a b", "h:AFLOWDATA/a?b", "h:ELSE/a",
    "x" * 10_000_000,
])
def test_what_is_no_aurl_has_no_address(aurl):
    assert entry_path(aurl) is None


NASTY = st.one_of(
    st.none(), st.booleans(), st.floats(), st.integers(-(10**20), 10**20), st.text(max_size=20),
    st.sampled_from(["1e999", "NaN", "x" * 100_000, "[[", "1,2;3", "None", "\u0000"]),
    st.lists(st.one_of(st.none(), st.floats(), st.text(max_size=3), st.lists(st.floats(), max_size=3)), max_size=8),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
READ = sorted(set(ENTRY) & {
    "compound", "species", "composition", "natoms", "geometry", "positions_fractional", "energy_atom", "Egap",
    "Egap_type", "enthalpy_formation_atom", "spin_atom", "code", "dft_type", "species_pp_version", "energy_cutoff",
    "kpoints_static", "kpoints", "spacegroup_relax", "sg2", "aurl", "catalog", "aflowlib_version", "prototype",
} | {"ldau_type", "ldau_u", "ldau_j", "ldau_TLUJ", "metagga"})


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(READ), NASTY, min_size=1, max_size=4))
def test_no_value_crashes_or_harms_the_record_beside_it(changes):
    batch = rows({**ENTRY, **changes}, ENTRY)
    assert set(batch.rejects) <= {0}
    assert batch.column("cell_key")[1] == "Ac2Br6_176"
    assert batch.column("total_energy_ev_per_atom")[1] == -4.35149


@pytest.mark.parametrize("record", ROWS, ids=lambda r: r["compound"])
def test_real_records_are_the_crystals_that_they_say(record):
    found = row(record)
    assert found["total_energy_ev_per_atom"] == record["energy_atom"]
    assert found["formation_energy_ev_per_atom"] == record.get("enthalpy_formation_atom")
    atoms = sum(record["composition"])
    assert found["volume_angstrom3_per_atom"] == pytest.approx(record["volume_cell"] / record["natoms"], rel=0.02)
    assert len(found["species_at_sites"]) == atoms
    if atoms == record["natoms"]:
        assert found["spacegroup_number"] == record["spacegroup_relax"]
