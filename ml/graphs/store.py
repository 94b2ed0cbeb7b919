"""Graphs on disk: built once for every crystal and kept by its digest.

``<root>/graphs/<digest of the settings>/<digest of the crystals>.graphs``; for an ``s3://`` lake in the local folder
where its ``lake.duckdb`` lies. Each file holds some crystals (:mod:`ml.graphs.segment`). Files are written beside and
renamed, never changed; a file that is not as it was written is removed and its crystals built anew. So whoever is
killed leaves whole files, and several can build at once: at worst a crystal lies in two files. Everything here follows
from the table `calculations` and may be deleted at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import InputError
from lake.tasks.task import HERE, Task, place, processes
from ml.graphs import segment
from ml.graphs.build import built
from ml.graphs.crystals import Crystals, digests_of, refuse, table_of
from ml.graphs.gather import gathered
from ml.graphs.graphs import Graphs, Ints, joined
from ml.graphs.settings import GraphSettings

if TYPE_CHECKING:
    from lake.settings import Settings
    from lake.store.lake import Lake

FOLDER = "graphs"
AT_ONCE = 4_096
"""Crystals in one task, and at most so many are lost by a kill."""
SPREAD_ABOVE = 200_000
"""Crystals above which processes are started: below, threads are done sooner."""
SMALL_BYTES = 16 * 2**20
MOST_SMALL = 16
"""So many small files are put together to one, so that years of small additions do not end in thousands of files."""
ABANDONED_SECONDS = 86_400.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Held:
    """The files of a store as they are."""

    paths: list[Path]
    graphs: list[Graphs]

    @classmethod
    def of(cls, folder: Path) -> Held:
        """Map all files; those that are broken are removed."""
        paths, found = [], []
        for path in sorted(folder.glob(f"*{segment.SUFFIX}")):
            # One that has just gone was put together with others; one that cannot be read is as good as none. What
            # is not found elsewhere is built.
            with suppress(OSError):
                try:
                    found.append(segment.read(path))
                    paths.append(path)
                except segment.BrokenError:
                    path.unlink(missing_ok=True)
        return cls(paths, found)

    def find(self, wanted: pa.Array) -> tuple[Ints, Ints]:
        """In which file each crystal is, -1 where it is in none, and at which place."""
        files = np.full(len(wanted), -1, dtype=np.int64)
        places = np.zeros(len(wanted), dtype=np.int64)
        for number, graphs in enumerate(self.graphs):
            at = pc.index_in(wanted, value_set=pa.array(graphs.sha256s.tolist(), pa.string()))
            here = at.is_valid().to_numpy(zero_copy_only=False)
            files[here] = number
            places[here] = at.drop_null().to_numpy(zero_copy_only=False)
        return files, places


def graph_store(
    lake: Lake, rows: pa.Table, settings: GraphSettings | None = None, *, where: str | None = None,
    progress: Progress | None = None,
) -> Graphs:
    """The graphs of crystals, from the lake's store; those that it lacks are built and kept.

    Args:
        lake: whose store; its settings say how many threads or workers build.
        rows: with ``lattice_vectors_angstrom`` (Å), ``fractional_positions``, ``species_at_sites``, and
            ``structure_sha256`` where it is known.
        settings: how crystals become graphs.
        where: ``here``, ``processes``, ``scheduler`` or an address, see :func:`lake.tasks.place`; default: threads of
            this process, and where the settings say if there is much to do.
        progress: is called with the new crystals done and their number.

    Returns:
        One graph for every crystal that differs, in the order in which they come first;
        :meth:`ml.graphs.graphs.Graphs.places` leads from rows to graphs.

    Raises:
        StructureError: the rows hold no crystals at all.
        InputError: crystals that cannot become graphs, which the message names; or the graphs cannot be kept (disk
            full, no right to write).
        WorkerError: work that was spread did not come to its end.
    """
    settings = settings or GraphSettings()
    table = table_of(rows)
    digests = pa.array(digests_of(table), pa.string())
    wanted = pc.unique(digests)
    folder = folder_of(lake, settings)
    held = Held.of(folder)
    missing = wanted.filter(pa.array(held.find(wanted)[0] < 0))
    if len(missing):
        # By digest, so that two who build the same crystals write the same files.
        first = pc.index_in(missing.take(pc.sort_indices(missing)), value_set=digests)
        _build(lake.settings, folder, table.take(first), digests.take(first), settings, where, progress)
        held = _merged(folder, Held.of(folder))
    files, places = held.find(wanted)
    if (files < 0).any():
        # Somebody deleted files meanwhile.
        return graph_store(lake, rows, settings, where=where, progress=progress)
    if not len(wanted):
        return built(Crystals.of(table)[0], [], settings)[0]
    return gathered(held.graphs, files, places)


def folder_of(lake: Lake, settings: GraphSettings) -> Path:
    """Where the graphs of some settings lie: beside `lake.duckdb`."""
    return lake.catalogue_path.parent / FOLDER / settings.digest


def build_packed(crystals: Crystals, digests: Sequence[str], settings: GraphSettings, threads: int) -> Any:
    """The name and the content of a file with the graphs of crystals, and what is wrong with each: one task."""
    graphs, problems = built(crystals, digests, settings, threads)
    graphs = graphs.take(np.flatnonzero([problem is None for problem in problems]))
    return segment.name_of(graphs), segment.packed(graphs), problems


def _build(
    settings: Settings, folder: Path, table: pa.Table, digests: pa.Array, graph: GraphSettings, where: str | None,
    progress: Progress | None,
) -> None:
    """Build crystals and keep them, part by part.

    Raises:
        InputError: some cannot become graphs; those that can are kept.
    """
    crystals, problems = Crystals.of(table)
    refuse(table, problems)
    _remove_abandoned(folder)
    n = len(crystals)
    starts = range(0, n, AT_ONCE)
    in_threads = where == HERE or (where is None and n <= SPREAD_ABOVE) or place(settings, where) == HERE
    done = 0
    for start, (name, content, wrong) in _parts(settings, crystals, digests, graph, starts, where, in_threads):
        segment.write(folder, name, content)
        problems[start : start + len(wrong)] = wrong
        done += len(wrong)
        if progress:
            progress(done, n)
    refuse(table, problems)


def _parts(
    settings: Settings, crystals: Crystals, digests: pa.Array, graph: GraphSettings, starts: range,
    where: str | None, in_threads: bool,
) -> Iterator[tuple[int, Any]]:
    """Every part's start and what :func:`build_packed` makes of it."""

    def arguments(start: int) -> dict[str, Any]:
        end = min(len(crystals), start + AT_ONCE)
        return {"crystals": crystals.part(start, end), "digests": digests[start:end].to_pylist(), "settings": graph,
                "threads": processes(settings) if in_threads else 1}

    if in_threads:
        for start in starts:
            yield start, build_packed(**arguments(start))
        return
    from lake.tasks import run_tasks

    tasks = (
        Task(f"graphs, part {start // AT_ONCE + 1} of {len(starts)}", build_packed, arguments(start))
        for start in starts
    )
    begins = {f"graphs, part {start // AT_ONCE + 1} of {len(starts)}": start for start in starts}
    for task, result in run_tasks(tasks, settings, where=where):
        yield begins[task.name], result


def _merged(folder: Path, held: Held) -> Held:
    """The same store with its small files in one, if they are many."""
    small = [n for n, path in enumerate(held.paths) if held.graphs[n].n_bytes < SMALL_BYTES]
    if len(small) <= MOST_SMALL:
        return held
    together = joined([held.graphs[n] for n in small])
    _, first = np.unique(together.sha256s, return_index=True)
    graphs = together.take(first)
    name = segment.name_of(graphs)
    try:
        segment.write(folder, name, segment.packed(graphs))
    except InputError:
        return held  # no room for both: they stay as they are
    for n in small:
        if held.paths[n].name != name:
            held.paths[n].unlink(missing_ok=True)
    kept = [n for n in range(len(held.paths)) if n not in small]
    return Held([*(held.paths[n] for n in kept), folder / name], [*(held.graphs[n] for n in kept), graphs])


def _remove_abandoned(folder: Path) -> None:
    """Remove what builders that were killed a day ago had not finished."""
    for path in folder.glob(f".*{segment.SUFFIX}.*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                path.unlink()
