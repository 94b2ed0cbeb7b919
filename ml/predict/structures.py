"""Structure files to rows that a model can be asked about; what cannot be read is named, and the rest is kept."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from lake.crystal.formula import count_species, formula, reduced
from lake.crystal.symmetry import space_group
from lake.errors import InputError
from ml.data.structures import atomic_numbers
from ml.predict.formats import Crystal, crystals_in, format_of

MOST_BYTES = 64 * 2**20
MOST_ATOMS = 10_000
"""A cell with more atoms is no crystal that a network on graphs should be asked about."""
HEAD = 4_000
STDIN = "-"
SEARCHED = ("*.cif", "*.vasp", "*.poscar", "POSCAR*", "CONTCAR*", "*.xyz", "*.extxyz", "*.json", "*.xsf", "*.cell",
            "*.res", "*.gen", "*.traj")
"""What is taken for structure files in a folder; a file that is named itself may be called anything."""
NUMBERS = pa.list_(pa.list_(pa.float64()))
SCHEMA = pa.schema({
    "calculation_id": pa.string(), "formula_reduced": pa.string(), "elements": pa.list_(pa.string()),
    "n_sites": pa.int32(), "spacegroup_number": pa.int32(), "material_key": pa.string(),
    "lattice_vectors_angstrom": NUMBERS, "fractional_positions": NUMBERS, "species_at_sites": pa.list_(pa.string()),
})


@dataclass(frozen=True)
class Structures:
    """What files hold.

    Attributes:
        rows: one per crystal, in the order of the files: :data:`SCHEMA`; ``calculation_id`` is the file as it was
            named, with ``#2`` for the second crystal of a file, and ``material_key`` the reduced formula with the
            space group.
        failures: file → why it, or a crystal in it, cannot be used.
        notes: file → what its reader warned of.
    """

    rows: pa.Table
    failures: dict[str, str]
    notes: dict[str, str]


def read_structures(
    paths: Sequence[str | Path], *, stdin: Callable[[], bytes] | None = None
) -> Structures:
    """The crystals in files and folders.

    Args:
        paths: CIF, POSCAR or CONTCAR, extended XYZ, pymatgen's JSON, and other formats of ASE; a folder stands for the
            structure files in it and below; ``-`` is the standard input.
        stdin: reads the standard input; default: that of this program.

    Raises:
        InputError: no path was given.
    """
    if not paths:
        raise InputError("Predict for what? Give structure files, a folder of them, or - for the standard input.")
    found: list[dict[str, Any]] = []
    failures: dict[str, str] = {}
    notes: dict[str, str] = {}
    for name, path in _files(paths, failures):
        try:
            content = _content(name, path, stdin)
            crystals, said = _read(path, content)
        except InputError as error:
            failures[name] = str(error)
            continue
        if said:
            notes[name] = "; ".join(said)
        for number, crystal in enumerate(crystals, start=1):
            label = f"{name}#{number}" if len(crystals) > 1 else name
            if problem := _problem(crystal):
                failures[label] = problem
            else:
                found.append({"calculation_id": label} | crystal | _described(crystal))
    return Structures(pa.Table.from_pylist(found, schema=SCHEMA), failures, notes)


def _files(paths: Sequence[str | Path], failures: dict[str, str]) -> Iterator[tuple[str, Path]]:
    """Every file once, under the name that it was given."""
    seen: set[str] = set()
    for given in map(str, paths):
        path = Path(given)
        names = [given]
        if given != STDIN and path.is_dir():
            names = sorted({str(found) for pattern in SEARCHED for found in path.rglob(pattern) if found.is_file()})
            if not names:
                failures[given] = f"holds no structure file, nor do folders in it (looked for {', '.join(SEARCHED)})"
        for name in names:
            if name not in seen:
                seen.add(name)
                yield name, Path(name)


def _content(name: str, path: Path, stdin: Callable[[], bytes] | None) -> bytes:
    try:
        if name == STDIN:
            content = stdin() if stdin else sys.stdin.buffer.read(MOST_BYTES + 1)
            size = len(content)
        else:
            size = path.stat().st_size
            content = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}") from None
    if size > MOST_BYTES:
        raise InputError(f"has {size / 2**20:,.0f} MB, and structures of crystals take far less than "
                         f"{MOST_BYTES // 2**20}: is it a trajectory? Write the structures that are meant into a file")
    if not content.strip():
        raise InputError("is empty")
    return content


def _read(path: Path, content: bytes) -> tuple[list[Crystal], list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    kind = format_of("" if str(path) == STDIN else path.name, text[:HEAD])
    if not text and kind != "other":
        raise InputError("is no text, as a structure file of this name should be: is it compressed, or damaged?")
    try:
        return crystals_in(path, kind, text)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  (readers of other programs' files fail in all ways there are)
        raise InputError(_said(error, kind)) from None


def _said(error: Exception, kind: str) -> str:
    from lake.errors import StructureError

    if isinstance(error, StructureError):
        return str(error).rstrip(".")
    words = " ".join(str(error).split())[:200] or type(error).__name__
    as_what = "" if kind == "other" else f" as {kind.upper() if kind != 'extxyz' else 'extended XYZ'}"
    return f"cannot be read{as_what} ({words}): is it whole, and what its name says?"


def _problem(crystal: Crystal) -> str | None:
    """What keeps a crystal from being one; None where nothing does."""
    from ml.graphs.build import problems_of
    from ml.graphs.settings import GraphSettings

    n = len(crystal["species_at_sites"])
    if n > MOST_ATOMS:
        return f"has {n:,} atoms in its cell, and models know crystals with far fewer than {MOST_ATOMS:,}"
    return problems_of([crystal], GraphSettings(kind="full", n_neighbours=1))[0]


def _described(crystal: Crystal) -> dict[str, Any]:
    """Formula, elements, space group and key of a crystal."""
    species = crystal["species_at_sites"]
    counts = count_species(species)
    name = formula(reduced(counts))
    numbers = atomic_numbers(pa.array(species, pa.string())).tolist()
    group = space_group(crystal["lattice_vectors_angstrom"], crystal["fractional_positions"], numbers)
    return {"formula_reduced": name, "elements": sorted(counts), "n_sites": len(species), "spacegroup_number": group,
            "material_key": None if group is None else f"{name}_{group}"}
