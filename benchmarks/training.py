"""Training of graph networks beside PyTorch Geometric: time of a step, and what of it is batching.

Run: ``python -m benchmarks.training [--crystals 1000] [--steps 20] [--repetitions 5] [--json]``. Real crystals of
``samples/mp``, 24 neighbours in full shells, batch 32, latent size 64, 3 message-passing steps, one CPU core, no
network. A step is batching, forward, backward and Adam, by the loop that `matlake train` runs. The peers take the same
crystals as full graphs through PyTorch Geometric's ``DataLoader``: its SchNet, and an MPEU written plainly. Repetitions
are interleaved; ratios are of medians. With a CUDA GPU the captured steps are measured too, else that is skipped.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from benchmarks.plain_mpeu import PlainMpeu, data_of, geometric_schnet
from lake.store.lake import Lake
from ml.graphs.batch import DeviceGraphs
from ml.graphs.build import graphs_of
from ml.graphs.graphs import Graphs
from ml.graphs.settings import GraphSettings
from ml.models import ModelSettings
from ml.models.mpeu import Mpeu
from ml.profile.timing import Timed, median_ms
from ml.training.device import computing, device_of

BATCH, CHANNELS, STEPS, NEIGHBOURS = 32, 64, 3, 24
LIMIT_RATIO = {"schnet": 5.0, "mpeu": 5.0}
LIMIT_BATCHING = 0.10
GPU_SECONDS = 4.0
LIMIT_GPU_MS = {"schnet": 0.4, "mpeu": 0.6}
PEERS = {"schnet": "torch_geometric SchNet", "mpeu": "plain full-graph MPEU"}
COLUMNS = ["calculation_id", "lattice_vectors_angstrom", "fractional_positions", "species_at_sites",
           "formation_energy_ev_per_atom"]


def crystals(n: int) -> tuple[pa.Table, torch.Tensor]:
    """Crystals of the shipped MP records with their standardised formation energies."""
    from lake.ingest.run import ingest

    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(folder)
        ingest(lake, "mp", saved=[str(Path(__file__).parents[1] / "samples" / "mp" / "summary")])
        rows = lake.read("calculations", COLUMNS, "formation_energy_ev_per_atom is not null and n_sites <= 52")
    rows = rows.sort_by("calculation_id")
    rows = rows.take(np.sort(np.random.default_rng(0).permutation(rows.num_rows)[:n]))
    energies = torch.tensor(rows["formation_energy_ev_per_atom"].to_numpy(), dtype=torch.float32)
    return rows, (energies - energies.mean()) / energies.std()


class Peer:
    """Training as PyTorch Geometric's examples do it.

    Args:
        network: takes its batches.
        data: its graphs.
    """

    def __init__(self, network: Any, data: list[Data]) -> None:
        self.network, self.loader = network, DataLoader(data, batch_size=BATCH, shuffle=True, drop_last=True)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=5e-4, fused=True)
        self.batches: Iterator[Data] = iter(self.loader)

    def next(self) -> Data:
        """The next batch, of the next epoch where one is through."""
        found = next(self.batches, None)
        if found is None:
            self.batches = iter(self.loader)
            found = next(self.batches)
        return found

    def run(self, n: int) -> None:
        """Do steps."""
        for _ in range(n):
            data = self.next()
            self.optimizer.zero_grad()
            nn.functional.mse_loss(self.network(data), data.y).backward()
            self.optimizer.step()


def settings_of(kind: str, n_members: int = 1) -> ModelSettings:
    """A network of the benchmark's size that knows all elements."""
    return ModelSettings(kind, tuple(range(1, 119)), channels=CHANNELS, steps=STEPS, n_members=n_members)


def ours(kind: str, graphs: Graphs, n_members: int = 1, device: str = "cpu") -> Timed:
    """Training as `matlake train` does it."""
    return Timed(settings_of(kind, n_members), graphs, BATCH, device_of(device))


def milliseconds(runs: dict[str, Callable[[int], None]], steps: int, repetitions: int) -> dict[str, list[float]]:
    """Time of a step of each, in repetitions that take turns."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(3)
    for _ in range(repetitions):
        for name, run in runs.items():
            start = time.perf_counter()
            run(steps)
            taken[name].append((time.perf_counter() - start) * 1e3 / steps)
    return taken


def same_answer(full: Graphs, quotient: Graphs, data: list[Data]) -> float:
    """The largest difference between the plain MPEU and ours with the same weights: both do the same work."""
    network, plain = Mpeu(settings_of("mpeu"), 0), PlainMpeu(CHANNELS, STEPS)
    plain.take_over(network)
    places = np.arange(min(64, full.n))
    with torch.no_grad():
        expected = plain(next(iter(DataLoader(data, batch_size=len(places)))))
        return max(float((network(DeviceGraphs.of(graphs).batch(places))[0] - expected).abs().max())
                   for graphs in (full, quotient))


def measured(n_crystals: int, steps: int, repetitions: int) -> dict[str, Any]:
    """All times on one core."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows, targets = crystals(n_crystals)
    full, quotient = (graphs_of(rows, GraphSettings(kind=kind, n_neighbours=NEIGHBOURS))
                      for kind in ("full", "quotient"))
    data = data_of(full, targets)
    timed = {kind: ours(kind, quotient) for kind in PEERS}
    peers = {"schnet": Peer(geometric_schnet(CHANNELS, STEPS), data), "mpeu": Peer(PlainMpeu(CHANNELS, STEPS), data)}
    runs: dict[str, Callable[[int], None]] = {"batching": timed["schnet"].batching}
    for kind in PEERS:
        runs |= {kind: timed[kind].run, PEERS[kind]: peers[kind].run}
    runs |= {"painn": ours("painn", full).run, "schnet, 4 members": ours("schnet", quotient, n_members=4).run}
    times = milliseconds(runs, steps, repetitions)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "crystals": rows.num_rows, "nodes": int(full.node_offsets[-1]), "edges": int(full.edge_offsets[-1]),
        "quotient": [int(o[-1]) for o in (quotient.node_offsets, quotient.edge_offsets, quotient.distance_offsets)],
        "step_ms": medians, "slowest_ms": {name: max(values) for name, values in times.items()},
        "ratio": {kind: medians[PEERS[kind]] / medians[kind] for kind in PEERS},
        "batching_share": {kind: medians["batching"] / medians[kind] for kind in PEERS},
        "largest_difference": same_answer(full, quotient, data), "gpu": gpu(quotient),
    }


def gpu(quotient: Graphs) -> dict[str, Any] | None:
    """Times of a step on a GPU; None where there is none."""
    if not torch.cuda.is_available():
        return None
    found: dict[str, Any] = {"device": torch.cuda.get_device_name(), "step_ms": {}, "batching_ms": {}, "captured": {}}
    with computing(device_of("cuda"), None):
        for kind in LIMIT_GPU_MS:
            timed = ours(kind, quotient, device="cuda")
            found["step_ms"][kind] = median_ms(timed.run, GPU_SECONDS)
            found["batching_ms"][kind] = median_ms(timed.batching, GPU_SECONDS / 4)
            found["captured"][kind] = timed.captured
    return found


def misses(result: dict[str, Any]) -> list[str]:
    """The bars that were missed, in words."""
    found = [f"{kind} {result['ratio'][kind]:.2f} times {PEERS[kind]} (at least {limit:g})"
             for kind, limit in LIMIT_RATIO.items() if result["ratio"][kind] < limit]
    found += [f"batching is {share:.1%} of a {kind} step (under {LIMIT_BATCHING:.0%})"
              for kind, share in result["batching_share"].items() if share >= LIMIT_BATCHING]
    if result["largest_difference"] > 1e-4:
        found.append(f"the plain MPEU says something else, by {result['largest_difference']:.1e}")
    found += [f"{kind} takes {ms:.2f} ms on the GPU (at most {LIMIT_GPU_MS[kind]:g})"
              for kind, ms in (result["gpu"] or {"step_ms": {}})["step_ms"].items() if ms > LIMIT_GPU_MS[kind]]
    return found


def show(result: dict[str, Any]) -> None:
    """Print the measurements."""
    nodes, edges, distances = result["quotient"]
    print(f"{result['crystals']:,} crystals: {result['nodes']:,} nodes and {result['edges']:,} edges; quotient graphs: "
          f"{nodes:,} nodes, {edges:,} edges, {distances:,} distances")
    for name, ms in result["step_ms"].items():
        rate = "" if name == "batching" else f", {BATCH / ms * 1e3:,.0f} graphs/s"
        print(f"  {name:24} {ms:8.2f} ms a step (slowest repetition {result['slowest_ms'][name]:.2f}){rate}")
    for kind, peer in PEERS.items():
        print(f"{kind}: {result['ratio'][kind]:.1f} times as fast as the {peer} (limit {LIMIT_RATIO[kind]:g}); "
              f"batching is {result['batching_share'][kind]:.1%} of the step (limit {LIMIT_BATCHING:.0%})")
    if result["gpu"] is None:
        print("GPU: skipped, PyTorch sees none with CUDA; limits there: "
              + ", ".join(f"{kind} {ms:g} ms" for kind, ms in LIMIT_GPU_MS.items()))
    else:
        for kind, ms in result["gpu"]["step_ms"].items():
            how = "captured" if result["gpu"]["captured"][kind] else "NOT captured"
            print(f"{result['gpu']['device']}: {kind} {ms:.3f} ms a step (limit {LIMIT_GPU_MS[kind]:g}), batching "
                  f"{result['gpu']['batching_ms'][kind]:.3f} ms; {how}")
    print(f"the same weights in the plain MPEU: answers differ by at most {result['largest_difference']:.1e}")


def main() -> int:
    """Measure and print; the status is 1 where a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__.splitlines()[0])
    parser.add_argument("--crystals", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=20, help="steps of a repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    arguments = parser.parse_args()
    result = measured(arguments.crystals, arguments.steps, arguments.repetitions)
    missed = misses(result)
    if arguments.json:
        print(json.dumps(result | {"missed": missed}))
        return 1 if missed else 0
    show(result)
    print(f"limits: {'MISSED: ' + '; '.join(missed) if missed else 'kept'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
