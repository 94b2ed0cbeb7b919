"""Alloys of the NOMAD 2018 competition: files in, rows out; what is broken is rejected with its reason."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.errors import SettingsError
from lake.ingest.result import IncompleteIngestError
from lake.ingest.run import ingest
from lake.sources import find, names
from lake.store.lake import Lake

SAMPLE = Path(__file__).parents[2] / "samples/nomad2018/al_ga_in_oxides-train.parquet"


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    small = sorted(pq.read_table(SAMPLE).to_pylist(), key=lambda r: (len(r["species"]), r["id"]))
    return small[:12]


def write(path: Path, records: list[dict[str, Any]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(records), path)
    return str(path)


def rows(lake: Lake) -> dict[str, dict[str, Any]]:
    return {row["source_id"]: row for row in lake.read("calculations").to_pylist()}


def geometry(record: dict[str, Any]) -> str:
    vectors = [f"lattice_vector {a!r} {b!r} {c!r} " for a, b, c in record["lattice_vectors_angstrom"]]
    atoms = [f"atom {x!r} {y!r} {z!r} {element}" for (x, y, z), element
             in zip(record["cartesian_positions_angstrom"], record["species"], strict=True)]
    return "\n".join(["#=====", "#Created using the Atomic Simulation Environment (ASE)", *vectors, *atoms, ""])


def competition(folder: Path, records: list[dict[str, Any]], part: str = "train") -> Path:
    """The folder as the competition gave it."""
    lines = ["id,spacegroup,number_of_total_atoms,percent_atom_al,formation_energy_ev_natom,bandgap_energy_ev"]
    for record in records:
        place = folder / part / str(record["id"])
        place.mkdir(parents=True)
        (place / "geometry.xyz").write_text(geometry(record))
        lines.append(f"{record['id']},{record['spacegroup_number']},{len(record['species'])}.0,0.5,"
                     f"{record['formation_energy_ev_per_cation']},{record['band_gap_ev']}")
    (folder / f"{part}.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_energies_become_those_per_atom_against_the_binary_oxides(
    records: list[Any], lake: Lake, tmp_path: Path,
) -> None:
    result = ingest(lake, "nomad2018", saved=[write(tmp_path / "oxides-train.parquet", records)])
    assert (result.fetched, result.new, result.rejected) == (12, 12, 0)
    found = rows(lake)
    assert set(found) == {f"train/{r['id']}" for r in records}
    for record in records:
        row = found[f"train/{record['id']}"]
        cations = sum(element != "O" for element in record["species"])
        total = record["formation_energy_ev_per_cation"] * cations
        assert row["formation_energy_ev_per_atom"] == pytest.approx(total / len(record["species"]), abs=1e-12)
        assert (row["formation_energy_reference"], row["formation_energy_functional"]) == ("binary_oxides", "pbe")
        assert (row["band_gap_ev"], row["band_gap_functional"]) == (record["band_gap_ev"], "pbe")
        assert (row["code"], row["settings_tier"], row["collection"]) == ("fhi-aims", "tight", "train")
        assert row["spacegroup_source"] == record["spacegroup_number"]
        assert 1 <= row["spacegroup_number"] <= 230
        assert row["redistributable"] is False
        placed = np.array(row["fractional_positions"]) @ np.array(row["lattice_vectors_angstrom"])
        apart = (placed - record["cartesian_positions_angstrom"]) @ np.linalg.inv(row["lattice_vectors_angstrom"])
        assert np.abs(apart - apart.round()).max() < 1e-9
        assert row["species_at_sites"] == record["species"]


def test_the_competitions_own_files_give_the_same_rows(records: list[Any], tmp_path: Path, lake: Lake) -> None:
    result = ingest(lake, "nomad2018", saved=[str(competition(tmp_path / "own", records))])
    assert result.fetched == 24
    assert result.balanced
    assert result.rejected == 0
    ours = rows(lake)
    other = Lake.open(str(tmp_path / "other"), lake.settings)
    ingest(other, "nomad2018", saved=[write(tmp_path / "oxides-train.parquet", records)])
    theirs = rows(other)
    assert set(ours) == set(theirs)
    provenance = {"record_kind", "record_sha256", "raw_sha256", "fetched_at", "fractional_positions"}
    for name, row in ours.items():
        assert {k: v for k, v in row.items() if k not in provenance} == {
            k: v for k, v in theirs[name].items() if k not in provenance}
        np.testing.assert_allclose(row["fractional_positions"], theirs[name]["fractional_positions"], atol=1e-12)
    again = ingest(lake, "nomad2018", saved=[str(tmp_path / "own")])
    assert (again.unchanged, again.versions) == (24, result.versions)


def test_both_parts_number_their_records_from_one(records: list[Any], tmp_path: Path, lake: Lake) -> None:
    competition(tmp_path / "own", records[:2], "train")
    competition(tmp_path / "own", records[:2], "test")
    assert ingest(lake, "nomad2018", saved=[str(tmp_path / "own")]).balanced
    assert set(rows(lake)) == {f"{part}/{r['id']}" for part in ("train", "test") for r in records[:2]}


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no species": ({"species": None}, "bad_structure"),
    "one atom too few": ({"species": ["O"]}, "bad_structure"),
    "no number": ({"cartesian_positions_angstrom": [[math.nan, 0.0, 0.0]] * 10, "species": ["O"] * 10},
                  "bad_structure"),
    "two vectors": ({"lattice_vectors_angstrom": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]}, "bad_structure"),
    "in one plane": ({"lattice_vectors_angstrom": [[1.0, 0.0, 0.0]] * 3}, "bad_structure"),
    "no alloy": ({"species": ["Fe", "O"], "cartesian_positions_angstrom": [[0.0] * 3, [1.0] * 3]}, "contradictory"),
    "cut": ({"species": ["Al", "O"], "cartesian_positions_angstrom": [[0.0] * 3, [1.0] * 3]}, "contradictory"),
    "no such group": ({"spacegroup_number": 231}, "out_of_range"),
    "negative gap": ({"band_gap_ev": -1.0}, "out_of_range"),
    "no id": ({"id": None}, "no_id"),
}


def test_broken_records_are_rejected_with_a_reason_and_the_others_taken(
    records: list[Any], tmp_path: Path, lake: Lake,
) -> None:
    broken = [records[k] | change for k, (change, _) in enumerate(BROKEN.values())]
    result = ingest(lake, "nomad2018", saved=[write(tmp_path / "train.parquet", broken + records[len(broken):])])
    assert (result.fetched, result.new, result.rejected) == (12, 2, 10)
    assert result.balanced
    by_id = {r["calculation_id"]: r["reason"] for r in lake.read("rejects").to_pylist()}
    expected = {None if r["id"] is None else f"nomad2018/train/{r['id']}": reason
                for r, (_, reason) in zip(broken, BROKEN.values(), strict=True)}
    assert by_id == expected


def test_missing_values_are_null_and_cost_nothing_else(records: list[Any], tmp_path: Path, lake: Lake) -> None:
    changed = [records[0] | {"band_gap_ev": math.nan}, records[1] | {"formation_energy_ev_per_cation": None}]
    assert ingest(lake, "nomad2018", saved=[write(tmp_path / "train.parquet", changed)]).new == 2
    first, second = (rows(lake)[f"train/{r['id']}"] for r in changed)
    assert (first["band_gap_ev"], first["band_gap_functional"]) == (None, None)
    assert first["formation_energy_ev_per_atom"] is not None
    assert (second["formation_energy_ev_per_atom"], second["formation_energy_reference"]) == (None, None)


def test_a_geometry_that_is_cut_is_rejected(records: list[Any], tmp_path: Path, lake: Lake) -> None:
    folder = competition(tmp_path / "own", records[:3])
    for record, within_a_line in zip(records[:2], (True, False), strict=True):
        place = folder / "train" / str(record["id"]) / "geometry.xyz"
        lines = place.read_text()
        place.write_text(lines[:-4] if within_a_line else "\n".join(lines.splitlines()[:-2]) + "\n")
    result = ingest(lake, "nomad2018", saved=[str(folder)])
    assert result.balanced
    assert sorted(r["reason"] for r in lake.read("rejects").to_pylist()) == ["bad_structure", "contradictory"]
    assert rows(lake)[f"train/{records[0]['id']}"]["species_at_sites"] is None
    assert rows(lake)[f"train/{records[2]['id']}"]["species_at_sites"] is not None


def test_other_files_are_named_not_taken(records: list[Any], tmp_path: Path, lake: Lake) -> None:
    folder = competition(tmp_path / "own", records[:1])
    (folder / "sample_submission.csv").write_text("id,formation_energy_ev_natom,bandgap_energy_ev\n1,0.1779,1.8892\n")
    with pytest.raises(IncompleteIngestError, match="sample_submission"):
        ingest(lake, "nomad2018", saved=[str(folder)])
    assert set(rows(lake)) == {f"train/{records[0]['id']}"}
    assert rows(lake)[f"train/{records[0]['id']}"]["band_gap_ev"] == records[0]["band_gap_ev"]


def test_there_is_nothing_to_ask_live(lake: Lake) -> None:
    assert "nomad2018" in names()
    assert "Sutton" in find("nomad2018").declaration.citations[0]
    with pytest.raises(SettingsError, match="--from FOLDER"):
        ingest(lake, "nomad2018")
