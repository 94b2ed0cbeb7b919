"""The records that a server holds: read from a folder, or made from other records."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.servers.aflow import Aflow
from tests.servers.exchange import Database, Row
from tests.servers.materials_project import ROUTES, MaterialsProject
from tests.servers.nomad import Nomad
from tests.servers.optimade import Optimade


def read(folder: Path) -> list[Row]:
    """All records of the JSON replies below a folder (``.json``, ``.json.gz``), in order of their names."""
    files = sorted([*folder.rglob("*.json"), *folder.rglob("*.json.gz")]) if folder.is_dir() else []
    return [row for file in files for row in _rows(file)]


def _rows(file: Path) -> list[Row]:
    body = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    document: Any = json.loads(body)
    if isinstance(document, dict):
        document = document["data"] if "data" in document else list(document.values())
    return [row for row in document if isinstance(row, dict)]


def load(folder: Path, api_key: str | None = None) -> list[Database]:
    """The four databases over what lies in a folder.

    Layout: ``aflow/**`` AFLUX replies; ``mp/<route>/**`` for every route of the Materials Project;
    ``nomad/entries*/**`` and ``nomad/archive*/**``; ``optimade/**`` (made from ``mp/summary`` where missing).
    """
    aflux = folder / "aflow" / "aflux"
    documents = {route: read(folder / "mp" / route) for route in ROUTES}
    nomad = [sorted((folder / "nomad").glob(f"{kind}*")) for kind in ("entries", "archive")]
    entries, archives = ([row for part in parts for row in read(part)] for parts in nomad)
    structures = read(folder / "optimade") or optimade_entries(documents["summary"])
    return [
        Aflow(read(aflux if aflux.is_dir() else folder / "aflow")),
        MaterialsProject(documents, api_key),
        Nomad(entries, archives),
        Optimade(structures),
    ]


def optimade_entries(summaries: Sequence[Row]) -> list[Row]:
    """OPTIMADE structure entries from MP summary documents."""
    return [_optimade_entry(summary) for summary in summaries]


def _optimade_entry(summary: Row) -> Row:
    structure = summary["structure"]
    matrix = np.asarray(structure["lattice"]["matrix"], dtype=float)
    fractions = np.asarray([site["abc"] for site in structure["sites"]], dtype=float)
    species = [site["species"][0]["element"] for site in structure["sites"]]
    counts = {element: species.count(element) for element in sorted(set(species))}
    divisor = int(np.gcd.reduce(list(counts.values())))
    ratios = {element: count // divisor for element, count in counts.items()}
    attributes = {
        "elements": list(counts),
        "nelements": len(counts),
        "elements_ratios": [count / len(species) for count in counts.values()],
        "chemical_formula_reduced": "".join(f"{e}{n if n > 1 else ''}" for e, n in ratios.items()),
        "chemical_formula_descriptive": "".join(f"{e}{n}" for e, n in counts.items()),
        "dimension_types": [1, 1, 1],
        "nperiodic_dimensions": 3,
        "lattice_vectors": matrix.tolist(),
        "cartesian_site_positions": (fractions @ matrix).tolist(),
        "nsites": len(species),
        "species": [{"name": e, "chemical_symbols": [e], "concentration": [1.0]} for e in counts],
        "species_at_sites": species,
        "structure_features": [],
        "last_modified": "2026-03-02T18:11:04Z",
        "immutable_id": f"immutable-{summary['material_id']}",
    }
    return {"id": summary["material_id"], "type": "structures", "attributes": attributes}
