"""All pairs of a lake's fingerprints at or above a similarity: shared out, resumable, published at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from secrets import token_hex

from analytics.similarity.all_pairs import compare, task_name, tile_pairs
from analytics.similarity.asked import FOLD_ABOVE, FOLD_SIMILARITY, MOST_PAIRS, Asked, ask
from analytics.similarity.pairs import TooManyPairsError
from analytics.similarity.published import Published, publish, published
from analytics.similarity.run_folder import Heartbeat, RunFolder, all_there, remove_dead_runs
from analytics.similarity.sorted_index import forget_tiles
from analytics.similarity.sorting import Sorted, sort_fingerprints
from analytics.similarity.tile_profiles import profiles_name, write_profiles
from lake.errors import TableError
from lake.store.lake import Lake
from lake.store.root import Root
from lake.store.whole import Part
from lake.tasks import Task, Workers, open_workers
from lake.tasks.task import HERE

SPREAD_ABOVE = 200_000
"""Fingerprints from which on processes are worth their start."""
ATTEMPTS = 3
"""How often a run looks again for files that were removed while it worked."""


@dataclass(frozen=True)
class State:
    """How far a run is: what it does, tasks that have ended, tasks in all, pairs found so far."""

    doing: str
    done: int
    total: int
    pairs: int


Progress = Callable[[State], None]


@dataclass(frozen=True)
class RunResult:
    """What came of a run.

    Attributes:
        grid_id: the grid.
        threshold: smallest similarity of a pair.
        aligned: whether aligned coefficients were asked for.
        n_fingerprints: comparable fingerprints.
        n_representatives: those compared pair by pair.
        n_identical: those that equal a representative in every count.
        n_near: those folded into a representative of the same material.
        n_pairs: pairs listed.
        fingerprints_version: version of `fingerprints` that was read.
        similarities_version: version of `similarities` that holds the pairs.
        where: ``here``, ``processes`` or the scheduler's address.
        n_tasks: tasks of the run.
        n_resumed: those that an interrupted run had done.
        is_new: false where the lake held just this already.
        seconds: wall time.
    """

    grid_id: str
    threshold: float
    aligned: bool
    n_fingerprints: int
    n_representatives: int
    n_identical: int
    n_near: int
    n_pairs: int
    fingerprints_version: int
    similarities_version: int
    where: str
    n_tasks: int
    n_resumed: int
    is_new: bool
    seconds: float


def all_pairs(
    lake: Lake, grid_id: str, threshold: float, *, aligned: bool = False, fold_above: int | None = FOLD_ABOVE,
    fold_similarity: float = FOLD_SIMILARITY, most_pairs: int = MOST_PAIRS, where: str | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """List all pairs of fingerprints of a grid at or above a similarity in the table `similarities`.

    The pairs of a grid are replaced as a whole, in one commit, when all of them are there. The search is exact.
    Fingerprints that are equal in every count are compared once, and in materials with very many calculations those
    that are nearly equal; `similarity_groups` says which stands for which, the view `similar_calculations` writes
    pairs of equal ones out. An interrupted run goes on where it was when it is started again.

    Args:
        lake: the lake.
        grid_id: id or name of the grid.
        threshold: smallest Tanimoto coefficient of a pair, above 0 and up to 1.
        aligned: also find the best coefficient within small shifts of the energies, of every pair listed.
        fold_above: materials (reduced_key) with more different fingerprints than this are folded; None = none is.
        fold_similarity: similarity to the representative from which a fingerprint is folded; at least the threshold.
        most_pairs: the run stops when there are more.
        where: ``here``, ``processes``, ``scheduler`` or a scheduler's address; default: here below 200 thousand
            fingerprints, else what the settings say.
        progress: told how far the run is.

    Raises:
        SettingsError: a threshold or place that cannot be.
        InputError: the lake has no such grid or no fingerprints on it.
        TooManyPairsError: there are more than ``most_pairs``; nothing is published.
        WorkerError: a task could not be done; what is done is kept for the next run.
    """
    began = time.monotonic()
    # Workers get the root without what it has opened on this machine.
    lake = Lake(Root(lake.root.uri, lake.settings), lake.settings)
    asked = ask(lake, grid_id, threshold, aligned=aligned, fold_above=fold_above, fold_similarity=fold_similarity)
    there = published(lake, asked)
    if there is not None:
        return _result(asked, there, HERE, 0, 0, began)
    if where is None and asked.n_fingerprints < SPREAD_ABOVE:
        where = HERE
    folder, token = RunFolder(asked.digest), token_hex(4)
    remove_dead_runs(lake.root, asked.digest)
    try:
        with Heartbeat(lake.root, folder, token):
            folder.describe(lake.root, {"grid_id": asked.grid_id, "threshold": asked.threshold})
            with open_workers(lake.settings, where) as workers:
                run = _Run(lake, asked, folder, token, workers, most_pairs, progress)
                found = run.sorted()
                parts = run.pairs(found)
            done = publish(lake, asked, found, parts, folder, token, began)
    except TooManyPairsError:
        folder.remove(lake.root, token)
        raise
    finally:
        forget_tiles()
    folder.remove(lake.root, token)
    return _result(asked, done, workers.where, run.n_tasks, run.n_resumed, began)


class _Run:
    """The tasks of one run, those that an interrupted one has done left out."""

    def __init__(self, lake: Lake, asked: Asked, folder: RunFolder, token: str, workers: Workers, most_pairs: int,
                 progress: Progress | None) -> None:
        self._lake, self._asked, self._folder, self._workers = lake, asked, folder, workers
        self._prefix, self._most, self._progress = folder.prefix(token), most_pairs, progress
        self.n_tasks = self.n_resumed = 0

    def sorted(self) -> Sorted:
        """Tiles and groups."""
        root, asked = self._lake.root, self._asked
        written = self._folder.read(root, "sorted.json")
        if written is not None:
            found = Sorted.of_json(written)
            if all_there(root, "similarity_groups", found.groups):
                return found
        self._say("sort", 0, 1, 0)
        [(_, made)] = self._workers.run([Task("sort fingerprints", sort_fingerprints, {
            "lake": self._lake, "grid_id": asked.grid_id, "folder": self._folder.parts, "prefix": self._prefix,
            "tile_rows": asked.tile_rows, "fold_above": asked.fold_above, "fold_similarity": asked.fold_similarity,
            "versions": {"fingerprints": asked.fingerprints_version, "calculations": asked.calculations_version},
        })])
        assert isinstance(made, Sorted)
        self._folder.write(root, "sorted.json", made.as_json())
        return made

    def pairs(self, found: Sorted) -> list[Part]:
        """The files with all pairs."""
        names = {task_name(*pair): pair for pair in tile_pairs(found.tiles, self._asked.threshold)}
        done = self._folder.receipts(self._lake.root)
        done = {name: parts for name, parts in done.items() if name in names}
        self.n_tasks, self.n_resumed = len(names), len(done)
        if self._asked.aligned and len(done) < len(names):
            self._profiles(found)
        for _ in range(ATTEMPTS):
            self._compare(names, done)
            everything = [part for name in sorted(done) for part in done[name]]
            if all_there(self._lake.root, "similarities", everything):
                return everything
            # Somebody took this run for dead, as when a laptop slept, and removed what it had written.
            done = {n: p for n, p in done.items() if all_there(self._lake.root, "similarities", p)}
        raise TableError(
            f"Files of this run vanish from the lake {self._lake.root.uri} while it works. If something else cleans "
            "up there, stop that; then run the same command again."
        )

    def _compare(self, names: dict[str, tuple[int, int]], done: dict[str, tuple[Part, ...]]) -> None:
        """Do the tasks that are not done yet, and enter what they wrote."""
        asked, pairs = self._asked, sum(part.rows for parts in done.values() for part in parts)
        missing = [(name, pair) for name, pair in names.items() if name not in done]
        threads = 0 if self._workers.where == HERE else 1

        def tasks() -> Iterator[Task]:
            for name, (left, right) in missing:
                yield Task(name, compare, {
                    "lake": self._lake, "grid_id": asked.grid_id, "folder": self._folder, "prefix": self._prefix,
                    "left": left, "right": right, "threshold": asked.threshold, "most": self._most - pairs,
                    "aligned": asked.aligned, "threads": threads,
                })

        self._check_most(pairs)
        try:
            with closing(self._workers.run(tasks())) as results:  # type: ignore[type-var]
                for task, result in results:
                    done[task.name] = result.parts
                    pairs += result.rows
                    self._check_most(pairs)
                    self._say("compare", len(done), len(names), pairs)
        except TooManyPairsError:
            raise self._too_many() from None

    def _profiles(self, found: Sorted) -> None:
        there = set(self._lake.root.names(*self._folder.parts))
        missing = [tile.number for tile in found.tiles if profiles_name(tile.number) not in there]
        tasks = (Task(f"read densities {number:05}", write_profiles, {
            "lake": self._lake, "folder": self._folder, "number": number, "version": self._asked.dos_version,
        }) for number in missing)
        with closing(self._workers.run(tasks)) as results:  # type: ignore[type-var]
            for done, _ in enumerate(results, start=1):
                self._say("read densities", done, len(missing), 0)

    def _check_most(self, pairs: int) -> None:
        if pairs > self._most:
            raise self._too_many()

    def _too_many(self) -> TooManyPairsError:
        asked = self._asked
        fold = "--fold-above" if asked.fold_above is not None else "leave --no-fold out"
        return TooManyPairsError(
            f"More than {self._most:,} pairs of {asked.n_fingerprints:,} fingerprints on {asked.grid_id} have a "
            f"similarity of at least {asked.threshold:g}; nothing was published. Raise --threshold, fold smaller "
            f"materials ({fold}), or allow more with --most-pairs (a pair takes some 12 bytes in the lake)."
        )

    def _say(self, doing: str, done: int, total: int, pairs: int) -> None:
        if self._progress:
            self._progress(State(doing, done, total, pairs))


def _result(asked: Asked, done: Published, where: str, n_tasks: int, n_resumed: int, began: float) -> RunResult:
    return RunResult(
        asked.grid_id, asked.threshold, asked.aligned, asked.n_fingerprints, done.n_representatives, done.n_identical,
        done.n_near, done.n_pairs, asked.fingerprints_version, done.similarities_version, where, n_tasks, n_resumed,
        done.is_new, time.monotonic() - began,
    )
