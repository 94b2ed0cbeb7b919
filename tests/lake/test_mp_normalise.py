"""Documents of the Materials Project to rows: real ones against what they say, every form, and spoilt ones."""

from __future__ import annotations

import copy
import gzip
import time
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.crystal.columns import add_structure_columns
from lake.crystal.structures import structure_from_row
from lake.sources import find
from lake.sources.base import Context
from lake.sources.batch import Batch
from tests.conftest import examples

DATA = Path(__file__).parent.parent / "data" / "mp"
SOURCE = find("mp")
SUMMARIES = orjson.loads(gzip.decompress((DATA / "summary.json.gz").read_bytes()))["data"]
TASKS = orjson.loads(gzip.decompress((DATA / "tasks.json.gz").read_bytes()))


def rows(*records, kind="summary", **options):
    batch = Batch([copy.deepcopy(r) for r in records])
    SOURCE.normalise(batch, kind, Context(options))
    add_structure_columns(batch)
    return batch


def row(record, kind="summary", options=None, **changes):
    batch = rows({**record, **changes}, kind=kind, **(options or {}))
    assert not batch.rejects, batch.rejects
    return {name: column[0] for name, column in batch.columns.items()}


def reason(record, kind="summary", **changes):
    batch = rows({**record, **changes}, kind=kind)
    return batch.rejects[0].reason if batch.rejects else None


def silicon(**site):
    sites = [{"species": [{"element": "Si", "occu": 1}], "abc": [x] * 3, "label": "Si", **site} for x in (0.0, 0.25)]
    matrix = [[0, 2.7, 2.7], [2.7, 0, 2.7], [2.7, 2.7, 0]]
    return {"material_id": "mp-149", "structure": {"lattice": {"matrix": matrix}, "sites": sites}}


def test_real_summaries_say_in_rows_what_they_said():
    batch = rows(*SUMMARIES)
    assert not batch.rejects
    for index, record in enumerate(SUMMARIES):
        of = {name: column[index] for name, column in batch.columns.items()}
        assert of["n_sites"] == record["nsites"]
        assert of["spacegroup_source"] == record["symmetry"]["number"]
        assert of["formation_energy_ev_per_atom"] == record["formation_energy_per_atom"]
        assert of["band_gap_ev"] == record["band_gap"]
        assert of["volume_angstrom3_per_atom"] == pytest.approx(record["volume"] / record["nsites"], rel=1e-4)
        assert of["source_url"] == f"https://materialsproject.org/materials/{record['material_id']}"
        assert (of["xc_functional"], of["formation_energy_functional"], of["band_gap_functional"]) == (None,) * 3
        assert (of["license"], of["redistributable"]) == ("CC BY 4.0", True)


def test_real_structures_come_back_as_pymatgen_reads_them():
    from pymatgen.core import Structure

    batch = rows(*SUMMARIES)
    for index, record in enumerate(SUMMARIES):
        found = structure_from_row({name: column[index] for name, column in batch.columns.items()})
        assert found == Structure.from_dict(record["structure"])


def test_decorated_structures_lose_nothing():
    from pymatgen.core import Lattice, Species, Structure

    structure = Structure(
        Lattice.tetragonal(4.0, 5.0), [Species("Fe", 2, spin=5), Species("Fe", 3), "O", "O"],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0.1]], charge=1,
        site_properties={"magmom": [5.0, -4.0, 0.0, 0.1]}, labels=["Fe1", "Fe2", "O", "O"],
    )
    for form in (structure.as_dict(), orjson.dumps(structure.as_dict()).decode()):
        found = structure_from_row(row({"material_id": "mp-1", "structure": form}))
        assert found == structure
        assert found.labels == structure.labels
        assert found.charge == 1
        assert found.site_properties == structure.site_properties


def test_sites_with_cartesian_positions_alone():
    record = silicon()
    for site in record["structure"]["sites"]:
        site["xyz"] = [5.4 * x for x in site.pop("abc")]
    assert np.allclose(row(record)["fractional_positions"], [[0] * 3, [0.25] * 3])
    assert row(record)["reduced_key"] == "Si_227"


@pytest.mark.parametrize(("site", "expected"), [
    ({"species": [{"element": "Fe", "occu": 0.5}, {"element": "Ni", "occu": 0.5}]}, "disordered_structure"),
    ({"species": [{"element": "Si", "occu": 0.9}]}, "disordered_structure"),
    ({"species": [{"element": "Si", "occu": float("nan")}]}, "disordered_structure"),
    ({"species": [{"element": "Uuo", "occu": 1}]}, "bad_structure"), ({"species": []}, "bad_structure"),
    ({"species": [{"element": "Si", "occu": "1"}]}, "bad_structure"), ({"species": "Si"}, "bad_structure"),
    ({"species": [{"element": [], "occu": 1}]}, "bad_structure"), ({"abc": None}, "bad_structure"),
    ({"abc": ["x", 0, 0]}, "bad_structure"), ({"abc": [0, 0]}, "bad_structure"),
    ({"species": [{"element": "Si", "occu": 1, "oxidation_state": "four"}]}, "bad_structure"),
    ({"properties": {"note": "x" * 1_000_000}}, "bad_structure"),
])
def test_a_structure_that_is_none_is_set_aside(site, expected):
    assert reason(silicon(**site)) == expected


@pytest.mark.parametrize("structure", [3, [], {"sites": []}, {"lattice": {"matrix": None}, "sites": [1]}, "{", "data_",
                                       "nonsense", {"lattice": [[1, 0, 0]] * 3, "sites": [None]}])
def test_what_is_no_structure_is_set_aside(structure):
    assert reason({"material_id": "mp-1", "structure": structure}) == "bad_structure"


def test_a_record_without_structure_keeps_its_composition():
    found = row({"material_id": "mp-149", "composition": {"Mg": 2.0, "F": 4, "O": None}, "energy_above_hull": 0.1,
                 "total_magnetization": 3.0})
    assert (found["formula_cell"], found["formula_reduced"], found["n_sites"]) == ("F4Mg2", "F2Mg", 6)
    assert found["magnetization_mu_b_per_atom"] == 0.5
    assert (found["cell_key"], found["fractional_positions"]) == (None, None)
    assert row({"material_id": "mp-149", "composition": {"Mg": 0.5}})["formula_cell"] is None


@pytest.mark.parametrize(("version", "formation", "reference", "gap"), [
    ("2026-04-13", "pbe_r2scan_mixed", "mp2020", None), ("2022.10.28", "pbe_r2scan_mixed", "mp2020", None),
    ("2021.11.10", "pbe", "mp2020", "pbe"), ("2019.05", "pbe", "mp2018", "pbe"), (None, None, None, None),
    ("newest", None, None, None),
])
def test_a_mixed_hull_is_not_pbe(version, formation, reference, gap):
    record = {**silicon(), "formation_energy_per_atom": -0.1, "band_gap": 0.6, "uncorrected_energy_per_atom": -10.7}
    found = row(record, builder_meta={"database_version": version})
    assert (found["formation_energy_functional"], found["formation_energy_reference"]) == (formation, reference)
    assert found["band_gap_functional"] == found["xc_functional"] == gap
    assert found["total_energy_ev_per_atom"] == -10.7
    assert row(silicon(), builder_meta={"database_version": version})["formation_energy_functional"] is None


def test_rows_under_by_nc_are_counted_and_left_out_unless_wanted():
    limited = [{**silicon(), "builder_meta": {"license": "BY-NC"}}, {**silicon(), "batch_id": "gnome_r2scan_statics"}]
    batch = rows(*limited, {**silicon(), "builder_meta": {"license": "BY-C"}})
    assert {i: r.reason for i, r in batch.rejects.items()} == {0: "by_nc", 1: "by_nc"}
    found = row(limited[0], options={"include_by_nc": "true"})
    assert (found["license"], found["redistributable"]) == ("CC BY-NC 4.0", False)


@pytest.mark.parametrize(("facts", "expected"), [
    ({"is_metal": True, "band_gap": 0.0, "is_gap_direct": False}, "metal"), ({"band_gap": 1.0}, None), ({}, None),
    ({"is_metal": False, "band_gap": 0.6, "is_gap_direct": False}, "indirect"), ({"band_gap": 0.0}, None),
    ({"band_gap": 2.0, "is_gap_direct": True}, "direct"), ({"band_gap": None, "is_gap_direct": True}, None),
])
def test_kind_of_band_gap(facts, expected):
    assert row({**silicon(), **facts})["band_gap_type"] == expected


THERMO = {
    "material_id": "mp-aaaaaaft", "thermo_type": "GGA_GGA+U_R2SCAN", "energy_type": "r2SCAN",
    "uncorrected_energy_per_atom": -10.7, "formation_energy_per_atom": 0.0, "energy_above_hull": 0.0,
    "entries": {"r2SCAN": {"structure": silicon()["structure"],
                           "parameters": {"potcar_spec": [{"titel": "PAW_PBE Si 05Jan2001"}]}}},
}


@pytest.mark.parametrize(("hull", "energy", "functional", "formation", "reference"), [
    ("GGA_GGA+U_R2SCAN", "r2SCAN", "r2scan", "pbe_r2scan_mixed", "mp2020"),
    ("GGA_GGA+U_R2SCAN", "GGA+U", "pbe", "pbe_r2scan_mixed", "mp2020"),
    ("GGA_GGA+U_R2SCAN", None, None, "pbe_r2scan_mixed", "mp2020"),
    ("GGA_GGA+U", "GGA", "pbe", "pbe", "mp2020"), ("GGA_GGA+U", None, "pbe", "pbe", "mp2020"),
    ("R2SCAN", "r2SCAN", "r2scan", "r2scan", "mp_uncorrected"), ("UNKNOWN", None, None, None, "mp2020"),
])
def test_a_thermo_document_says_of_which_functional_each_energy_is(hull, energy, functional, formation, reference):
    found = row(THERMO, "thermo", thermo_type=hull, energy_type=energy)
    assert (found["material_id"], found["collection"]) == ("mp-149", hull)
    assert (found["xc_functional"], found["formation_energy_functional"]) == (functional, formation)
    assert found["formation_energy_reference"] == reference
    assert found["reduced_key"] == "Si_227"


def test_hubbard_u_of_thermo_entries():
    def u(energy, parameters):
        entry = {"structure": silicon()["structure"], "parameters": parameters}
        return row(THERMO, "thermo", energy_type=energy, entries={energy: entry})["hubbard_u_ev"]

    assert u("GGA", {"hubbards": {}}) == []
    assert u("GGA+U", {"hubbards": {"Fe": 5.3, "O": 0.0}}) == [("Fe", 5.3)]
    assert u("GGA+U", {"hubbards": None}) is None
    assert reason(THERMO, "thermo", entries={"r2SCAN": {"parameters": {"hubbards": {"Fe": "much"}}}}) == "bad_value"


def test_real_tasks_give_their_settings():
    batch = rows(*TASKS, kind="task")
    assert not batch.rejects
    ids = [task["task_id"] for task in TASKS]
    found = {name: dict(zip(ids, column, strict=True)) for name, column in batch.columns.items()}
    line, relaxed, plus_u = "mp-cieeq", "mp-ciqht", "mp-dntit"
    assert found["collection"][line] == "GGA NSCF Line"
    assert found["total_energy_ev_per_atom"][line] == -4.861295695
    assert (found["k_grid"][line], found["n_k_points"][line]) == (None, 164)
    assert found["k_grid"][relaxed] == [7, 7, 6]
    assert found["k_point_density_angstrom"][relaxed] == pytest.approx(24.672, abs=1e-3)
    assert found["hubbard_u_ev"][plus_u] == [("W", 6.2)]
    assert found["hubbard_u_ev"][line] == []
    assert found["pseudopotentials"][relaxed] == ["PAW_PBE Mg_pv 13Apr2007", "PAW_PBE O 08Apr2002"]
    assert set(found["cutoff_ev"].values()) == {520.0}
    assert (found["spin_polarized"][line], found["spin_polarized"][relaxed]) == (False, True)
    assert found["code_version"][relaxed].startswith("5.")
    assert set(found["xc_functional"].values()) == {"pbe"}
    assert found["reduced_key"][line] == "Si_227"


@pytest.mark.parametrize(("changes", "column", "expected"), [
    ({"run_type": "GGA", "input": {"potcar_spec": [{"titel": "PAW_GGA Si 05Jan2001"}]}}, "xc_functional", "pw91"),
    ({"run_type": "PBEsol"}, "xc_functional", "pbesol"), ({"run_type": None}, "xc_functional", None),
    ({"run_type": None, "input": {"is_hubbard": True}}, "hubbard_u_ev", None),
    ({"run_type": None, "input": {"is_hubbard": False}}, "hubbard_u_ev", []), ({}, "hubbard_u_ev", []),
    ({"run_type": "GGA+U", "input": {"hubbards": [["Fe", 5.3]]}}, "hubbard_u_ev", [("Fe", 5.3)]),
    ({"run_type": "GGA+U"}, "hubbard_u_ev", None),
    ({"input": {"incar": '{"ENCUT": 680, "ISPIN": 2}'}}, "cutoff_ev", 680.0),
    ({"input": {"incar": '{"ENCUT": 680, "ISPIN": 2}'}}, "spin_polarized", True),
    ({"input": {"incar": {"LSORBIT": True}}}, "relativity", "spin-orbit coupling"), ({}, "spin_polarized", None),
    ({"input": {"kpoints": {"style": "Gamma", "kpoints": [[8, 8, 8]]}, "nkpoints": 60}}, "k_grid", [8, 8, 8]),
    ({"input": {"kpoints": {"generation_style": "Reciprocal", "kpoints": [[0, 0, 0]]}}}, "k_grid", None),
    ({"output": {"energy": -10.0}}, "total_energy_ev_per_atom", -5.0),
])
def test_settings_of_tasks(changes, column, expected):
    task = {"task_id": "mp-1", "run_type": "GGA", "structure": silicon()["structure"]}
    assert row(task, "task", **changes)[column] == expected


CIF_HEAD = "data_X\n_cell_length_a {0}\n_cell_length_b {0}\n_cell_length_c {0}\n" + "".join(
    f"_cell_angle_{angle} 90\n" for angle in ("alpha", "beta", "gamma"))
CIF_SITES = "loop_\n_atom_site_type_symbol\n_atom_site_label\n" + "".join(
    f"_atom_site_fract_{axis}\n" for axis in "xyz") + "_atom_site_occupancy\n"


def test_the_snapshot_of_2018():
    from pymatgen.core import Structure

    structure = Structure.from_dict(SUMMARIES[0]["structure"])
    record = {"material_id": "mp-1", "structure": structure.to(fmt="cif"), "formation_energy_per_atom": -1.0,
              "band_gap": 0.5}
    found = row(record, "snapshot2018")
    assert structure_from_row(found).volume == pytest.approx(structure.volume, rel=1e-6)
    assert found["cell_key"] == row(SUMMARIES[0])["cell_key"]
    assert np.allclose(structure_from_row(found).distance_matrix, structure.distance_matrix, atol=1e-3)
    assert [found[n] for n in ("xc_functional", "formation_energy_functional", "formation_energy_reference",
                               "band_gap_functional")] == ["pbe", "pbe", "mp2018", "pbe"]
    assert found.get("hubbard_u_ev") is None
    assert reason(record, "snapshot2018", structure=None) == "bad_structure"
    assert reason(record, "snapshot2018", structure=record["structure"][:300]) == "bad_structure"


@pytest.mark.parametrize("symprec", [None, 0.01])
def test_cifs_with_and_without_symmetry_are_the_same_crystal(symprec):
    from pymatgen.core import Structure
    from pymatgen.io.cif import CifWriter

    for record in SUMMARIES[:10]:
        structure = Structure.from_dict(record["structure"])
        text = str(CifWriter(structure, symprec=symprec))
        found = row({"material_id": "mp-1", "structure": text}, "snapshot2018")
        assert found["reduced_key"] == row(record)["reduced_key"]
        assert found["volume_angstrom3_per_atom"] == pytest.approx(structure.volume / len(structure), rel=1e-4)


@pytest.mark.parametrize(("sites", "expected"), [
    (" Na Na1 0 0 0 0.5\n", "disordered_structure"), (" Na Na1 0 0 0 0.5\n Cl Cl1 0 0 0 0.5\n", "disordered_structure"),
    (" Na Na1 0 0 0 1\n Cl Cl1 0 0 0 1\n", "bad_structure"), (" Na Na1 ? ? ? 1\n", "bad_structure"),
    (" Xx Xx1 0 0 0 1\n", "bad_structure"), ("", "bad_structure"), (" Na Na1 0 0\n", "bad_structure"),
])
def test_broken_cifs(sites, expected):
    text = CIF_HEAD.format(4.0) + CIF_SITES + sites
    assert reason({"material_id": "mp-1", "structure": text}, "snapshot2018") == expected
    assert reason({"material_id": "mp-1", "structure": CIF_HEAD.format("?") + CIF_SITES + " Na Na1 0 0 0 1\n"},
                  "snapshot2018") == "bad_structure"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=8,
)


@pytest.mark.parametrize(("kind", "base"), [
    ("summary", {**SUMMARIES[0], "builder_meta": {"database_version": "2026-04-13", "license": "BY-C"}}),
    ("thermo", THERMO), ("task", TASKS[1]), ("snapshot2018", {"material_id": "mp-1", "structure": "data_x"}),
], ids=["summary", "thermo", "task", "snapshot2018"])
def test_spoilt_records_are_only_rejected(kind, base):
    @settings(max_examples=examples(60), deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))
    @given(st.data())
    def run(data):
        record = copy.deepcopy(base)
        for _ in range(data.draw(st.integers(1, 3))):
            place = record
            while True:
                keys = list(place) if isinstance(place, dict) else list(range(len(place)))
                if not keys:
                    break
                key = data.draw(st.sampled_from(keys))
                inner = place[key]
                if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
                    place[key] = data.draw(JUNK)
                    break
                place = inner
        batch = rows(record, base, kind=kind)
        assert 1 not in batch.rejects or kind == "snapshot2018"
        assert all(reject.reason and reject.message for reject in batch.rejects.values())
        assert all(len(column) == 2 for column in batch.columns.values())

    run()


def test_normalising_is_column_work():
    records = [copy.deepcopy(r) for r in SUMMARIES for _ in range(25)]
    started = time.process_time()
    batch = Batch(records)
    SOURCE.normalise(batch, "summary", Context({}))
    assert (time.process_time() - started) / len(records) < 300e-6
