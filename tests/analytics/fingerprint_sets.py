"""Sets of fingerprints that tests draw: random, clustered and degenerate ones, with and without windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

KINDS = ("random", "clustered", "sparse", "equal", "empty", "full", "copies", "steps")


@dataclass(frozen=True)
class Fingerprints:
    """Counts (n, n_counts) and their windows, or none."""

    counts: NDArray[np.uint8] | NDArray[np.uint16]
    starts: NDArray[np.int64] | None
    stops: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.counts)


def make(kind: str, n: int, n_counts: int, levels: int, seed: int, windows: int) -> Fingerprints:
    """Draw a set; ``windows`` is the number of different windows, 0 for none given."""
    random = np.random.default_rng(seed)
    if kind == "random":
        rows = random.integers(0, levels + 1, (n, n_counts))
    elif kind in ("clustered", "copies"):
        centers = random.integers(0, levels + 1, (max(n // 20, 1), n_counts))
        rows = centers[random.integers(0, len(centers), n)]
        if kind == "clustered":
            rows = np.clip(rows + random.integers(-levels // 20 - 1, levels // 20 + 2, rows.shape), 0, levels)
    elif kind == "sparse":
        rows = random.integers(0, levels + 1, (n, n_counts)) * (random.random((n, n_counts)) < 0.05)
    elif kind == "steps":
        rows = np.minimum(np.arange(n)[:, None], levels) * (np.arange(n_counts) < n_counts // 2 + 1)
    else:
        rows = np.full((n, n_counts), {"equal": levels // 2 + 1, "empty": 0, "full": levels}[kind])
    counts = rows.astype(np.uint8 if levels <= 255 else np.uint16)
    if not windows:
        return Fingerprints(counts, None, None)
    ends = np.sort(random.integers(0, n_counts + 1, (windows, 2)), axis=1)
    ends[0] = 0, n_counts
    if windows > 2:
        ends[1] = ends[1, ::-1]  # an empty window, end before start
    which = random.integers(0, windows, n)
    return Fingerprints(counts, ends[which, 0], ends[which, 1])


@st.composite
def fingerprint_sets(draw: st.DrawFn, largest: int = 200) -> Fingerprints:
    """Sets of up to ``largest`` fingerprints of 1 to 311 counts, 8 and 16 bits."""
    return make(
        draw(st.sampled_from(KINDS)), draw(st.sampled_from((0, 1, 2, 3, 63, 64, 65, 129, largest))),
        draw(st.one_of(st.sampled_from((1, 15, 16, 17, 32, 33, 144, 152, 311)), st.integers(1, 311))),
        draw(st.sampled_from((1, 56, 255, 256, 2048, 65535))), draw(st.integers(0, 2**32)),
        draw(st.sampled_from((0, 0, 1, 2, 5))),
    )


def coefficient_in_integers(left: list[int], right: list[int], window: tuple[int, int]) -> float:
    """The definition, in Python's integers."""
    pairs = list(zip(left, right, strict=True))[window[0]:max(window[1], window[0])]
    union = sum(max(a, b) for a, b in pairs)
    return sum(min(a, b) for a, b in pairs) / union if union else 0.0
