"""Candidates trained together beside the same ones trained one after the other: time of all steps.

Run: ``python -m benchmarks.stacked [--crystals 300] [--steps 8] [--repetitions 3] [--channels 64 128] [--width N]
[--json]``. Real crystals of ``samples/mp``, 24 neighbours, batch 32, 3 message-passing steps, eight candidates, one CPU
core (its processor time); repetitions take turns, ratios are of medians. At least 1 is needed on a CPU, and 4 on a GPU
where there is one.

Steps alone, without setting up, took on one core of a machine busy with other work (separate / together, default
width): SchNet 1.37 and 1.07, MPEU 1.26 and 1.11, with 64 and 128 channels. No GPU was at hand.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from lake.ingest.run import ingest
from lake.store.lake import Lake
from ml.graphs.batch import DeviceGraphs
from ml.graphs.build import graphs_of
from ml.graphs.graphs import Graphs
from ml.graphs.settings import GraphSettings
from ml.models import ModelSettings, build
from ml.training import TrainSettings
from ml.training.device import device_of
from ml.training.loop import fit
from ml.training.stack import fit_stack
from ml.training.stack_members import build_stack
from ml.training.stack_result import Candidate

N_CANDIDATES = 8
LIMIT = {"cpu": 1.0, "cuda": 4.0}
GPU_STEPS = 50
NEIGHBOURS = 24
COLUMNS = ["calculation_id", "lattice_vectors_angstrom", "fractional_positions", "species_at_sites",
           "formation_energy_ev_per_atom"]


def crystals(n: int) -> tuple[pa.Table, np.ndarray]:
    """Crystals of one page of the shipped MP records, which takes seconds, with their energies in eV/atom."""
    page = Path(__file__).parents[1] / "samples" / "mp" / "summary" / "page-001.json.gz"
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(folder)
        ingest(lake, "mp", saved=[str(page)])
        rows = lake.read("calculations", COLUMNS, "formation_energy_ev_per_atom is not null and n_sites <= 52")
    rows = rows.sort_by("calculation_id")
    rows = rows.take(np.sort(np.random.default_rng(0).permutation(rows.num_rows)[:n]))
    return rows, rows["formation_energy_ev_per_atom"].to_numpy()


def compared(graphs: Graphs, targets: np.ndarray, kind: str, channels: int, steps: int, repetitions: int,
             device: torch.device, width: int | None) -> dict[str, Any]:
    """Seconds of eight runs and of one stack, and their ratio."""
    source = DeviceGraphs.of(graphs, device)
    candidates = [Candidate(1e-4 * (place + 1), seed=place) for place in range(N_CANDIDATES)]
    settings = TrainSettings(steps=steps, evaluate_every=steps, most_validation_rows=32, threads=1)
    form = replace(ModelSettings(kind, tuple(range(1, 119)), steps=3), channels=channels)
    order = np.arange(graphs.n)
    train, validation = order[32:], order[:32]

    def separate() -> None:
        for one in candidates:
            fit(build(form, one.seed), source, targets, train, validation, replace(settings, seed=0,
                learning_rate=one.learning_rate))

    def together() -> None:
        fit_stack(build_stack(form, candidates), source, targets, train, validation, settings, candidates,
                  until=steps, width=width)

    runs: dict[str, Callable[[], None]] = {"separate": separate, "together": together}
    # One thread's processor time is its wall time on a quiet machine, and hardly changes on a busy one.
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repetitions):
        for name, run in runs.items():
            start = clock()
            run()
            taken[name].append(clock() - start)
    seconds = {name: statistics.median(values) for name, values in taken.items()}
    return {"device": device.type, "kind": kind, "channels": channels, "width": width, **seconds,
            "ratio": seconds["separate"] / seconds["together"], "limit": LIMIT[device.type]}


def main() -> int:
    """Print what was measured; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crystals", type=int, default=300)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--channels", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--width", type=int, default=None)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows, targets = crystals(given.crystals)
    graphs = graphs_of(rows, GraphSettings(kind="quotient", n_neighbours=NEIGHBOURS))
    devices = [torch.device("cpu")] + ([device_of("cuda")] if torch.cuda.is_available() else [])
    found = [compared(graphs, targets, kind, channels, given.steps * (GPU_STEPS if device.type == "cuda" else 1),
                      given.repetitions, device, given.width)
             for device in devices for kind in ("schnet", "mpeu") for channels in given.channels]
    if given.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        for one in found:
            sys.stdout.write("{device} {kind} C={channels}: 8 runs {separate:.2f} s, stacked {together:.2f} s, ratio "
                             "{ratio:.2f} (bar {limit:.1f})\n".format(**one))
        if len(devices) == 1:
            sys.stdout.write("No GPU with CUDA is at hand: the bar of 4 there was not measured.\n")
    return int(any(one["ratio"] < one["limit"] for one in found))


if __name__ == "__main__":
    raise SystemExit(main())
