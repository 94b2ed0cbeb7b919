"""Lattices of which every structure leaves some sites empty, such as that of spinels with missing cations.

Structures of one composition that have many symmetries, and as many atoms in the primitive cell, are the same sites
filled in other ways. The atoms of one sort are taken as a frame that is more symmetric than any of the structures;
where the others are found in it, in all structures together, are the sites.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.expansion.labelled import METAL, OTHER, Labelled, narrowed
from ml.expansion.parent import MOST_SITES, VACANCY, Parent, primitive
from ml.expansion.placing import Placed, Structure, place

Floats = npt.NDArray[np.float64]
FEWEST = 5
"""Structures that such a lattice is recognised from."""
FEWEST_SYMMETRIES = 3
"""Space groups among them: fewer are rather several lattices without empty sites."""
TOLERANCES = (0.05, 0.1, 0.2, 0.4)
"""Å within which the frame is symmetric."""
SAME_SITE = 0.7
"""Å within which atoms of several structures are on one site."""
MOST_FRAMED, MOST_LOOKED_AT = 100, 30
"""Structures that frames and sites are found from."""
FEWEST_PLACED = 0.8
"""Share of the structures that must fit."""
MOST_FRAMES = 6
CLEARLY = 0.03
MOST_EMPTY = 0.8


@dataclass(frozen=True)
class Frame:
    """The atoms of one sort as a lattice.

    Attributes:
        parent: with these atoms alone.
        rotations: of its space group (k, 3, 3), in units of the lattice vectors.
        translations: (k, 3)
    """

    parent: Parent
    rotations: npt.NDArray[np.int32]
    translations: Floats


def with_vacancies(labelled: Sequence[Labelled], fewest: int) -> list[Parent]:
    """The lattices with empty sites that structures have in common.

    Args:
        labelled: structures.
        fewest: that a lattice needs.
    """
    buckets: dict[tuple[object, ...], list[Labelled]] = defaultdict(list)
    for one in labelled:
        buckets[one.kind[1:]].append(one)
    found = []
    for bucket in buckets.values():
        kinds: dict[int, int] = defaultdict(int)
        for one in bucket:
            kinds[one.number] += 1
        if len(bucket) < max(fewest, FEWEST) or len(kinds) < FEWEST_SYMMETRIES:
            continue
        parent = _best(bucket, max(fewest, FEWEST))
        if parent is not None:
            found.append(parent)
    return found


def _best(bucket: Sequence[Labelled], fewest: int) -> Parent | None:
    """The lattice with the fewest empty sites that structures of several symmetries fit onto."""
    best: tuple[float, Parent] | None = None
    some = bucket[::max(1, len(bucket) // MOST_LOOKED_AT)]
    for rigid in (OTHER, METAL):
        for frame in _frames(bucket, rigid):
            wide = _filled(frame, some, rigid)
            if wide is None:
                continue
            fitting = [one for one in some if isinstance(place(one.structure, wide), Placed)]
            if len(fitting) < fewest or len({one.number for one in fitting}) < FEWEST_SYMMETRIES:
                continue
            parent = narrowed(wide, [one.structure for one in fitting])
            if parent is None or not any(VACANCY in one for one in parent.species):
                continue
            empty = _share_empty([one.structure for one in fitting], parent)
            # Frames come by symmetry: a less symmetric one must leave clearly fewer sites empty.
            if empty is not None and empty <= MOST_EMPTY and (best is None or empty < best[0] - CLEARLY):
                best = empty, wide
    if best is None:
        return None
    # Which species and which sites there are, all structures together say.
    fitting = [one for one in bucket if isinstance(place(one.structure, best[1]), Placed)]
    return narrowed(best[1], [one.structure for one in fitting])


def _frames(bucket: Sequence[Labelled], rigid: int) -> Iterator[Frame]:
    """Frames that are more symmetric than the structures themselves; the most symmetric and smallest first."""
    import spglib

    seen: dict[tuple[int, int], tuple[int, Frame]] = {}
    for one in bucket[::max(1, len(bucket) // MOST_FRAMED)]:
        chosen = np.array(one.labels) == rigid
        if not 0 < chosen.sum() < len(chosen):
            continue
        for tolerance in TOLERANCES:
            found = primitive(one.structure.lattice, one.structure.positions[chosen], [1] * int(chosen.sum()),
                              tolerance)
            if found is None or (found[0], len(found[3])) in seen:
                continue
            data = spglib.get_symmetry_dataset((found[1].tolist(), found[2].tolist(), found[3]), symprec=1e-3)
            if data is None:
                continue
            elements = sorted(one.elements(rigid))
            parent = Parent.made("frame", found[0], found[1], found[2], [elements] * len(found[3]))
            n = len({rotation.tobytes() for rotation in data.rotations})
            seen[found[0], len(found[3])] = n, Frame(parent, data.rotations, data.translations)
    ordered = sorted(seen.values(), key=lambda item: (-item[0], len(item[1].parent.species)))
    yield from (frame for _, frame in ordered[:MOST_FRAMES])


def _filled(frame: Frame, bucket: Sequence[Labelled], rigid: int) -> Parent | None:
    """The frame with the sites of all other atoms."""
    points: list[Floats] = []
    elements: set[str] = set()
    others: set[str] = set()
    for one in bucket:
        chosen = np.array(one.labels) == rigid
        others |= set(one.structure.species) - one.elements(rigid)
        elements |= one.elements(rigid)
    parent = frame.parent.with_species([sorted(elements)] * len(frame.parent.species))
    for one in bucket:
        chosen = np.array(one.labels) == rigid
        alone = Structure(one.structure.name, one.structure.lattice, one.structure.positions[chosen],
                          tuple(s for s, c in zip(one.structure.species, chosen, strict=True) if c))
        placed = place(alone, parent)
        if isinstance(placed, Placed):
            points.extend(_merged(one.structure.positions[~chosen] @ placed.matrix + placed.origin, parent.cell))
    if not points:
        return None
    sites = _merged(np.array(points), parent.cell)
    turned = np.concatenate([sites @ rotation.T + translation for rotation, translation in
                             zip(frame.rotations, frame.translations, strict=True)])
    sites = _merged(turned, parent.cell)
    if len(sites) + len(parent.species) > MOST_SITES:
        return None
    return Parent.made(
        "lattice", parent.spacegroup_number, parent.cell, np.concatenate([parent.sites, sites]),
        [*parent.species, *([*sorted(others), VACANCY] for _ in sites)],
    )


def _merged(points: Floats, cell: Floats) -> Floats:
    """Points that are within :data:`SAME_SITE` of each other as their mean, all within the cell."""
    sites: list[Floats] = []
    n: list[int] = []
    for point in points:
        if sites:
            away = point - np.array(sites)
            away -= np.rint(away)
            lengths = ((away @ cell) ** 2).sum(axis=1)
            near = int(lengths.argmin())
            if lengths[near] < SAME_SITE**2:
                n[near] += 1
                sites[near] = sites[near] + away[near] / n[near]
                continue
        sites.append(point % 1.0)
        n.append(1)
    return np.array(sites) % 1.0


def _share_empty(structures: Sequence[Structure], parent: Parent) -> float | None:
    """Share of the sites that may be empty that are, over some structures; None = too few of them fit."""
    able = np.array([VACANCY in one for one in parent.species])
    empty, all_, n = 0, 0, 0
    for structure in structures:
        placed = place(structure, parent)
        if isinstance(placed, Placed):
            n += 1
            all_ += int(able[placed.sites].sum())
            empty += sum(one == VACANCY for one in placed.species)
    return empty / all_ if all_ and n >= FEWEST_PLACED * len(structures) else None
