"""Crystals to graphs, in memory, on several threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ml.graphs.crystals import Crystals, Rows, digests_of, refuse, table_of
from ml.graphs.graphs import Graphs, joined
from ml.graphs.settings import GraphSettings

AT_ONCE = 256
"""Crystals in one call of the kernel: enough to hide what a call costs, few enough to show progress."""

Progress = Callable[[int, int], None]


def graphs_of(
    rows: Rows, settings: GraphSettings | None = None, *, threads: int = 1, progress: Progress | None = None
) -> Graphs:
    """The graph of every crystal, in memory, in the order of the rows.

    Args:
        rows: a table with ``lattice_vectors_angstrom`` (Å), ``fractional_positions`` and ``species_at_sites``, and
            with ``structure_sha256`` where it is known; or mappings with the same names.
        settings: how crystals become graphs.
        threads: the kernel holds no lock.
        progress: is called with the crystals done and their number.

    Raises:
        StructureError: the rows hold no crystals at all.
        InputError: crystals that cannot become graphs (no volume, coinciding atoms, positions that are no numbers,
            species that are no elements); the message names them.
    """
    table = table_of(rows)
    crystals, problems = Crystals.of(table)
    refuse(table, problems)
    graphs, problems = built(crystals, digests_of(table), settings or GraphSettings(), threads, progress)
    refuse(table, problems)
    return graphs


def problems_of(rows: Rows, settings: GraphSettings | None = None, *, threads: int = 1) -> list[str | None]:
    """What keeps each crystal from becoming a graph; None where nothing does.

    Args:
        rows: as for :func:`graphs_of`.
        settings: how crystals become graphs.
        threads: as for :func:`graphs_of`.
    """
    table = table_of(rows)
    crystals, problems = Crystals.of(table)
    _, found = built(crystals, [""] * len(crystals), settings or GraphSettings(), threads)
    return [one or other for one, other in zip(problems, found, strict=True)]


def built(
    crystals: Crystals, digests: Sequence[str], settings: GraphSettings, threads: int = 1,
    progress: Progress | None = None,
) -> tuple[Graphs, list[str | None]]:
    """The graphs of crystals, and what is wrong with each; what is wrong has no nodes."""
    n = len(crystals)
    parts = [crystals.part(start, min(n, start + AT_ONCE)) for start in range(0, n, AT_ONCE)] or [crystals]
    done: list[Graphs] = []
    problems: list[str | None] = []

    def take(result: tuple[Graphs, list[str | None]]) -> None:
        done.append(result[0])
        problems.extend(result[1])
        if progress:
            progress(len(problems), n)

    def make(part: Crystals) -> tuple[Graphs, list[str | None]]:
        return _built_at_once(part, settings)

    if threads > 1 and len(parts) > 1:
        with ThreadPoolExecutor(threads) as pool:
            for result in pool.map(make, parts):
                take(result)
    else:
        for part in parts:
            take(make(part))
    whole = joined(done)
    arrays = whole.arrays() | {"sha256s": np.array(list(digests), dtype="U64")}
    return Graphs(settings, **arrays), problems


def _built_at_once(crystals: Crystals, settings: GraphSettings) -> tuple[Graphs, list[str | None]]:
    from ml.graphs.kernel import build

    is_quotient = settings.kind == "quotient"
    ends, nodes, edges, distances, vectors, coinciding = build(
        crystals.lattices, crystals.positions, crystals.numbers, crystals.ends, is_quotient, settings.n_neighbours,
        settings.largest_distance_angstrom, settings.shell_tolerance_angstrom, settings.distance_tolerance_angstrom,
    )
    counts = np.diff(crystals.ends, prepend=0)
    offsets = np.concatenate([np.zeros((1, 3), dtype=np.int64), ends])
    node_counts, edge_counts = np.diff(offsets[:, 0]), np.diff(offsets[:, 1])
    receivers = edges[:, 1] + np.repeat(offsets[:-1, 0], edge_counts)
    graphs = Graphs(
        settings=settings,
        sha256s=np.full(len(crystals), "", dtype="U64"),
        n_atoms=counts.astype(np.int32),
        node_offsets=offsets[:, 0].copy(),
        node_z=nodes[:, 0].astype(np.uint8),
        node_weight=(nodes[:, 1] / np.repeat(counts, node_counts)).astype(np.float32),
        node_degree=nodes[:, 2].astype(np.float32),
        edge_offsets=offsets[:, 1].copy(),
        edge_sender=edges[:, 0].copy(),
        edge_receiver=edges[:, 1].copy(),
        edge_weight=(edges[:, 2] / nodes[receivers, 2]).astype(np.float32),
        edge_distance=edges[:, 3].copy(),
        distance_offsets=offsets[:, 2].copy(),
        distance_angstrom=distances[:, 0].copy(),
        edge_vector=None if is_quotient else vectors,
    )
    problems: list[str | None] = [None] * len(crystals)
    for place in np.flatnonzero(coinciding >= 0).tolist():
        problems[place] = f"has an atom (number {coinciding[place]}) in the place of another"
    return graphs, problems
