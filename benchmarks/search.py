"""A search with pruning beside one that trains every candidate to its end: the best found, and steps that took.

Run: ``python -m benchmarks.search [--steps 540] [--orders 8] [--workers here] [--json]``. Band gaps of the shipped
AFLOW records, SchNet, a space of 48 candidates that is trained in full. The peer is the same search without pruning.
The pruned search then goes over the same 48 candidates, first for real and timed, then in other orders, in which
trainings are taken over from the full search: what a candidate has learned at a step does not depend on who else is
there, so only who is ended differs. The timed one, and at least one in two orders, must come within 3 % of the best,
with a third of the steps at most.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from lake.ingest.run import ingest
from lake.settings import load_settings
from lake.store.lake import Lake
from ml.data import Dataset, Selection, dataset
from ml.search.request import SearchRequest
from ml.search.run import Searched, State, search
from ml.search.space import Space
from ml.spec import ModelSpec

SPACE = {
    "model.channels": [8, 16, 32], "model.steps": [1, 2, 3, 4],
    "training.learning_rate": [1e-3, 3e-3, 1e-2, 2e-2],
}
WITHIN, LIMIT_STEPS = 0.03, 1 / 3
SAMPLES = Path(__file__).parents[1] / "samples" / "aflow"


def gaps(folder: str) -> tuple[Lake, Dataset]:
    """A lake with the shipped AFLOW records, and their band gaps to learn."""
    lake = Lake.open(folder, load_settings(tracking_uri="off"))
    ingest(lake, "aflow", saved=[str(SAMPLES)])
    return lake, dataset(lake, Selection("band_gap_ev"))


def request(steps: int, pruner: str) -> SearchRequest:
    """A search of the whole space."""
    training = {"steps": steps, "evaluate_every": max(1, steps // 54), "device": "cpu", "threads": 1}
    space = Space.of("48", SPACE)
    return SearchRequest(ModelSpec("schnet", {}, training), space, sampler="random", pruner=pruner,
                         candidates=int(space.size), ensemble=0)


def told(state: State) -> None:
    """How far it is, on one line."""
    sys.stderr.write(f"\r{state.doing}: {state.steps:,} of {state.planned_steps:,} steps, {state.n_ended} ended   ")


def timed(lake: Lake, data: Dataset, asked: SearchRequest, where: str | None, name: str) -> tuple[Searched, float]:
    """A search that trains all by itself, and its seconds."""
    began = time.perf_counter()
    found = search(lake, data, asked, name=name, where=where, again=True, progress=told)
    sys.stderr.write("\n")
    return found, time.perf_counter() - began


def compared(found: Searched, full: Searched) -> dict[str, Any]:
    """Best error and steps of a pruned search against those of the full one."""
    steps = sum(one.steps for one in found.candidates)
    return {"best": found.row["best_rmse"], "worse_by": found.row["best_rmse"] / full.row["best_rmse"] - 1,
            "steps": steps, "share_of_steps": steps / full.row["training_steps"]}


def orders(lake: Lake, data: Dataset, full: Searched, steps: int, n: int) -> list[dict[str, Any]]:
    """Hyperband with the candidates in other orders, from what is known of them."""
    found = []
    for order in range(1, n + 1):
        asked = replace(request(steps, "hyperband"), sampler_seed=order)
        found.append(compared(search(lake, data, asked, name=f"order-{order}", where="here"), full))
    return found


def main() -> int:
    """Print what was measured; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=540)
    parser.add_argument("--orders", type=int, default=8)
    parser.add_argument("--workers", default=None)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake, data = gaps(folder)
        full, full_seconds = timed(lake, data, request(given.steps, "none"), given.workers, "full")
        pruned, seconds = timed(lake, data, request(given.steps, "hyperband"), given.workers, "pruned")
        first = compared(pruned, full) | {"seconds": seconds, "full_seconds": full_seconds}
        others = orders(lake, data, full, given.steps, given.orders)
    within = [one["worse_by"] <= WITHIN for one in others]
    ok = (first["worse_by"] <= WITHIN and all(one["share_of_steps"] <= LIMIT_STEPS for one in [first, *others])
          and sum(within) * 2 >= len(within))
    if given.json:
        sys.stdout.write(json.dumps({"first": first, "orders": others, "ok": ok}) + "\n")
        return int(not ok)
    row = full.row
    faster = full_seconds / seconds
    sys.stdout.write(
        f"48 candidates trained in full: best {row['best_rmse']:.4f} eV, mean {row['mean_rmse']:.4f}, gain "
        f"{row['gain']:.1%}, {row['training_steps']:,} steps, {full_seconds:.0f} s\n"
        f"Hyperband: best {first['best']:.4f} eV, {first['worse_by']:+.1%} (bar {WITHIN:+.0%}); {first['steps']:,} "
        f"steps, {first['share_of_steps']:.1%} (bar {LIMIT_STEPS:.0%}); {seconds:.0f} s, {faster:.1f} times faster\n")
    if others:
        sys.stdout.write(
            f"in {len(others)} other orders: within {WITHIN:.0%} in {sum(within)}, median "
            f"{statistics.median(one['worse_by'] for one in others):+.1%}, worst "
            f"{max(one['worse_by'] for one in others):+.1%}; at most "
            f"{max(one['share_of_steps'] for one in others):.1%} of the steps\n")
    return int(not ok)


if __name__ == "__main__":
    raise SystemExit(main())
