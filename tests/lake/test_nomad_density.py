"""Densities of states of NOMAD: units, spin channels, references, older and resolved forms."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from lake.sources import find
from lake.sources.base import Context
from lake.sources.batch import Batch

DATA = Path(__file__).parent.parent / "data" / "nomad"
JOULE = 1.602176634e-19
NOMAD = find("nomad")
ENERGIES = [(-5 + 0.1 * i) * JOULE for i in range(100)]


@pytest.fixture
def archives():
    return json.loads(gzip.decompress((DATA / "archives.json.gz").read_bytes()))["data"]


def columns(record):
    """The columns of the one density of states in a record."""
    _, found = NOMAD.derived([record], "archive")
    assert found == [record]
    batch = Batch(found, "dos")
    NOMAD.normalise(batch, "archive_dos", Context({}))
    assert not batch.rejects, batch.rejects
    return {name: values[0] for name, values in batch.columns.items()}


def refusal(record):
    batch = Batch([record], "dos")
    NOMAD.normalise(batch, "archive_dos", Context({}))
    assert batch.rejects[0].reason == "bad_dos"
    return batch.rejects[0].message


def step(height, top):
    """A density of ``height`` states/eV up to ``top`` eV, in 1/J."""
    return [(height if e <= top * JOULE + 1e-25 else 0.0) / JOULE for e in ENERGIES]


def section(values, spin=None, **more):
    return {"energies": ENERGIES, "total": [{"value": values, "normalization_factor": 1e-19}], **more} | (
        {} if spin is None else {"spin_channel": spin})


def archive(*densities, **calculation):
    atoms = {"labels": ["Na", "Cl"], "periodic": [True] * 3, "positions": [[0, 0, 0], [2e-10, 2e-10, 2e-10]],
             "lattice_vectors": [[4e-10, 0, 0], [0, 4e-10, 0], [0, 0, 4e-10]]}
    return {"entry_id": "x", "archive": {"run": [{
        "system": [{"atoms": atoms}], "calculation": [{"dos_electronic": list(densities), **calculation}],
    }]}}


def test_real_densities_integrate_to_their_electrons(archives):
    for record in archives:
        row = columns(record)
        energies, density = np.array(row["energies_ev"]), np.array(row["states_per_ev_per_atom"])
        filled = energies < row["fermi_energy_ev"]
        assert np.trapezoid(density[filled], energies[filled]) * row["n_atoms"] == pytest.approx(16, abs=0.01)
        source = record["archive"]["run"][0]["calculation"][0]["dos_electronic"][0]
        assert row["reference_level"] == "vbm_reported"
        assert row["reference_energy_ev"] == pytest.approx(source["energy_ref"] / JOULE)
        assert row["spin_polarized"] is False
        assert row["xc_functional"] in ("pbe", "lda")
        assert row["license"] == "CC BY 4.0"


def test_two_channels_with_the_higher_band_edge():
    row = columns(archive(
        section(step(2.0, -1.0), 0, energy_ref=-1.0 * JOULE, energy_fermi=0.5 * JOULE),
        section(step(1.0, 0.0), 1, energy_ref=0.0, energy_fermi=0.5 * JOULE),
    ))
    assert row["spin_polarized"] is True
    assert row["reference_energy_ev"] == 0.0
    assert row["fermi_energy_ev"] == pytest.approx(0.5)
    assert max(row["spin_up_states_per_ev_per_atom"]) == pytest.approx(1.0)
    assert max(row["spin_down_states_per_ev_per_atom"]) == pytest.approx(0.5)
    assert max(row["states_per_ev_per_atom"]) == pytest.approx(1.5)


def test_channels_in_one_section_as_in_2022():
    both = {"energies": ENERGIES, "energy_fermi": 0.5 * JOULE, "total": [
        {"value": step(2.0, 0.0), "spin": 0}, {"value": step(2.0, 0.0), "spin": 1},
    ], "band_gap": [{"energy_highest_occupied": -0.2 * JOULE}, {"energy_highest_occupied": 0.0}]}
    row = columns(archive(both))
    assert row["spin_polarized"] is True
    assert row["reference_energy_ev"] == 0.0


def test_references_that_the_server_resolved():
    data = [{"energies": ENERGIES, "total": {"value": step(1.0, 0.0)}, "energy_ref": 0.0, "energy_fermi": 0.1 * JOULE}]
    record = archive()
    record["archive"]["results"] = {"properties": {"electronic": {"dos_electronic_new": [{"data": data}]}}}
    assert columns(record)["reference_level"] == "vbm_reported"
    data[0]["total"] = step(1.0, 0.0)
    assert columns(record)["n_atoms"] == 2


def test_fermi_level_and_edge_of_the_calculation_serve_where_the_section_has_none():
    row = columns(archive(section(step(1.0, 0.0)), energy={"fermi": 0.5 * JOULE, "highest_occupied": 0.0}))
    assert (row["reference_level"], row["fermi_energy_ev"]) == ("vbm_reported", pytest.approx(0.5))
    row = columns(archive(section(step(1.0, 0.0)), energy={"fermi": 0.5 * JOULE}))
    assert row["reference_level"] == "vbm_from_dos"


def test_paths_are_no_density():
    paths = {"energies": "/run/0/calculation/0/dos_electronic/0/energies", "total": ["/run/0/…/total/0"]}
    record = archive(paths)
    record["archive"]["results"] = {"properties": {"electronic": {"dos_electronic": [paths]}}}
    assert NOMAD.derived([record], "archive") == ("archive_dos", [])


def test_the_last_density_counts():
    first = archive(section(step(1.0, 0.0), energy_ref=0.0))
    first["archive"]["run"][0]["calculation"].append({"dos_electronic": [section(step(3.0, 0.0), energy_ref=0.0)]})
    assert max(columns(first)["states_per_ev_per_atom"]) == pytest.approx(1.5)


def test_what_does_not_fit_together_is_refused():
    shifted = section(step(1.0, 0.0), 1, energy_ref=0.0)
    shifted["energies"] = [e + JOULE for e in ENERGIES]
    assert "different energies" in refusal(archive(section(step(1.0, 0.0), 0, energy_ref=0.0), shifted))
    half = archive(section(step(1.0, 0.0), 0, energy_ref=0.0))
    half["archive"]["results"] = {"method": {"simulation": {"dft": {"spin_polarized": True}}}}
    assert "second channel" in refusal(half)
    assert "first spin channel" in refusal(archive(section(step(1.0, 0.0), 1, energy_ref=0.0)))
    bare = archive(section(step(1.0, 0.0), energy_ref=0.0))
    del bare["archive"]["run"][0]["system"]
    assert "n_atoms" in refusal(bare)
    assert "numbers" in refusal(archive(section(["a"] * 100, energy_ref=0.0)))


def test_a_broken_density_does_not_cost_the_calculation(archives, lake, tmp_path):
    from lake.ingest.run import ingest

    record = copy.deepcopy(archives[0])
    record["archive"]["run"][0]["calculation"][0]["dos_electronic"][0]["total"][0]["value"] = [1.0]
    (tmp_path / "broken.json").write_text(json.dumps([record]))
    taken = ingest(lake, "nomad", saved=[str(tmp_path / "broken.json")])
    assert (taken.new, taken.rejected, lake.read("dos").num_rows) == (1, 0, 0)
    assert [r["reason"] for r in lake.read("rejects").to_pylist()] == ["bad_dos"]
