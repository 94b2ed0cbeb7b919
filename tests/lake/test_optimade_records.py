"""OPTIMADE structures to rows: structures, disorder, provider fields, ids, licences."""

from __future__ import annotations

import json

import pytest

from lake.errors import BadReplyError, InputError
from lake.ingest.run import ingest
from lake.sources import find
from lake.sources.base import Context
from lake.sources.batch import Batch

OPTIMADE = find("optimade")
CUBE = [[4.0, 0, 0], [0, 4.0, 0], [0, 0, 4.0]]


def resource(name="1", **attributes):
    return {"id": name, "type": "structures", "attributes": {
        "chemical_formula_reduced": "ClCs", "nsites": 2, "nelements": 2, "elements": ["Cl", "Cs"],
        "lattice_vectors": CUBE, "cartesian_site_positions": [[0, 0, 0], [2.0, 2.0, 2.0]],
        "species_at_sites": ["Cs", "Cl"], "dimension_types": [1, 1, 1], "structure_features": [],
        "species": [species("Cs"), species("Cl")], **attributes,
    }}


def species(name, symbols=None, concentration=(1.0,), **more):
    return {"name": name, "chemical_symbols": symbols or [name], "concentration": list(concentration), **more}


def reply(*resources, prefix="exmpl", **meta):
    return {"data": list(resources), "meta": {"provider": {"prefix": prefix}, **meta}, "links": {"next": None}}


def row_of(document, origin=""):
    kind, records = OPTIMADE.records(document, origin)
    batch = Batch(list(records))
    OPTIMADE.normalise(batch, kind, Context({}, origin))
    assert not batch.rejects, batch.rejects
    return {name: values[0] for name, values in batch.columns.items()} | {
        "id": OPTIMADE.identify(records[0], kind).source_id}


def reason(record):
    kind, records = OPTIMADE.records(reply(record), "")
    batch = Batch(list(records))
    OPTIMADE.normalise(batch, kind, Context({}))
    return batch.rejects[0].reason if batch.rejects else None


def test_a_structure_in_fractional_coordinates():
    row = row_of(reply(resource("a/1")))
    assert row["id"] == "exmpl/a/1"
    assert row["lattice_vectors_angstrom"] == CUBE
    assert row["fractional_positions"][1] == pytest.approx([0.5, 0.5, 0.5])
    assert row["species_at_sites"] == ["Cs", "Cl"]
    assert row["formation_energy_ev_per_atom"] is row["license"] is row["xc_functional"] is None


@pytest.mark.parametrize(("attributes", "expected"), [
    ({"species": [species("Cs", ["Cs", "Rb"], (0.5, 0.5)), species("Cl")]}, "disordered_structure"),
    ({"species": [species("Cs", ["Cs", "vacancy"], (0.9, 0.1)), species("Cl")]}, "disordered_structure"),
    ({"species": [species("Cs", ["Cs"], (0.9,)), species("Cl")]}, "disordered_structure"),
    ({"species": [species("Cs", attached=["H"], nattached=[3]), species("Cl")]}, "attached_atoms"),
    ({"species": [species("Cs", ["X"]), species("Cl")]}, "bad_structure"),
    ({"structure_features": ["assemblies"]}, "disordered_structure"),
    ({"structure_features": ["implicit_atoms"]}, "implicit_atoms"),
    ({"nsites": 3}, "contradictory"),
    ({"species_at_sites": ["Cs"]}, "bad_structure"),
    ({"species_at_sites": ["Cs", "Zz"]}, "bad_structure"),
    ({"lattice_vectors": [[1, 0, 0], [2, 0, 0], [0, 0, 1]]}, "bad_structure"),
    ({"lattice_vectors": [[1, 0, 0], [None, None, None], [0, 0, 1]]}, "bad_structure"),
    ({"cartesian_site_positions": [[0, 0], [1, 1]]}, "bad_structure"),
    ({"structure_features": ["disorder"]}, None),
])
def test_what_no_ordered_crystal_is(attributes, expected):
    assert reason(resource(**attributes)) == expected


def test_empty_sites_are_left_out():
    full = species("hole", ["vacancy"])
    row = row_of(reply(resource(species=[species("Cs"), full], species_at_sites=["Cs", "hole"])))
    assert row["species_at_sites"] == ["Cs"]
    assert len(row["fractional_positions"]) == 1


def test_species_under_other_names():
    named = [species("Cs_a", ["Cs"]), species("anion", ["Cl"])]
    row = row_of(reply(resource(species=named, species_at_sites=["Cs_a", "anion"])))
    assert row["species_at_sites"] == ["Cs", "Cl"]
    assert row_of(reply(resource(species=None)))["species_at_sites"] == ["Cs", "Cl"]


def test_layers_and_short_replies_keep_their_formula():
    layer = resource(lattice_vectors=[[1, 0, 0], [0, 1, 0], [None, None, None]], dimension_types=[1, 1, 0])
    short = resource()
    for name in ("lattice_vectors", "cartesian_site_positions", "species_at_sites", "species"):
        del short["attributes"][name]
    for record in (layer, short):
        row = row_of(reply(record))
        assert row["lattice_vectors_angstrom"] is None
        assert (row["formula_reduced"], row["formula_cell"], row["n_sites"]) == ("ClCs", "ClCs", 2)


STABILITY = {
    "gga_gga+u_r2scan": {"formation_energy_per_atom": -1.0, "energy_above_hull": 0.1},
    "r2scan": {"formation_energy_per_atom": -1.5, "energy_above_hull": 0.2},
    "gga_gga+u": {"formation_energy_per_atom": -2.0, "energy_above_hull": 0.3},
}


@pytest.mark.parametrize(("left_out", "energy", "functional", "reference", "collection"), [
    ([], -2.0, "pbe", "mp2020", "GGA_GGA+U"),
    (["gga_gga+u"], -1.5, "r2scan", "mp_uncorrected", "R2SCAN"),
    (["gga_gga+u", "r2scan"], -1.0, "pbe_r2scan_mixed", "mp2020", "GGA_GGA+U_R2SCAN"),
])
def test_mp_gives_the_hull_of_one_functional_first(left_out, energy, functional, reference, collection):
    hulls = {name: hull for name, hull in STABILITY.items() if name not in left_out}
    row = row_of(reply(resource("mp-1", _mp_stability=hulls), prefix="mp"))
    assert (row["formation_energy_ev_per_atom"], row["formation_energy_functional"]) == (energy, functional)
    assert (row["formation_energy_reference"], row["collection"]) == (reference, collection)
    assert (row["material_id"], row["xc_functional"]) == ("mp-1", None)
    assert row["source_url"] == "https://materialsproject.org/materials/mp-1"


@pytest.mark.parametrize(("prefix", "fields", "expected"), [
    ("oqmd", {"_oqmd_delta_e": -1.2, "_oqmd_band_gap": 0.5, "_oqmd_stability": -0.01, "_oqmd_entry_id": 7},
     {"formation_energy_ev_per_atom": -1.2, "band_gap_ev": 0.5, "band_gap_functional": "pbe",
      "formation_energy_reference": "oqmd", "license": "CC BY 4.0",
      "source_url": "https://oqmd.org/materials/entry/7"}),
    ("alexandria",
     {"_alexandria_formation_energy_per_atom": -1.0, "_alexandria_energy": -8.0, "_alexandria_band_gap": 0},
     {"formation_energy_functional": "pbe", "total_energy_ev_per_atom": -4.0, "band_gap_ev": 0.0,
      "xc_functional": "pbe"}),
    ("jarvis", {"_jarvis_formation_energy_peratom": -0.3, "_jarvis_optb88vdw_bandgap": "na", "_jarvis_ehull": "0.1"},
     {"formation_energy_ev_per_atom": -0.3, "band_gap_ev": None, "energy_above_hull_ev_per_atom": 0.1,
      "formation_energy_functional": "optb88-vdw"}),
    ("aflow", {"_aflow_egap": 1.1, "_aflow_enthalpy_formation_atom": -0.2, "_aflow_dft_type": ["PAW_PBE"]},
     {"band_gap_ev": 1.1, "formation_energy_reference": "aflow", "formation_energy_functional": "pbe"}),
    ("nmd", {"_nmd_results_method_simulation_program_name": "VASP",
             "_nmd_results_material_symmetry_space_group_number": 221,
             "_nmd_results_method_simulation_dft_xc_functional_names": ["GGA_X_PBE", "GGA_C_PBE"]},
     {"code": "vasp", "xc_functional": "pbe", "spacegroup_source": 221, "formation_energy_ev_per_atom": None}),
])
def test_fields_of_known_providers(prefix, fields, expected):
    row = row_of(reply(resource(**fields), prefix=prefix))
    assert {name: row[name] for name in expected} == expected


def test_a_providers_field_that_is_no_number_rejects():
    kind, records = OPTIMADE.records(reply(resource(_oqmd_delta_e="low"), prefix="oqmd"), "")
    batch = Batch(list(records))
    OPTIMADE.normalise(batch, kind, Context({}))
    assert batch.rejects[0].reason == "bad_value"


def test_who_provides_a_record():
    assert row_of(reply(resource(), prefix="_cod"))["id"] == "cod/1"
    assert row_of([resource(_jarvis_ehull=0.0)])["id"] == "jarvis/1"
    assert row_of({"data": [resource()]}, "https://db.example.org/v1/structures?x=1")["id"] == "db.example.org/1"
    assert row_of(resource())["id"] == "unknown/1"
    solid = "https://alexandria.icams.rub.de/pbesol/v1/structures"
    row = row_of(reply(resource(_alexandria_formation_energy_per_atom=-1.0), prefix="alexandria"), solid)
    assert (row["id"], row["formation_energy_functional"]) == ("alexandria-pbesol/1", "pbesol")
    assert row["formation_energy_reference"] == "alexandria"


@pytest.mark.parametrize(("licence", "stated", "allowed"), [
    ("CC-BY-4.0", "CC-BY-4.0", True), ("CC-BY-NC-4.0", "CC-BY-NC-4.0", False),
    ({"href": "https://creativecommons.org/licenses/by/4.0/"}, "https://creativecommons.org/licenses/by/4.0/", True),
    ("https://creativecommons.org/licenses/by-nc/4.0/", "https://creativecommons.org/licenses/by-nc/4.0/", False),
    (None, None, None), (7, None, None),
])
def test_licences_of_a_reply(licence, stated, allowed):
    row = row_of(reply(resource(), license=licence))
    assert (row["license"], row["redistributable"]) == (stated, allowed)


def test_saved_forms(lake, tmp_path):
    (tmp_path / "reply.json").write_text(json.dumps(reply(resource("1"), resource("2"))))
    lines = [{"x-optimade": {"meta": {"provider": {"prefix": "exmpl"}}}}, {"type": "info", "id": "structures"},
             resource("3"), resource("4")]
    (tmp_path / "lines.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "single.json").write_text(json.dumps({**reply(), "data": resource("5")}))
    taken = ingest(lake, "optimade", saved=[str(tmp_path)])
    assert (taken.fetched, taken.new, taken.rejected) == (5, 5, 0)
    rows = lake.read("calculations").to_pylist()
    assert {row["source_id"] for row in rows} == {f"exmpl/{n}" for n in range(1, 6)}
    found = {(row["cell_key"], row["source"], row["redistributable"]) for row in rows}
    assert found == {("ClCs_221", "optimade", False)}


def test_other_resources_and_odd_ids_are_rejected():
    for record in ({**resource(), "type": "references"}, {**resource(), "id": None}, {**resource(), "id": " "}):
        assert OPTIMADE.identify(record, "structures") is None
    assert OPTIMADE.identify({**resource(), "id": 7}, "structures").source_id == "unknown/7"


def test_what_is_no_reply():
    for document in (None, [], {"errors": [{"detail": "x"}], "data": []}, {"meta": {}}, {"data": 7}):
        with pytest.raises(BadReplyError):
            OPTIMADE.check(b"", document)
    for document in (None, 7, {}, {"meta": {}}, {"data": 7}):
        with pytest.raises(InputError):
            OPTIMADE.records(document, "file.json")
