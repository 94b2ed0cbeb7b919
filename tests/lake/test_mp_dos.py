"""Densities of states of the Materials Project: pymatgen's documents, emmet's records, spoilt ones."""

from __future__ import annotations

import copy
import gzip
from pathlib import Path

import numpy as np
import orjson
import pytest

from lake.ingest.run import ingest
from lake.sources import find
from lake.sources.base import Context
from lake.sources.batch import Batch

DATA = Path(__file__).parent.parent / "data" / "mp"
SOURCE = find("mp")
METAL = orjson.loads(gzip.decompress((DATA / "dos_spin_polarization_mp-865805.json.gz").read_bytes()))
OXIDE, SILICON = orjson.loads(gzip.decompress((DATA / "es_dos_objs.json.gz").read_bytes()))


def batch_of(*records, **options):
    batch = Batch([copy.deepcopy(r) for r in records], "dos")
    SOURCE.normalise(batch, "dos", Context(options))
    return batch


def row(record, **changes):
    batch = batch_of({**record, **changes})
    assert not batch.rejects, batch.rejects
    return {name: column[0] for name, column in batch.columns.items()}


def emmet_record(document):
    """The same density as a record of emmet's ElectronicDos, as in the tables on S3."""
    inner = document.get("data", document)
    return {
        "identifier": "aaaaaaft", "run_type": "GGA+U", "structure": inner["structure"], "energies": inner["energies"],
        "spin_up_densities": inner["densities"]["1"], "spin_down_densities": inner["densities"].get("-1"),
        "efermi": inner["efermi"],
    }


@pytest.mark.parametrize("document", [METAL, OXIDE, SILICON], ids=["metal", "oxide", "silicon"])
def test_both_forms_hold_states_per_atom_of_the_right_number(document):
    from pymatgen.electronic_structure.dos import CompleteDos

    inner = document.get("data", document)
    dos, found = CompleteDos.from_dict(inner), row(document)
    total = sum(np.asarray(v) for v in dos.densities.values())
    assert found["n_atoms"] == len(dos.structure)
    assert np.allclose(np.array(found["states_per_ev_per_atom"]) * found["n_atoms"], np.clip(total, 0, None))
    assert np.allclose(np.array(found["energies_ev"]) + found["reference_energy_ev"], dos.energies)
    assert found["fermi_energy_ev"] + found["reference_energy_ev"] == pytest.approx(dos.efermi)
    assert found["spin_polarized"] is (len(dos.densities) == 2)
    other = row(emmet_record(document))
    assert other["states_per_ev_per_atom"] == found["states_per_ev_per_atom"]
    assert other["xc_functional"] == "pbe"
    assert other["source_url"].endswith("/tasks/mp-149")


def test_the_zero_is_the_band_edge_or_the_fermi_level_of_a_metal():
    assert row(METAL)["reference_level"] == "fermi"
    assert row(SILICON)["reference_level"] == "vbm_from_dos"
    stated = {**emmet_record(SILICON), "band_gap": 0.61, "vbm": 5.6}
    assert (row(stated)["reference_level"], row(stated)["reference_energy_ev"]) == ("vbm_reported", 5.6)
    assert row(stated, band_gap=0.0)["reference_level"] == "vbm_from_dos"


@pytest.mark.parametrize("changes", [
    {"structure": None}, {"structure": 3}, {"energies": []}, {"energies": None}, {"spin_up_densities": None},
    {"spin_up_densities": [1.0]}, {"spin_down_densities": "x"}, {"efermi": None}, {"efermi": "high"}, {"efermi": 1e6},
    {"energies": ["a"] * 301}, {"spin_up_densities": [-5.0] * 301, "spin_down_densities": None},
])
def test_spoilt_densities_are_set_aside(changes):
    record = emmet_record(OXIDE)
    batch = batch_of({**record, **changes}, record)
    assert {i: r.reason for i, r in batch.rejects.items()} == {0: "bad_dos"}


def test_saved_densities_become_rows_and_those_of_nothing_known_are_counted(lake):
    result = ingest(lake, "mp", saved=[str(p) for p in sorted(DATA.glob("*dos*"))])
    assert (result.fetched, result.taken, dict(result.reasons)) == (4, 3, {"no_id": 1})
    found = lake.read("dos").to_pylist()
    assert {r["source_id"] for r in found} == {"mp-865805", "task:mp-823888", "task:mp-1686587"}
    crystals = {r["source_id"]: r for r in lake.read("calculations").to_pylist()}
    assert {name: r["cell_key"] for name, r in crystals.items()} == {
        "mp-865805": "Co2TaZn_225", "task:mp-823888": "O2W_166", "task:mp-1686587": "Si2_227",
    }
    assert ingest(lake, "mp", saved=[str(p) for p in sorted(DATA.glob("*dos*"))]).unchanged == 3


@pytest.mark.parametrize("dos_first", [True, False])
def test_the_crystal_of_a_density_yields_to_the_record_of_its_calculation(lake, tmp_path, dos_first):
    [path] = DATA.glob("dos_spin_polarization_mp-865805*")
    summary = tmp_path / "summary.json"
    structure = dict(METAL["structure"])
    structure["lattice"] = {**structure["lattice"], "matrix": [[9.0, 0, 0], [0, 9.0, 0], [0, 0, 9.0]]}
    summary.write_bytes(orjson.dumps({"data": [{"material_id": "mp-865805", "structure": structure, "band_gap": 0.0}]}))
    for saved in (path, summary) if dos_first else (summary, path):
        ingest(lake, "mp", saved=[str(saved)])
    [row] = lake.read("calculations").to_pylist()
    assert (row["record_kind"], row["volume_angstrom3_per_atom"]) == ("summary", pytest.approx(729 / 4))
    assert lake.read("dos").num_rows == 1
