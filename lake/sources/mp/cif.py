"""CIF texts, as pymatgen writes them (P1) and as others do (asymmetric unit and symmetry operations)."""

from __future__ import annotations

import math
from typing import Any

from lake.sources.mp.geometry import BadGeometryError, Geometry

LONGEST_CIF = 5_000_000
MOST_SITES = 20_000
FULL_OCCUPATION = 1e-3
SAME_SITE_ANGSTROM = 0.01
_ISOTOPES = {"D": "H", "T": "H"}


def read_cif(text: str) -> Geometry:
    """The structure in the first block of a CIF that has atoms; the cell is oriented as pymatgen's is.

    Raises:
        BadGeometryError: the text is no CIF, lacks cell or atoms, or a site is partly occupied.
    """
    import gemmi

    if len(text) > LONGEST_CIF:
        raise BadGeometryError(f"structure: a CIF of {len(text):,} characters")
    try:
        document = gemmi.cif.read_string(text)
        for block in document:
            small = gemmi.make_small_structure_from_block(block)
            if len(small.sites):
                return _geometry(small)
    except BadGeometryError:
        raise
    except (RuntimeError, ValueError, IndexError, UnicodeError) as error:
        raise BadGeometryError(f"structure: no CIF that can be read ({' '.join(str(error).split())[:200]})") from None
    raise BadGeometryError(f"structure: a text without atoms ({text[:60]!r})")


def _geometry(small: Any) -> Geometry:
    cell = small.cell
    lengths, angles = (cell.a, cell.b, cell.c), (cell.alpha, cell.beta, cell.gamma)
    if not cell.is_crystal() or not all(math.isfinite(x) and x > 0 for x in (*lengths, *angles)):
        raise BadGeometryError("structure: a CIF without cell")
    operations = max(len(small.symops), 1)
    if len(small.sites) * operations > MOST_SITES * 10:
        raise BadGeometryError(f"structure: a CIF of {len(small.sites):,} sites and {operations} operations")
    sites = small.get_all_unit_cell_sites()
    species: list[str] = []
    positions: list[list[float]] = []
    for site in sites:
        if not abs(site.occ - 1) <= FULL_OCCUPATION:
            raise BadGeometryError(f"structure: site {site.label[:20]} is occupied to {site.occ:g}",
                                   "disordered_structure")
        name = site.element.name
        species.append(_ISOTOPES.get(name, name))
        positions.append(site.fract.tolist())
    _refuse_shared_sites(small, positions, sites)
    return Geometry(_lattice(lengths, angles), positions, species)


def _refuse_shared_sites(small: Any, positions: list[list[float]], sites: Any) -> None:
    """Two full atoms in one place are two records of one site: the CIF means a mixture."""
    places: dict[tuple[int, ...], str] = {}
    steps = [max(1, round(length / SAME_SITE_ANGSTROM)) for length in (small.cell.a, small.cell.b, small.cell.c)]
    for position, site in zip(positions, sites, strict=True):
        if not all(math.isfinite(x) for x in position):
            raise BadGeometryError(f"structure: site {site.label[:20]} has no position")
        place = tuple(round((x % 1.0) * n) % n for x, n in zip(position, steps, strict=True))
        if place in places:
            raise BadGeometryError(f"structure: sites {places[place][:20]} and {site.label[:20]} are in one place")
        places[place] = site.label


def _lattice(lengths: tuple[float, ...], angles: tuple[float, ...]) -> list[list[float]]:
    """Lattice vectors from cell constants: c along z, a in the xz plane (pymatgen's choice)."""
    a, b, c = lengths
    alpha, beta, gamma = (math.radians(angle) for angle in angles)
    cosine = (math.cos(alpha) * math.cos(beta) - math.cos(gamma)) / (math.sin(alpha) * math.sin(beta))
    star = math.acos(min(1.0, max(-1.0, cosine)))
    return [
        [a * math.sin(beta), 0.0, a * math.cos(beta)],
        [-b * math.sin(alpha) * math.cos(star), b * math.sin(alpha) * math.sin(star), b * math.cos(alpha)],
        [0.0, 0.0, c],
    ]
