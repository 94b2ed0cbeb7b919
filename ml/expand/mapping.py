"""Structures onto parent lattices, and their correlations: in parallel, and kept so that a killed run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ml.expansion.clusters import Clusters, clusters_for
from ml.expansion.parent import VACANCY, Parent
from ml.expansion.placing import GOOD, METRIC_TOLERANCE, WIDE_TOLERANCE, LeftOut, Placed, Structure, place

if TYPE_CHECKING:
    from lake.settings import Settings

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Progress = Callable[[str, int, int | None], None]
AT_ONCE = 50
"""Structures of a task: what a run that is killed does again."""


@dataclass(frozen=True)
class Mapped:
    """Structures on lattices.

    Attributes:
        parent: of every structure (n,); −1 = it is on none.
        nearest: the lattice that came nearest (n,); −1 = none did.
        rms_angstrom: distance of its atoms from the sites (n,).
        reasons: why it is on none: code and words; None = it is on one.
        correlations: by pool, of every structure: (p of its lattice,), or None.
    """

    parent: Ints
    nearest: Ints
    rms_angstrom: Floats
    reasons: tuple[tuple[str, str] | None, ...]
    correlations: dict[str, list[Floats | None]]


def pools_of(parents: Sequence[Parent], wanted: dict[str, int], orders: int) -> dict[str, list[Clusters]]:
    """The clusters of every lattice, by pool.

    Args:
        parents: the lattices.
        wanted: by pool, correlations of a lattice, about.
        orders: sites in a cluster at most.
    """
    return {pool: [clusters_for(parent, n, orders) for parent in parents] for pool, n in wanted.items()}


def best_place(structure: Structure, parents: Sequence[Parent]) -> tuple[int, Placed | LeftOut]:
    """The lattice that a structure is a decoration of, the fullest and then the nearest one; or why none is.

    Returns:
        Place of the lattice (of the one that came nearest where it is on none; −1 = no lattice at all), and how.
    """
    number, found = _best_within(structure, parents, METRIC_TOLERANCE)
    if isinstance(found, LeftOut) and found.reason in ("no_supercell", "too_distorted"):
        wide = _best_within(structure, parents, WIDE_TOLERANCE)
        return wide if isinstance(wide[1], Placed) else (number, found)
    return number, found


def _best_within(structure: Structure, parents: Sequence[Parent], tolerance: float) -> tuple[int, Placed | LeftOut]:
    best: tuple[tuple[float, float], int, Placed] | None = None
    near: tuple[float, int, LeftOut] = (-1.0, -1, LeftOut("no_parent", "No parent lattice was recognised."))
    for number, parent in enumerate(parents):
        found = place(structure, parent, tolerance)
        if isinstance(found, LeftOut):
            near = max(near, (found.nearness, number, found), key=lambda one: one[0])
            continue
        empty = sum(one == VACANCY for one in found.species) / len(found.species)
        order = (round(empty, 6), found.largest_angstrom)
        if best is None or order < best[0]:
            best = order, number, found
        if empty == 0 and found.largest_angstrom < GOOD / 3:
            break
    return (best[1], best[2]) if best is not None else (near[1], near[2])


def map_structures(
    structures: Sequence[Structure], pools: dict[str, list[Clusters]], settings: Settings, folder: Path,
    progress: Progress,
) -> Mapped:
    """Map all structures; parts that an interrupted run had mapped are taken from the folder.

    Args:
        structures: what is mapped.
        pools: by pool, the clusters of every lattice.
        settings: say where work is done.
        folder: of this run alone.
        progress: is told how many are mapped.
    """
    from lake.tasks import Task, open_workers

    starts = list(range(0, len(structures), AT_ONCE))
    missing = [start for start in starts if _read(folder, start) is None]
    done = len(structures) - sum(min(AT_ONCE, len(structures) - start) for start in missing)
    progress("mapping", done, len(structures))
    if missing:
        tasks = [Task(f"map {start}", map_part, {
            "structures": list(structures[start:start + AT_ONCE]), "pools": pools,
        }) for start in missing]
        by_name = {task.name: start for task, start in zip(tasks, missing, strict=True)}
        where = "here" if len(structures) <= 2 * AT_ONCE else None
        with open_workers(settings, where) as workers:
            for task, part in workers.run(tasks):
                _write(folder, by_name[task.name], part)
                done += len(part)
                progress("mapping", done, len(structures))
    return _together([one for start in starts for one in _read(folder, start) or []], list(pools))


def map_part(structures: list[Structure], pools: dict[str, list[Clusters]]) -> list[dict[str, Any]]:
    """Map some structures; plain values."""
    first = next(iter(pools.values()))
    parents = [clusters.parent for clusters in first]
    found: list[dict[str, Any]] = []
    for structure in structures:
        number, how = best_place(structure, parents)
        if isinstance(how, LeftOut):
            found.append({"parent": -1, "nearest": number, "rms": None, "reason": [how.reason, how.message]})
            continue
        found.append({
            "parent": number, "nearest": number, "rms": how.rms_angstrom, "reason": None,
            **{pool: clusters[number].correlations(how).tolist() for pool, clusters in pools.items()},
        })
    return found


def _together(parts: list[dict[str, Any]], pools: list[str]) -> Mapped:
    return Mapped(
        np.array([one["parent"] for one in parts], dtype=np.int64),
        np.array([one["nearest"] for one in parts], dtype=np.int64),
        np.array([np.nan if one["rms"] is None else one["rms"] for one in parts]),
        tuple(None if one["reason"] is None else (one["reason"][0], one["reason"][1]) for one in parts),
        {pool: [np.array(one[pool]) if pool in one else None for one in parts] for pool in pools},
    )


def _path(folder: Path, start: int) -> Path:
    return folder / f"mapped-{start}.json"


def _read(folder: Path, start: int) -> list[dict[str, Any]] | None:
    try:
        found: list[dict[str, Any]] = json.loads(_path(folder, start).read_text())
    except (OSError, ValueError):
        return None
    return found


def _write(folder: Path, start: int, part: list[dict[str, Any]]) -> None:
    path = _path(folder, start)
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(part))
    beside.replace(path)
