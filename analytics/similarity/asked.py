"""What an all-pairs run is asked for, with the versions of the tables that it reads: the same question, one digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from analytics.similarity.sorted_index import rows_of_a_tile
from lake.errors import InputError, SettingsError

if TYPE_CHECKING:
    from lake.store.lake import Lake

METHOD = 1
"""Raised when the same question would be answered by other files than before."""
FOLD_ABOVE = 1_000
FOLD_SIMILARITY = 0.98
MOST_PAIRS = 500_000_000


@dataclass(frozen=True)
class Asked:
    """One question.

    Attributes:
        grid_id: the grid.
        threshold: smallest similarity of a pair.
        aligned: whether aligned coefficients are wanted.
        fold_above: materials with more fingerprints than this are folded; None = none is.
        fold_similarity: similarity to the representative from which one is folded.
        n_fingerprints: comparable fingerprints of the grid.
        tile_rows: rows of a tile.
        fingerprints_version: version of `fingerprints` that is read.
        calculations_version: version of `calculations` that tells the materials; −1 = there is none, or no need.
        dos_version: version of `dos` for aligned coefficients; −1 = there is none, or no need.
    """

    grid_id: str
    threshold: float
    aligned: bool
    fold_above: int | None
    fold_similarity: float
    n_fingerprints: int
    tile_rows: int
    fingerprints_version: int
    calculations_version: int
    dos_version: int

    @property
    def digest(self) -> str:
        """Names the run."""
        text = json.dumps({"method": METHOD} | asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def ask(
    lake: Lake, grid_id: str, threshold: float, *, aligned: bool, fold_above: int | None, fold_similarity: float
) -> Asked:
    """The question, about the tables as they are now.

    Raises:
        SettingsError: a threshold or a similarity outside (0, 1], or ``aligned`` for a grid of another kind.
        InputError: there is no such grid, or the lake has no fingerprints on it.
    """
    from analytics.fingerprints.kinds import find

    for name, value in (("--threshold", threshold), ("--fold-similarity", fold_similarity)):
        if not 0.0 < value <= 1.0:
            raise SettingsError(f"{name} {value:g}: a similarity above 0 and up to 1 is needed.")
    if fold_above is not None and fold_above < 1:
        raise SettingsError(f"--fold-above {fold_above}: at least 1 is needed; --no-fold compares all of them.")
    grid = find(grid_id, lake)
    if aligned and grid.kind != "dos":
        raise SettingsError(
            f"--aligned: the grid {grid.grid_id} describes a {grid.kind}, and only densities of states can be shifted "
            "against each other. Leave it out."
        )
    versions = lake.versions()
    n = _comparable(lake, grid.grid_id, versions.get("fingerprints"))
    return Asked(
        grid.grid_id, float(threshold), aligned, fold_above,
        # What is listed from a higher similarity on must not be folded at a lower one.
        max(float(fold_similarity), float(threshold)), n, rows_of_a_tile(n), versions["fingerprints"],
        versions.get("calculations", -1) if fold_above is not None else -1, versions.get("dos", -1) if aligned else -1,
    )


def _comparable(lake: Lake, grid_id: str, version: int | None) -> int:
    again = f"run matlake fingerprint --grid {grid_id}"
    if version is None:
        raise InputError(f"The lake {lake.root.uri} has no fingerprints so far: {again}.")
    with lake.connect({"fingerprints": version}) as connection:
        found = connection.execute(
            "select grid_id, count(counts) from fingerprints group by grid_id order by grid_id"
        ).fetchall()
    counted: dict[str, int] = dict(found)
    if grid_id not in counted:
        others = f" (there are some on {', '.join(counted)})" if counted else ""
        raise InputError(f"The lake {lake.root.uri} has no fingerprints on the grid {grid_id}{others}: {again}.")
    return counted[grid_id]
