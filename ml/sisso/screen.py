"""Sure independence screening: the features of a space that go best with what is left to be said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml.sisso.counting import added, n_candidates
from ml.sisso.expression import Feature
from ml.sisso.pool import Pool, directions
from ml.sisso.scores import Scorer
from ml.sisso.space import Space
from ml.sisso.tiles import Tile, Tiles

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]
"""Is told how many candidates of how many were seen."""


@dataclass(frozen=True)
class Screened:
    """The best features, best first.

    Attributes:
        features: expressions (m,).
        values: theirs (m, n).
        scores: theirs (m,).
        n_candidates: features that were looked at, duplicates included.
        n_same: of those good enough to be judged, how many said the same as another one.
        n_unusable: of those, how many are not defined on every row, out of bounds, or constant.
    """

    features: tuple[Feature, ...]
    values: Floats
    scores: Floats
    n_candidates: int
    n_same: int
    n_unusable: int


def screen(
    space: Space, scorer: Scorer, keep: int, *, already: Floats | None = None, device: str = "cpu",
    progress: Progress | None = None,
) -> Screened:
    """The ``keep`` features that score best, no two of which say the same.

    All candidates of the highest rung are looked at; none but the best is ever built or kept. What comes out does not
    hang on the number of threads or the device but for scores that agree to nine digits.

    Args:
        space: features of the lower rungs.
        scorer: residuals or classes.
        keep: how many are wanted; there may be fewer.
        already: values (m, n) of features that are not wanted again; to a linear model they say the same.
        device: where tiles are computed: cpu, cuda, cuda:1, … or auto.
        progress: called after every tile.

    Raises:
        InputError: there are more candidates than the settings allow, they would take longer than these allow, or none
            is of use.
    """
    if type(keep) is not int or keep < 1:
        raise InputError(f"Keep {keep!r:.40} features: a whole number from 1 is needed.")
    total = n_candidates(space)
    check_size(total, space)
    known = np.zeros((0, space.values.shape[1])) if already is None or not len(already) else directions(already)
    if space.settings.most_minutes is not None:
        check_time(space, scorer, device)
    pool = Pool(space, scorer, keep, known)
    for start in range(0, space.n, pool.most_waiting):
        places = np.arange(start, min(start + pool.most_waiting, space.n), dtype=np.int64)
        pool.add(-1, places, np.full_like(places, -1))
        pool.settle()
    seen = space.n
    if space.streams:
        for tile in Tiles(space, scorer, device).all():
            seen += _taken(pool, tile)
            if progress:
                progress(seen, total)
    pool.settle()
    if not len(pool.scores):
        raise InputError("No feature of the space is of use: all are constant, not defined on every row, or out "
                         "of bounds.")
    features = tuple(space.candidate(*(int(one) for one in chosen)) for chosen in pool.chosen.T)
    return Screened(features, pool.values, pool.scores, seen, pool.n_same, pool.n_unusable)


def check_size(total: int, space: Space) -> None:
    """Refuse a space that is too large, before long work.

    Raises:
        InputError: it has more candidates than the settings allow.
    """
    if total > space.settings.most_candidates:
        raise InputError(
            f"Rung {space.settings.rung} of {len(space.primaries)} columns gives {total:,} features, and "
            f"{space.settings.most_candidates:,.0f} are allowed (--most-candidates): take fewer columns or operators, "
            "bound the operators in a feature (--max-operators), or take a lower rung."
        )


def check_time(space: Space, scorer: Scorer, device: str = "cpu") -> None:
    """Refuse what would take too long, before long work.

    Raises:
        InputError: it would take longer than the settings allow.
    """
    minutes, most = seconds_expected(space, scorer, device) / 60, space.settings.most_minutes
    if most is not None and minutes > most:
        raise InputError(
            f"Screening {n_candidates(space):,} features would take about {minutes:,.1f} minutes, and {most:g} are "
            "allowed (--most-minutes): take fewer columns or operators, bound the operators in a feature "
            "(--max-operators), or take a lower rung."
        )


def seconds_expected(space: Space, scorer: Scorer, device: str = "cpu") -> float:
    """About how long one screening takes, by the time that a tile of every operator took."""
    if not space.streams:
        return 0.0
    tiles, counts = Tiles(space, scorer, device), added(space)
    seconds = sum(counts[operator.name] * each for operator, each in tiles.seconds_of_a_candidate())
    return seconds / tiles.threads if tiles.device.type == "cpu" else seconds


def _taken(pool: Pool, tile: Tile) -> int:
    """Put what may be good enough into the pool; how many candidates the tile had."""
    import torch

    scores = tile.scores
    n = int((scores >= 0).sum())
    while True:
        above = scores > pool.threshold if pool.threshold > 0 else scores >= 0
        count = int(above.sum())
        if count == 0:
            return n
        if count <= pool.most_waiting:
            at = torch.nonzero(above).cpu().numpy()
            pool.add(tile.operator, tile.left[at[:, 0]], tile.right[at[:, 1]])
            return n
        # The best ones first: they raise the threshold, and most of the others need not be built.
        best = torch.topk(scores.flatten(), pool.most_waiting).indices
        at = best.cpu().numpy()
        width = scores.shape[1]
        pool.add(tile.operator, tile.left[at // width], tile.right[at % width])
        pool.settle()
        scores = scores.flatten().index_fill(0, best, -1.0).reshape(scores.shape)
