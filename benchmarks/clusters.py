"""Greedy clustering on the sparse graph: seconds for 50 thousand points, and the ratio to dense peers.

Run: ``python -m benchmarks.clusters [--points 50000] [--pairs 651000] [--peer-points 4000] [--json]``. The points lie
in families of very different sizes, as calculations of materials do. Peers work on a dense matrix, so they get
fewer points with as many neighbours each:

- RDKit's Butina clustering with reordering, where the interpreter that TEST_REFERENCE_PYTHON names (default:
  .venv-reference/bin/python) can import rdkit. It breaks ties in another way, so that only counts are compared;
- the definition, taken literally with numpy on the dense matrix: the answer must be the same.

Times are of the processor, on one core, compiled code warm, without reading or writing a lake.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.similarity.greedy import greedy
from analytics.similarity.neighbours import Neighbours, fixed

LIMIT_SECONDS = 0.44
LIMIT_RATIO = 20.0
THRESHOLD = 0.8
WITH_RDKIT = """
import json, sys, time
import numpy
from rdkit.ML.Cluster import Butina
distance = 1 - numpy.load(sys.argv[1])
limit = 1 - float(sys.argv[2]) + 1e-12
before = time.process_time()
found = Butina.ClusterData(distance, len(distance), limit, isDistData=True, reordering=True)
print(json.dumps({"seconds": time.process_time() - before, "clusters": sum(len(c) > 1 for c in found),
                  "largest": max(map(len, found))}))
"""


def pairs_of(points: int, pairs: int, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Left and right place and similarity of the most similar pairs, from ``THRESHOLD`` on."""
    from scipy.spatial import cKDTree

    generator = np.random.default_rng(seed)
    sizes = np.minimum(generator.zipf(1.5, points), 300)
    family = np.repeat(np.arange(points), sizes)[:points]
    centers = generator.uniform(0, 40, size=(points, 3))
    tree = cKDTree(centers[family] + generator.normal(size=(points, 3)) * 0.35)
    radius, found = 0.1, np.empty((0, 2), np.int64)
    while len(found) < pairs:
        radius *= 1.2
        found = tree.query_pairs(radius, output_type="ndarray")
    distance = np.linalg.norm(tree.data[found[:, 0]] - tree.data[found[:, 1]], axis=1)
    nearest = np.argsort(distance, kind="stable")[:pairs]
    similarity = 1 - (1 - THRESHOLD) * distance[nearest] / distance[nearest].max()
    return found[nearest, 0], found[nearest, 1], similarity


def sparse(points: int, left: NDArray[Any], right: NDArray[Any], similarity: NDArray[np.float64]) -> dict[str, Any]:
    """This one: from the pairs to the clusters."""
    before = time.process_time()
    clusters, centers = greedy(Neighbours.of(points, left, right, similarity))
    seconds = time.process_time() - before
    sizes = np.bincount(clusters[clusters >= 0])
    return {"seconds": seconds, "clusters": len(sizes), "largest": int(sizes.max()), "centers": centers}


def dense(matrix: NDArray[np.float64]) -> dict[str, Any]:
    """The definition: count all neighbourhoods anew after every cluster."""
    before = time.process_time()
    exact = fixed(matrix).astype(np.int64)
    near = matrix >= THRESHOLD
    np.fill_diagonal(near, False)
    centers = np.full(len(matrix), -1)
    while True:
        degrees = near.sum(axis=1)
        if degrees.max() == 0:
            break
        tied = np.flatnonzero(degrees == degrees.max())
        center = tied[np.argmax((exact[tied] * near[tied]).sum(axis=1))]
        members = np.append(np.flatnonzero(near[center]), center)
        centers[members] = center
        near[members] = False
        near[:, members] = False
    return {"seconds": time.process_time() - before, "centers": centers}


def with_rdkit(matrix: NDArray[np.float64]) -> dict[str, Any] | None:
    """RDKit in its own environment; None where there is none."""
    python = os.environ.get("TEST_REFERENCE_PYTHON", ".venv-reference/bin/python")
    if not Path(python).exists() or subprocess.run([python, "-c", "import rdkit"], capture_output=True).returncode:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "matrix.npy"
        np.save(path, matrix)
        done = subprocess.run(
            [python, "-c", WITH_RDKIT, str(path), str(THRESHOLD)], capture_output=True, text=True, check=True,
            timeout=1800,
        )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def compared(points: int, pairs: int) -> dict[str, Any]:
    """Both peers and this one on one small set."""
    left, right, similarity = pairs_of(points, pairs, seed=1)
    matrix = np.eye(points)
    matrix[left, right] = matrix[right, left] = similarity
    own, literal, rdkit = sparse(points, left, right, similarity), dense(matrix), with_rdkit(matrix)
    if not np.array_equal(own["centers"], literal["centers"]):
        raise SystemExit("The sparse graph and the definition give different clusters.")
    return {
        "points": points, "pairs": pairs, "seconds": own["seconds"], "clusters": own["clusters"],
        "largest": own["largest"], "dense_seconds": literal["seconds"],
        "ratio_to_dense": literal["seconds"] / own["seconds"], "rdkit": rdkit,
        "ratio_to_rdkit": rdkit["seconds"] / own["seconds"] if rdkit else None,
    }


def main() -> None:
    """Measure, print, and end with 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=50_000)
    parser.add_argument("--pairs", type=int, default=651_000)
    parser.add_argument("--peer-points", type=int, default=4_000)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    sparse(2, np.array([0]), np.array([1]), np.array([1.0]))
    large = sparse(chosen.points, *pairs_of(chosen.points, chosen.pairs))
    del large["centers"]
    peers = compared(chosen.peer_points, round(chosen.pairs * chosen.peer_points / chosen.points))
    if chosen.json:
        print(json.dumps({"large": large, "peers": peers}, indent=2))
    else:
        print(f"{chosen.points:,} points, {chosen.pairs:,} pairs: {large['seconds']:.3f} CPU-s, {large['clusters']:,} "
              f"clusters, the largest of {large['largest']:,} (limit {LIMIT_SECONDS} s)")
        print(f"{peers['points']:,} points, {peers['pairs']:,} pairs: {peers['seconds'] * 1e3:.2f} CPU-ms")
        print(f"  the definition, dense numpy: {peers['dense_seconds']:.2f} s, {peers['ratio_to_dense']:,.0f} ×, "
              "same clusters")
        if peers["rdkit"]:
            print(f"  RDKit Butina, reordering: {peers['rdkit']['seconds']:.2f} s, {peers['ratio_to_rdkit']:,.0f} ×; "
                  f"{peers['rdkit']['clusters']:,} clusters, largest {peers['rdkit']['largest']:,}; "
                  f"here {peers['clusters']:,}, {peers['largest']:,}")
        else:
            print("  RDKit Butina: rdkit is not in the reference's environment, not measured")
    ratio = peers["ratio_to_rdkit"] or peers["ratio_to_dense"]
    sys.exit(large["seconds"] > LIMIT_SECONDS or ratio < LIMIT_RATIO)


if __name__ == "__main__":
    main()
