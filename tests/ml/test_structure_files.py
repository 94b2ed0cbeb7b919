"""Structure files: what every program writes is read alike, and what is no crystal is named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.io import write
from pymatgen.core import Lattice, Molecule, Structure

from lake.errors import InputError
from ml.predict import structures
from ml.predict.structures import read_structures

SALT = Structure(Lattice.cubic(4.2), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
MIXED = Structure(Lattice.cubic(3), [{"Fe": 0.5, "Co": 0.5}], [[0, 0, 0]])
HYDROGEN = Molecule(["H", "H"], [[0, 0, 0], [0, 0, 0.7]])
POSCAR = "x\n1.0\n{cell}\n{counts}\nDirect\n{positions}\n"
CUBE = "3 0 0\n0 3 0\n0 0 3"


def charged() -> Structure:
    found = SALT.copy()
    found.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    return found


def as_atoms() -> Atoms:
    return Atoms("NaCl", cell=[4.2] * 3, scaled_positions=SALT.frac_coords, pbc=True)


GOOD: dict[str, Callable[[Path], object]] = {
    "a.cif": lambda path: SALT.to(str(path)),
    "POSCAR": lambda path: SALT.to(str(path)),
    "CONTCAR.relaxed": lambda path: path.write_text(SALT.to(fmt="poscar")),
    "b.vasp": lambda path: path.write_text(SALT.to(fmt="poscar")),
    "b.json": lambda path: SALT.to(str(path)),
    "charged.json": lambda path: charged().to(str(path)),
    "document.json": lambda path: path.write_text(json.dumps({"material_id": "mp-1", "structure": SALT.as_dict()})),
    "list.json": lambda path: path.write_text(json.dumps([SALT.as_dict()])),
    "c.xyz": lambda path: write(path, as_atoms(), format="extxyz"),
    "d.traj": lambda path: write(path, as_atoms()),
    "e.xsf": lambda path: write(path, as_atoms()),
    "no_suffix": lambda path: path.write_text(SALT.to(fmt="cif")),
    "bom.cif": lambda path: path.write_bytes(b"\xef\xbb\xbf" + SALT.to(fmt="cif").encode()),
}
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.cif": (lambda path: path.write_text(" \n"), "is empty"),
    "rubbish.cif": (lambda path: path.write_text("hello world"), "cannot be read as CIF"),
    "cut.cif": (lambda path: path.write_text(SALT.to(fmt="cif")[:300]), "cannot be read as CIF"),
    "binary.cif": (lambda path: path.write_bytes(os.urandom(400) + b"\xff\xfe"), "is no text"),
    "mixed.cif": (lambda path: MIXED.to(str(path)), "disordered: site 1 holds"),
    "mixed.json": (lambda path: MIXED.to(str(path)), "disordered: site 1 holds 0.5 Fe, 0.5 Co"),
    "vacant.json": (lambda path: Structure(Lattice.cubic(3), [{"Fe": 0.9}], [[0, 0, 0]]).to(str(path)), "0.9 Fe"),
    "rubbish.json": (lambda path: path.write_text("{a"), "cannot be read as JSON"),
    "other.json": (lambda path: path.write_text('{"a": 1}'), "no structure as pymatgen"),
    "number.json": (lambda path: path.write_text("3"), "no structure as pymatgen"),
    "nothing.json": (lambda path: path.write_text("[]"), "holds no structure"),
    "deep.json": (lambda path: path.write_text("[" * 100_000), "cannot be read as JSON"),
    "molecule.json": (lambda path: path.write_text(json.dumps(HYDROGEN.as_dict())), "it is a molecule"),
    "sites.json": (lambda path: path.write_text('{"lattice": {"matrix": [[1,0,0]]}, "sites": [{"abc": [0,0,0]}]}'),
                   "site 1 that cannot be read"),
    "dummy.json": (lambda path: path.write_text(json.dumps(SALT.as_dict()).replace('"Na"', '"Xx"')), "'Xx'"),
    "water.xyz": (lambda path: write(path, molecule("H2O")), "molecule or cluster"),
    "slab.xyz": (lambda path: write(path, fcc111("Al", (1, 1, 3), vacuum=5), format="extxyz", columns=[
        "symbols", "positions"]), "slab"),
    "rubbish.xyz": (lambda path: path.write_text("hello"), "extended XYZ"),
    "rubbish.foo": (lambda path: path.write_text("hello"), "form that is not known"),
    "things.db": (lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(100)), "not read here|not known|cannot"),
    "POSCAR_4": (lambda path: path.write_text(POSCAR.format(cell=CUBE, counts="1", positions="0 0 0")),
                 "names no elements"),
    "POSCAR_twice": (lambda path: path.write_text(POSCAR.format(cell=CUBE, counts="Fe\n2", positions="0 0 0\n0 0 0")),
                     "in the place of another"),
    "POSCAR_nan": (lambda path: path.write_text(POSCAR.format(cell="nan 0 0\n0 3 0\n0 0 3", counts="Fe\n1",
                                                              positions="0 0 0")), "not finite"),
    "POSCAR_flat": (lambda path: path.write_text(POSCAR.format(cell="3 0 0\n3 0 0\n0 0 3", counts="Fe\n1",
                                                               positions="0 0 0")), "cell of 0"),
}


@pytest.mark.parametrize("name", GOOD)
def test_every_form_gives_the_same_crystal(tmp_path: Path, name: str) -> None:
    GOOD[name](tmp_path / name)
    read = read_structures([tmp_path / name])
    assert read.failures == {}
    (row,) = read.rows.to_pylist()
    assert row["calculation_id"] == str(tmp_path / name)
    assert (row["formula_reduced"], row["elements"], row["n_sites"], row["material_key"]) == (
        "ClNa", ["Cl", "Na"], 2, "ClNa_221")
    np.testing.assert_allclose(np.abs(np.linalg.det(row["lattice_vectors_angstrom"])), 4.2**3, rtol=1e-5)
    assert sorted(row["species_at_sites"]) == ["Cl", "Na"]


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_crystal_is_said(tmp_path: Path, name: str) -> None:
    make, message = BAD[name]
    make(tmp_path / name)
    read = read_structures([tmp_path / name])
    assert read.rows.num_rows == 0
    (reason,) = read.failures.values()
    assert any(word in reason for word in message.split("|")), reason
    assert list(read.failures) == [str(tmp_path / name)]


def test_good_files_are_read_beside_bad_ones_and_folders_are_searched(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    GOOD["a.cif"](tmp_path / "a.cif")
    GOOD["POSCAR"](tmp_path / "below" / "POSCAR")
    (tmp_path / "README.md").write_text("not a structure")
    (tmp_path / "bad.cif").write_text("rubbish")
    read = read_structures([tmp_path, tmp_path / "a.cif", tmp_path / "gone.cif"])
    assert read.rows["calculation_id"].to_pylist() == [str(tmp_path / "a.cif"), str(tmp_path / "below" / "POSCAR")]
    assert set(read.failures) == {str(tmp_path / "bad.cif"), str(tmp_path / "gone.cif")}
    assert "No such file" in read.failures[str(tmp_path / "gone.cif")]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no structure file" in read_structures([empty]).failures[str(empty)]
    with pytest.raises(InputError, match="Predict for what"):
        read_structures([])


def test_several_crystals_of_one_file_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path / "many.xyz", [bulk("Cu"), bulk("Cu") * 2, molecule("H2O")][:2], format="extxyz")
    read = read_structures([tmp_path / "many.xyz"])
    assert [name[-2:] for name in read.rows["calculation_id"].to_pylist()] == ["#1", "#2"]
    assert read.rows["material_key"].to_pylist() == ["Cu_225", "Cu_225"]
    bad = SALT.copy()
    bad.append("Na", [0, 0, 0])
    (tmp_path / "two.json").write_text(json.dumps([SALT.as_dict(), bad.as_dict()]))
    read = read_structures([tmp_path / "two.json"])
    assert read.rows.num_rows == 1
    assert list(read.failures) == [f"{tmp_path / 'two.json'}#2"]


@pytest.mark.parametrize("name", ["a.cif", "POSCAR", "b.json", "c.xyz"])
def test_the_standard_input_is_known_by_what_it_holds(tmp_path: Path, name: str) -> None:
    GOOD[name](tmp_path / name)
    read = read_structures(["-"], stdin=(tmp_path / name).read_bytes)
    assert read.failures == {}
    assert read.rows["material_key"].to_pylist() == ["ClNa_221"]
    assert read.rows["calculation_id"].to_pylist() == ["-"]


def test_what_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    GOOD["a.cif"](tmp_path / "a.cif")
    with monkeypatch.context() as patched:
        patched.setattr(structures, "MOST_BYTES", 100)
        assert "MB" in read_structures([tmp_path / "a.cif"]).failures[str(tmp_path / "a.cif")]
    monkeypatch.setattr(structures, "MOST_ATOMS", 1)
    assert "2 atoms" in read_structures([tmp_path / "a.cif"]).failures[str(tmp_path / "a.cif")]


def test_a_file_is_never_run(tmp_path: Path) -> None:
    """pymatgen's own reader imports the module that a file names."""
    values = SALT.as_dict() | {"@module": "never_to_be_imported", "@class": "Bomb"}
    values["sites"][0]["properties"] = {"x": {"@module": "never_to_be_imported", "@class": "Bomb"}}
    (tmp_path / "never_to_be_imported.py").write_text("raise SystemExit('imported')")
    (tmp_path / "a.json").write_text(json.dumps(values))
    assert read_structures([tmp_path / "a.json"]).rows.num_rows == 1
    import sys

    assert "never_to_be_imported" not in sys.modules


def test_deuterium_is_hydrogen(tmp_path: Path) -> None:
    heavy = Structure(Lattice.cubic(4), ["Li", "D"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    for name in ("a.json", "a.cif"):
        heavy.to(str(tmp_path / name))
    read = read_structures([tmp_path / "a.json", tmp_path / "a.cif"])
    assert read.failures == {}
    assert read.rows["elements"].to_pylist() == [["H", "Li"]] * 2
