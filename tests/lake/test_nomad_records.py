"""NOMAD records to rows: units, structures, settings, gaps, provenance, in today's and the older spelling."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from lake.errors import BadReplyError, InputError
from lake.ingest.run import ingest
from lake.sources import find
from lake.sources.base import Context
from lake.sources.batch import Batch
from lake.sources.libxc import functional, parts_of
from lake.sources.nomad.normalise import gui_url, may_pass_on

DATA = Path(__file__).parent.parent / "data" / "nomad"
JOULE = 1.602176634e-19
NOMAD = find("nomad")


@pytest.fixture
def entries():
    return json.loads((DATA / "entries.json").read_bytes())["data"]


@pytest.fixture
def archives():
    return json.loads(gzip.decompress((DATA / "archives.json.gz").read_bytes()))["data"]


def rows_of(records, kind="entry", origin=""):
    """The columns of some records by name, nothing rejected."""
    batch = Batch(records)
    NOMAD.normalise(batch, kind, Context({}, origin))
    assert not batch.rejects, batch.rejects
    return [{name: values[i] for name, values in batch.columns.items()} for i in range(len(records))]


def reject_of(record, kind="entry"):
    batch = Batch([record])
    NOMAD.normalise(batch, kind, Context({}))
    assert batch.rejects, "it was taken"
    return batch.rejects[0]


def minimal(**results):
    """A small entry: two atoms in a cubic cell of 4 Å."""
    structure = {
        "dimension_types": [1, 1, 1],
        "lattice_vectors": [[4e-10, 0, 0], [0, 4e-10, 0], [0, 0, 4e-10]],
        "cartesian_site_positions": [[0, 0, 0], [2e-10, 2e-10, 2e-10]],
        "species_at_sites": ["Cs", "Cl"],
    }
    return {"entry_id": "abc", "results": {"properties": {"structures": {"structure_original": structure}}, **results}}


def test_samples_are_taken_whole(entries, archives, lake):
    taken = ingest(lake, "nomad", saved=[str(DATA)])
    assert taken.fetched == taken.new == len(entries) + len(archives)
    assert taken.rejected == 0
    assert lake.read("dos").num_rows == len(archives)
    again = ingest(lake, "nomad", saved=[str(DATA)])
    assert (again.taken, again.unchanged) == (0, taken.new)
    assert lake.read("dos").num_rows == len(archives)


def test_entries_become_rows_in_ev_and_angstrom(entries):
    for record, row in zip(entries, rows_of(entries), strict=True):
        structure = record["results"]["properties"]["structures"]["structure_original"]
        lattice, fractions = np.array(row["lattice_vectors_angstrom"]), np.array(row["fractional_positions"])
        assert lattice == pytest.approx(np.array(structure["lattice_vectors"]) * 1e10)
        assert fractions @ lattice == pytest.approx(np.array(structure["cartesian_site_positions"]) * 1e10, abs=1e-9)
        assert row["species_at_sites"] == structure["species_at_sites"]
        bands = record["results"]["properties"]["electronic"]["band_structure_electronic"]
        value = (bands[0] if isinstance(bands, list) else bands)["band_gap"][0]["value"] / JOULE
        assert row["band_gap_ev"] == pytest.approx(max(value, 0.0))
        assert row["xc_functional"] in ("pbe", "lda", "pbesol", None)
        assert row["code"] in ("vasp", "fhi-aims", "exciting")
        assert row["license"] == "CC BY 4.0"
        assert row["redistributable"] is True
        assert row.get("formation_energy_ev_per_atom") is None
        assert row["source_url"].endswith(f"/gui/search/entries/entry/id/{record['entry_id']}")
    assert {"metal", "direct", "indirect"} <= {row["band_gap_type"] for row in rows_of(entries)}


def test_entries_hold_only_paths_to_a_density_of_states(entries):
    assert NOMAD.derived(entries, "entry") == ("entry_dos", [])


def test_archives_become_rows_with_energies_and_settings(archives):
    for record, row in zip(archives, rows_of(archives, "archive"), strict=True):
        run = record["archive"]["run"][0]
        energy = run["calculation"][0]["energy"]["total"]["value"]
        assert row["total_energy_ev_per_atom"] == pytest.approx(energy / JOULE / 4)
        assert row["k_grid"] == run["method"][0]["k_mesh"]["grid"]
        assert row["n_k_points"] == run["method"][0]["k_mesh"]["n_points"]
        assert row["n_basis_functions"] == run["method"][0]["electronic"]["n_basis_functions"]
        lengths = np.linalg.norm(row["lattice_vectors_angstrom"], axis=1)
        assert row["k_point_density_angstrom"] == pytest.approx(min(lengths * row["k_grid"]))
        assert row["settings_tier"] in ("light", "tight")
        assert row["code"] == "gpaw"
        cutoff = record["archive"]["results"]["method"]["simulation"]["precision"]["planewave_cutoff"]
        assert row["cutoff_ev"] == (None if cutoff is None else pytest.approx(cutoff / JOULE))
        assert row["basis_set"] == ("numeric AOs" if cutoff is None else "plane waves")


@pytest.mark.parametrize(("names", "name"), [
    (["GGA_X_PBE", "GGA_C_PBE"], "pbe"), (["gga_c_pbe ", "GGA_X_PBE", "GGA_X_PBE"], "pbe"),
    (["LDA_X", "LDA_C_PZ"], "lda"), (["LDA_C_PW_MOD", "LDA_X"], "lda"),
    (["GGA_X_PBE_SOL", "GGA_C_PBE_SOL"], "pbesol"), (["HYB_GGA_XC_HSE06"], "hse06"),
    (["MGGA_C_R2SCAN", "MGGA_X_R2SCAN"], "r2scan"), (["MGGA_C_SCAN", "MGGA_X_SCAN"], "scan"),
    (["GGA_X_RPBE", "GGA_C_PBE"], "rpbe"), (["MGGA_X_MBEEF", "GGA_C_PBE"], "gga_c_pbe+mgga_x_mbeef"),
    (["GGA_X_PBE"], "gga_x_pbe"), (["GGA_X_PBE", "GGA_C_PBE", "VDW_XC_DF1"], "gga_c_pbe+gga_x_pbe+vdw_xc_df1"),
    ([], None),
])
def test_functionals_by_their_libxc_names(names, name):
    assert functional(names) == name


def test_functional_names_lead_back_to_their_parts():
    assert functional(parts_of("r2scan")) == "r2scan"
    assert parts_of("nonsense") is None


@pytest.mark.parametrize(("method", "expected"), [
    ({"method_name": "DFT"}, "pbe"), ({"method_name": "GW"}, None), ({"method_name": None}, "pbe"),
    ({"method_name": "unavailable"}, "pbe"),
])
def test_only_dft_has_a_functional(method, expected):
    simulation = {"dft": {"xc_functional_names": ["GGA_X_PBE", "GGA_C_PBE"]}}
    assert rows_of([minimal(method={**method, "simulation": simulation})])[0]["xc_functional"] == expected


def gap_row(*channels, **electronic):
    record = minimal()
    record["results"]["properties"]["electronic"] = {"band_gap": list(channels), **electronic}
    return rows_of([record])[0]


def channel(value=None, top=None, bottom=None, kind=None):
    fields = {"value": value, "energy_highest_occupied": top, "energy_lowest_unoccupied": bottom}
    return {k: v * JOULE for k, v in fields.items() if v is not None} | ({"type": kind} if kind else {})


@pytest.mark.parametrize(("channels", "gap", "kind"), [
    ([channel(1.1, kind="indirect")], 1.1, "indirect"),
    ([channel(1.1, kind="direct"), channel(0.7, kind="indirect")], 0.7, "indirect"),
    ([channel(2.0, 0.0, 2.0, "direct"), channel(2.0, 1.5, 3.5, "direct")], 0.5, None),
    ([channel(0.0), channel(1.2, kind="direct")], 0.0, "half-metal"),
    ([channel(0.0), channel(0.0)], 0.0, "metal"),
    ([channel(-0.06)], 0.0, "metal"),
    ([channel(top=1.0, bottom=2.5)], 1.5, None),
    ([channel(1.0), channel()], None, None),
    ([channel()], None, None),
    ([], None, None),
])
def test_gaps_over_spin_channels(channels, gap, kind):
    row = gap_row(*channels)
    assert row["band_gap_ev"] == (None if gap is None else pytest.approx(gap))
    assert row["band_gap_type"] == kind


def test_a_gap_in_ev_is_not_taken_for_joules(lake, tmp_path):
    record = minimal()
    record["results"]["properties"]["electronic"] = {"band_gap": [{"value": 1.1}]}
    (tmp_path / "wrong.json").write_text(json.dumps([record, {**minimal(), "entry_id": "good"}]))
    taken = ingest(lake, "nomad", saved=[str(tmp_path / "wrong.json")])
    assert (taken.new, dict(taken.reasons)) == (1, {"out_of_range": 1})


def test_summary_comes_before_band_structure_and_density():
    bands = {"band_structure_electronic": [{"band_gap": [channel(2.0)]}],
             "dos_electronic": {"band_gap": [channel(3.0)]}}
    assert gap_row(channel(1.0), **bands)["band_gap_ev"] == pytest.approx(1.0)
    assert gap_row(**bands)["band_gap_ev"] == pytest.approx(2.0)
    del bands["band_structure_electronic"]
    assert gap_row(**bands)["band_gap_ev"] == pytest.approx(3.0)


def test_hubbard_u_is_a_map_in_ev(archives):
    record = copy.deepcopy(archives[0])
    method = record["archive"]["run"][0]["method"][0]
    method["electronic"]["method"] = "DFT+U"
    assert rows_of([record], "archive")[0]["hubbard_u_ev"] is None
    method["atom_parameters"] = [
        {"label": "B1", "hubbard_kanamori_model": {"u": 5 * JOULE, "j": 1 * JOULE}},
        {"label": "N", "hubbard_kanamori_model": {"u_effective": 2 * JOULE}},
    ]
    found = dict(rows_of([record], "archive")[0]["hubbard_u_ev"])
    assert found == {"B": pytest.approx(4.0), "N": pytest.approx(2.0)}
    del method["atom_parameters"]
    method["electronic"]["method"] = "DFT"
    assert rows_of([record], "archive")[0]["hubbard_u_ev"] == []


def test_structures_in_other_places():
    optimised = minimal()
    properties = optimised["results"]["properties"]
    final = copy.deepcopy(properties["structures"]["structure_original"])
    final["lattice_vectors"][0][0] = 5e-10
    properties["geometry_optimization"] = {"structure_optimized": final}
    assert rows_of([optimised])[0]["lattice_vectors_angstrom"][0][0] == pytest.approx(5.0)
    served = {"entry_id": "x", "optimade": {
        "lattice_vectors": [[4, 0, 0], [0, 4, 0], [0, 0, 4]], "cartesian_site_positions": [[1, 1, 1]],
        "species_at_sites": ["Po"],
    }}
    assert rows_of([served])[0]["lattice_vectors_angstrom"][0][0] == 4.0


def test_molecules_are_taken_without_a_structure():
    record = minimal(material={"chemical_formula_hill": "H2O", "chemical_formula_reduced": "H2O"})
    structure = record["results"]["properties"]["structures"]["structure_original"]
    for change in ({"dimension_types": [0, 0, 0]}, {"lattice_vectors": None}, {"cartesian_site_positions": None}):
        molecule = copy.deepcopy(record)
        molecule["results"]["properties"]["structures"]["structure_original"] = {**structure, **change}
        row = rows_of([molecule])[0]
        assert row["lattice_vectors_angstrom"] is None
        assert (row["formula_reduced"], row["n_sites"], row["elements"]) == ("H2O", 3, ["H", "O"])


def test_disorder_and_nonsense_are_rejected():
    record = minimal()
    structure = record["results"]["properties"]["structures"]["structure_original"]
    structure["species"] = [{"name": "Cs", "chemical_symbols": ["Cs", "Rb"], "concentration": [0.5, 0.5]}]
    assert reject_of(record).reason == "disordered_structure"
    structure.pop("species")
    structure["species_at_sites"] = ["Cs", "X"]
    assert reject_of(record).reason == "bad_structure"
    structure["species_at_sites"] = ["Cs"]
    assert reject_of(record).reason == "bad_structure"


def old_archive(**changes):
    density = {
        "dos_kind": "electronic", "dos_energies": [(-4 + 0.1 * i) * JOULE for i in range(80)],
        "dos_values": [[(1.0 if i < 41 else 0.0) / JOULE for i in range(80)]],
    }
    configuration = {
        "energy_total": -20 * JOULE, "energy_reference_fermi": [0.5 * JOULE],
        "energy_reference_highest_occupied": [0.0], "section_dos": [density],
    }
    return {
        "section_metadata": {"calc_id": "old-entry", "upload_id": "u"},
        "section_run": [{
            "program_name": "VASP", "program_version": "5.3", "program_basis_set_type": "plane waves",
            "section_basis_set_cell_dependent": [{"basis_set_planewave_cutoff": 400 * JOULE}],
            "section_system": [{
                "atom_labels": ["Na", "Cl"], "configuration_periodic_dimensions": [True, True, True],
                "atom_positions": [[0, 0, 0], [2.8e-10, 0, 0]],
                "lattice_vectors": [[0, 2.8e-10, 2.8e-10], [2.8e-10, 0, 2.8e-10], [2.8e-10, 2.8e-10, 0]],
            }],
            "section_method": [{
                "electronic_structure_method": "DFT", "number_of_spin_channels": 1,
                "section_XC_functionals": [{"XC_functional_name": "GGA_X_PBE"}, {"XC_functional_name": "GGA_C_PBE"}],
            }],
            "section_single_configuration_calculation": [{**configuration, **changes}],
        }],
    }


def test_the_older_spelling_says_the_same(lake, tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(old_archive()))
    ingest(lake, "nomad", saved=[str(tmp_path / "old.json")])
    row = lake.read("calculations").to_pylist()[0]
    assert (row["calculation_id"], row["formula_cell"]) == ("nomad/old-entry", "ClNa")
    assert row["total_energy_ev_per_atom"] == pytest.approx(-10.0)
    assert (row["xc_functional"], row["code"], row["basis_set"]) == ("pbe", "vasp", "plane waves")
    assert row["cutoff_ev"] == pytest.approx(400.0)
    assert row["spin_polarized"] is False
    assert row["hubbard_u_ev"] == []
    dos = lake.read("dos").to_pylist()[0]
    assert (dos["reference_level"], dos["n_atoms"]) == ("vbm_reported", 2)
    assert max(dos["states_per_ev_per_atom"]) == pytest.approx(0.5)


@pytest.mark.parametrize(("licence", "embargo", "published", "allowed"), [
    ("CC BY 4.0", None, None, True), ("CC BY-NC 4.0", None, None, False), ("CC0", False, True, True),
    ("CC BY 4.0", True, True, False), ("CC BY 4.0", False, False, False), (None, None, None, None),
    ("ask me", None, None, False),
])
def test_what_may_be_passed_on(licence, embargo, published, allowed):
    assert may_pass_on(licence, embargo, published) is allowed


def test_pages_of_an_oasis_lead_to_its_gui():
    assert gui_url("https://lab.org/nomad-oasis/api/v1/entries/query") == "https://lab.org/nomad-oasis/gui"
    assert gui_url("saved/page.json") == gui_url("") == "https://nomad-lab.eu/prod/v1/gui"


def test_documents_are_known_by_their_shape(entries, archives):
    assert NOMAD.records({"data": entries, "pagination": {}}, "")[0] == "entry"
    assert NOMAD.records(archives, "")[0] == "archive"
    assert NOMAD.records(archives[0]["archive"], "")[0] == "archive"
    assert NOMAD.records({"entry_id": "x", "data": archives[0]}, "") == ("archive", [archives[0]])
    assert NOMAD.records(entries[0], "") == ("entry", [entries[0]])
    assert NOMAD.records({"data": []}, "http://x/entries/archive/query") == ("archive", [])
    for nonsense in (None, 7, "text", {}, {"data": 7}, {"data": None}):
        with pytest.raises(InputError):
            NOMAD.records(nonsense, "file.json")


def test_a_page_that_comes_again_is_no_page():
    page = {"pagination": {"page_after_value": "m"}, "data": [{"entry_id": "a"}, {"entry_id": "m"}]}
    with pytest.raises(BadReplyError, match="again"):
        NOMAD.check(b"", page)
    NOMAD.check(b"", {**page, "data": [{"entry_id": "m"}, {"entry_id": "n"}]})
    for wrong in (None, [], {"data": {}}, {"data": []}, {"detail": "no"}):
        with pytest.raises(BadReplyError):
            NOMAD.check(b"{}", wrong)


@pytest.mark.parametrize("record", [{}, {"entry_id": 7}, {"entry_id": "../../x"}, {"entry_id": ""}, {"archive": []}])
def test_records_without_a_readable_id(record):
    assert NOMAD.identify(record, "entry") is None
