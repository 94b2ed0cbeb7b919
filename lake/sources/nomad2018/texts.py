"""The competition's ``geometry.xyz``: the form of FHI-aims' geometry.in, not that of XYZ."""

from __future__ import annotations

from typing import Any

_HEAD_BYTES = 4096
LATTICE = b"lattice_vector"
COMMENT = "#"


def decode(body: bytes) -> dict[str, Any] | None:
    """A geometry as a document; None where the body is none.

    It becomes ``{"geometry": {lattice_vectors_angstrom, cartesian_positions_angstrom, species, unreadable}}``,
    lengths in Å; ``unreadable`` lists the first lines that are no lattice vector, atom or comment: such a file is cut.
    """
    head = body[:_HEAD_BYTES].lstrip()
    if head.startswith((b"{", b"[")) or LATTICE not in head:
        return None
    lattice: list[list[float]] = []
    positions: list[list[float]] = []
    species: list[str] = []
    unreadable: list[str] = []
    for line in body.decode("utf-8", "replace").splitlines():
        parts = line.split()
        if not parts or parts[0].startswith(COMMENT):
            continue
        numbers = _three(parts[1:4])
        if numbers is not None and parts[0] == "lattice_vector" and len(parts) == 4:
            lattice.append(numbers)
        elif numbers is not None and parts[0] == "atom" and len(parts) == 5:
            positions.append(numbers)
            species.append(parts[4])
        else:
            unreadable.append(line[:100])
    return {"geometry": {
        "lattice_vectors_angstrom": lattice, "cartesian_positions_angstrom": positions, "species": species,
        "unreadable": unreadable[:3],
    }}


def _three(texts: list[str]) -> list[float] | None:
    try:
        return [float(text) for text in texts] if len(texts) == 3 else None
    except ValueError:
        return None
