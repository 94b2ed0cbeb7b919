"""Crystals to graphs: 60 thousand of them through the store on two threads, and neighbours against named peers.

Usage: python -m benchmarks.graphs [PLACE …] [--source NAME] [--number N] [--compared N] [--threads N]. A place is a
saved page or a folder of them, of the named source (default: the shipped Materials Project pages). Their crystals are
repeated up to the number, each time with a lattice scaled by another factor within 3 %: no two are equal, and all keep
their symmetry. Peers search neighbours only, within the distance that the farthest of ours has in the same crystal;
ours also takes full shells, finds which distances differ and which atoms cannot be told apart. Seconds of peers are of
the processor, on one core, with structures in memory in the form that each takes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.symmetry import SAMPLES, cells_of, pages
from lake.crystal.formula import SYMBOLS
from lake.settings import load_settings
from lake.store.lake import Lake
from ml.graphs.build import built, graphs_of
from ml.graphs.crystals import SCHEMA, Crystals
from ml.graphs.graphs import Graphs
from ml.graphs.settings import GraphSettings
from ml.graphs.store import graph_store

LIMIT_SECONDS = 180.0
BATCH_SIZE = 32


def crystals_of(source: str, places: list[str]) -> Crystals:
    """All crystals of saved pages."""
    found = [cells_of(source, kind, origin, records) for kind, origin, records in pages(source, places)]
    found = [cells for cells in found if len(cells)]
    if not found:
        raise SystemExit(f"No crystals in {', '.join(places)}.")
    counts = np.concatenate([cells.counts for cells in found])
    return Crystals(
        np.concatenate([cells.lattices for cells in found]), np.concatenate([cells.positions for cells in found]),
        np.concatenate([cells.numbers for cells in found]).astype(np.uint8), np.cumsum(counts),
    )


def rows_of(crystals: Crystals, number: int) -> pa.Table:
    """So many rows: the crystals again and again, each time scaled by another factor."""
    n = len(crystals)
    counts = np.diff(crystals.ends, prepend=0)
    tables = []
    for start in range(0, number, n):
        factors = np.random.default_rng(start).uniform(0.97, 1.03, n) if start else np.ones(n)
        lattices = crystals.lattices * factors[:, None, None]
        ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        species = pa.array([SYMBOLS[z - 1] for z in range(1, 119)]).take(pa.array(crystals.numbers - 1))
        columns = [
            _nested(lattices.reshape(-1), np.arange(n + 1) * 3), _nested(crystals.positions.reshape(-1), ends),
            pa.ListArray.from_arrays(pa.array(ends), species),
        ]
        tables.append(pa.table(columns, schema=SCHEMA))
    return pa.concat_tables(tables).slice(0, number).combine_chunks()


def _nested(values: npt.NDArray[np.float64], ends: npt.NDArray[Any]) -> pa.Array:
    triples = pa.ListArray.from_arrays(pa.array(np.arange(len(values) // 3 + 1, dtype=np.int32) * 3), pa.array(values))
    return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), triples)


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall time, processor time and result."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - processor, result


def reaches(full: Graphs) -> npt.NDArray[np.float64]:
    """The distance of the farthest neighbours in every crystal, Å."""
    return np.maximum.reduceat(full.distance_angstrom, full.distance_offsets[:-1])


def peers(crystals: Crystals, radii: npt.NDArray[np.float64]) -> list[tuple[str, float, int]]:
    """Label, processor seconds and neighbours found of every peer that is installed."""
    starts = crystals.ends - np.diff(crystals.ends, prepend=0)
    forms = [
        (np.ascontiguousarray(lattice), np.ascontiguousarray(crystals.positions[start:end] @ lattice),
         float(radius) * (1 + 1e-9))
        for lattice, start, end, radius in zip(crystals.lattices, starts, crystals.ends, radii, strict=True)
    ]
    found = []
    for label, ask in (_vesin(), _matscipy(), _pymatgen()):
        if ask is None:
            print(f"{label} is not installed")
            continue
        ask(*forms[0])
        _, seconds, n = timed(lambda ask=ask: sum(ask(*form) for form in forms))
        found.append((label, seconds, n))
    return found


Ask = Callable[[Any, Any, float], int]


def _vesin() -> tuple[str, Ask | None]:
    try:
        from vesin import NeighborList
    except ImportError:
        return "vesin", None

    def ask(lattice: Any, points: Any, radius: float) -> int:
        search = NeighborList(cutoff=radius, full_list=True)
        return len(search.compute(points=points, box=lattice, periodic=True, quantities="ijdD")[0])

    return "vesin", ask


def _matscipy() -> tuple[str, Ask | None]:
    try:
        from matscipy.neighbours import neighbour_list  # type: ignore[import-not-found]
    except ImportError:
        return "matscipy", None

    def ask(lattice: Any, points: Any, radius: float) -> int:
        return len(neighbour_list("ijdD", cutoff=radius, positions=points, cell=lattice, pbc=[True] * 3)[0])

    return "matscipy", ask


def _pymatgen() -> tuple[str, Ask | None]:
    try:
        from pymatgen.optimization.neighbors import find_points_in_spheres
    except ImportError:
        return "pymatgen", None

    def ask(lattice: Any, points: Any, radius: float) -> int:
        pbc = np.ones(3, dtype=np.int64)
        found = find_points_in_spheres(points, points, r=radius, pbc=pbc, lattice=lattice, tol=1e-8)
        return int((found[3] > 1e-8).sum())

    return "pymatgen", ask


def main() -> None:
    """Build graphs, ask the peers, and print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places", nargs="*", default=[str(SAMPLES)])
    parser.add_argument("--source", default="mp")
    parser.add_argument("--number", type=int, default=60_000)
    parser.add_argument("--compared", type=int, default=2_000, help="crystals that the peers are asked about")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    crystals = crystals_of(arguments.source, arguments.places)
    for kind in ("quotient", "full"):
        graphs_of(rows_of(crystals.part(0, 2), 2), GraphSettings.of({"kind": kind}))  # compiles
    n = min(arguments.compared, len(crystals))
    some = crystals.part(0, n)
    print(f"{n:,} crystals of {len(some.numbers) / n:.1f} atoms on average, one core")
    full = compare(some)
    compare_peers(some, full)
    met = through_the_store(rows_of(crystals, arguments.number), arguments.threads)
    raise SystemExit(not met)


def compare(some: Crystals) -> Graphs:
    """Build both kinds of graphs of some crystals and print what the quotient saves; returns the full ones."""
    n = len(some)
    names = [""] * n
    made = {kind: timed(lambda kind=kind: built(some, names, GraphSettings.of({"kind": kind}))[0])
            for kind in ("quotient", "full")}
    print(f"{'':34}{'µs/crystal':>12}{'nodes':>9}{'edges':>9}{'distances':>11}")
    for kind, (_, seconds, graphs) in made.items():
        sizes = (len(graphs.node_z) / n, len(graphs.edge_sender) / n, len(graphs.distance_angstrom) / n)
        print(f"{kind:34}{seconds / n * 1e6:>12.0f}{sizes[0]:>9.1f}{sizes[1]:>9.1f}{sizes[2]:>11.1f}")
    quotient, full = made["quotient"][2], made["full"][2]
    print(f"quotient: {len(full.node_z) / len(quotient.node_z):.1f} times fewer nodes, "
          f"{len(full.edge_sender) / len(quotient.edge_sender):.1f} times fewer edges, "
          f"{len(full.edge_sender) / len(quotient.distance_angstrom):.1f} times fewer distances than edges")
    return full


def compare_peers(some: Crystals, full: Graphs) -> None:
    """Ask the peers for neighbours within our reach and print the ratios."""
    n = len(some)
    _, ours, _ = timed(lambda: built(some, [""] * n, GraphSettings()))
    print(f"{'':34}{'µs/crystal':>12}{'neighbours':>12}{'ratio':>8}")
    print(f"{'matlake, whole quotient graph':34}{ours / n * 1e6:>12.0f}{len(full.edge_sender) / n:>12.0f}{1:>8.1f}")
    for label, seconds, found in peers(some, reaches(full)):
        print(f"{f'{label}, neighbours alone':34}{seconds / n * 1e6:>12.0f}{found / n:>12.0f}{seconds / ours:>8.1f}")


def through_the_store(rows: pa.Table, threads: int) -> bool:
    """Build all rows through the store of a new lake, take batches of them; returns whether it was fast enough."""
    import torch

    from ml.graphs.batch import DeviceGraphs

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(folder, load_settings(dask_workers=threads))
        wall, processor, graphs = timed(lambda: graph_store(lake, rows))
        print(f"{graphs.n:,} crystals through the store on {threads} threads: {wall:.1f} s ({processor:.1f} s of the "
              f"processor), {graphs.n_bytes / 2**20:,.0f} MiB; bound {LIMIT_SECONDS:.0f} s for 60,000")
        again, _, _ = timed(lambda: graph_store(lake, rows))
        print(f"found again: {again:.2f} s")
    store = DeviceGraphs.of(graphs)
    rng = np.random.default_rng(0)
    batches = [torch.from_numpy(rng.integers(0, graphs.n, BATCH_SIZE)) for _ in range(1_000)]
    store.batch(batches[0])
    _, seconds, _ = timed(lambda: [store.batch(places) and None for places in batches])
    print(f"a batch of {BATCH_SIZE}: {seconds / len(batches) * 1e6:.0f} µs")
    return wall <= LIMIT_SECONDS * graphs.n / 60_000


if __name__ == "__main__":
    main()
