"""Structure fingerprints: what they must not depend on, what they must tell apart, and what is set aside."""

from __future__ import annotations

import builtins
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from analytics.fingerprints import structure
from analytics.fingerprints.structure import STRUCTURE, make
from analytics.similarity import tanimoto
from lake.errors import InputError
from lake.tables import TABLES

pytest.importorskip("pymatgen.core")
RECORDS = Path(__file__).parents[1] / "data/crystals/mp-summary.json.gz"
SCHEMA = pa.schema([TABLES["calculations"].schema.field(name) for name in structure.COLUMNS])
SHEAR = np.array([[1, 1, 0], [0, 1, -1], [0, 0, 1]])


def crystals() -> list[tuple[np.ndarray, np.ndarray, list[str]]]:
    """Lattice, positions and elements of real records."""
    found = []
    for record in json.loads(gzip.decompress(RECORDS.read_bytes()))["data"]:
        sites = record["structure"]["sites"]
        found.append((
            np.array(record["structure"]["lattice"]["matrix"]), np.array([site["abc"] for site in sites]),
            [site["species"][0]["element"] for site in sites],
        ))
    return found


def made(*given: tuple) -> structure.Made:
    rows = [
        [None if part is None else np.asarray(part).tolist() for part in crystal] for crystal in given
    ]
    return make(pa.table([pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), SCHEMA,
                                                                              strict=True)], schema=SCHEMA))


def similarity(*given: tuple) -> np.ndarray:
    found = made(*given)
    assert set(found.reasons) == {None}
    return tanimoto.matrix(found.counts)


def cubic(edge: float, positions: list[list[float]], elements: list[str]) -> tuple:
    return np.eye(3) * edge, np.array(positions, dtype=float), elements


FCC = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]


def rock_salt(cation: str, anion: str, edge: float) -> tuple:
    return cubic(edge, FCC + [[x + 0.5, y, z] for x, y, z in FCC], [cation] * 4 + [anion] * 4)


@pytest.mark.parametrize("number", range(0, len(crystals()), max(1, len(crystals()) // 12)))
def test_cell_origin_and_rotation_do_not_matter(number: int) -> None:
    lattice, positions, elements = crystals()[number]
    rng = np.random.default_rng(number)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    copies = np.concatenate([positions + np.array([0, 0, k]) for k in range(2)])
    stretched = np.diag([1, 1, 2]) @ lattice
    fractional = copies @ np.diag([1, 1, 0.5])
    order = rng.permutation(len(copies))
    other = (
        (SHEAR @ stretched @ rotation), ((fractional + rng.random(3)) @ np.linalg.inv(SHEAR))[order],
        [(elements * 2)[i] for i in order],
    )
    assert similarity((lattice, positions, elements), other)[0, 1] >= 0.999


def test_small_displacements_make_small_differences() -> None:
    rng = np.random.default_rng(1)
    for lattice, positions, elements in crystals()[:12]:
        found = []
        for size in (0.001, 0.01, 0.1):
            moved = positions + rng.normal(scale=size, size=positions.shape) @ np.linalg.inv(lattice)
            found.append(similarity((lattice, positions, elements), (lattice, moved, elements))[0, 1])
        assert found[0] > 0.99
        assert found[1] > 0.95
        assert found[0] >= found[1] > found[2]


def test_prototypes_are_alike_whatever_their_elements_and_size() -> None:
    found = similarity(
        rock_salt("Na", "Cl", 5.64), rock_salt("Mg", "O", 4.21), cubic(3.35, [[0, 0, 0]], ["Po"]),
        cubic(4.12, [[0, 0, 0], [0.5, 0.5, 0.5]], ["Cs", "Cl"]),
        cubic(2.87, [[0, 0, 0], [0.5, 0.5, 0.5]], ["Fe", "Fe"]),
    )
    assert found[0, 1] >= 0.999
    # simple cubic is rock salt of one element, and body-centred cubic caesium chloride of one: not the same
    assert found[0, 2] < 0.6
    assert found[3, 4] < 0.6
    assert found[0, 3] < 0.7


def test_what_cannot_be_used_is_set_aside_and_the_rest_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "MOST_ATOMS", 8)
    good = rock_salt("Na", "Cl", 5.64)
    lattice, positions, elements = good
    bad = {
        "no_structure": [
            (None, None, None), (lattice, positions, None), (lattice, [], []), (None, positions, elements),
        ],
        "bad_structure": [
            (lattice, positions[:3], elements), (lattice[:2], positions, elements), (lattice * 0, positions, elements),
            (lattice * np.nan, positions, elements), (lattice, np.full((8, 3), np.inf), elements),
            (lattice, positions[:, :2], elements), (lattice, [[0, 0, 0], [1, 1, 1]], ["Na", "Cl"]),
            (np.ones((3, 3)), positions, elements), (lattice, positions, [None] * 8),
        ],
        "too_many_atoms": [(lattice, np.random.default_rng(1).random((9, 3)), ["Na"] * 9)],
    }
    expected = [reason for reason, rows in bad.items() for _ in rows]
    found = made(good, *[row for rows in bad.values() for row in rows], good)
    assert list(found.reasons) == [None, *expected, None]
    assert all(found.messages[1:-1])
    assert (found.counts[0] == found.counts[-1]).all()
    assert found.counts[0].any()


def test_a_failure_of_the_library_costs_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    real = structure.neighbour_search()

    def fragile(sites: np.ndarray, *more: object) -> tuple:
        if len(sites) == 1:
            raise RuntimeError("no luck")
        return real(sites, *more)

    monkeypatch.setattr(structure, "neighbour_search", lambda: fragile)
    found = made(cubic(3.35, [[0, 0, 0]], ["Po"]), rock_salt("Na", "Cl", 5.64))
    assert list(found.reasons) == ["library_failure", None]
    assert "RuntimeError: no luck" in str(found.messages[0])


def test_without_pymatgen_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: object, **named: object) -> object:
        if name.startswith("pymatgen"):
            raise ImportError(name)
        return real(name, *more, **named)  # type: ignore[arg-type]

    monkeypatch.delitem(sys.modules, "pymatgen.optimization.neighbors", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'matlake\[structures\]'"):
        structure.neighbour_search()


def test_counts_fit_the_grid() -> None:
    found = made(*crystals()[:20])
    assert found.counts.shape == (20, STRUCTURE.n_counts)
    assert found.counts.dtype == STRUCTURE.dtype
    assert 0 < found.counts.max() <= STRUCTURE.levels
    # crowded counts would hide differences
    assert (found.counts == STRUCTURE.levels).mean() < 0.001
