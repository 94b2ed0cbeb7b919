"""Make the fingerprints of a lake: what is new or changed, batch by batch, each committed as it is done."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analytics.fingerprints import inputs, kinds
from analytics.fingerprints.comparable import Rules
from lake.store.delta import Change, compact, open_table
from lake.tasks.task import HERE

if TYPE_CHECKING:
    from lake.settings import Settings
    from lake.store.lake import Lake

SPREAD_ABOVE = {"dos": 200_000, "composition": 5_000_000, "structure": 20_000}
"""Rows to do, by kind, above which processes are started: below, that takes longer than the work."""

ROWS_OF_A_TASK = {"dos": 50_000, "composition": 500_000, "structure": 5_000}
DEFAULT_RULES = Rules()

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BuildResult:
    """What came of a build; ``considered`` = ``new`` + ``changed`` + ``unchanged``.

    Attributes:
        grid_id: the grid.
        kind: what its fingerprints describe.
        new: calculations that had no row of this grid.
        changed: those whose row was made again.
        unchanged: those that were up to date.
        set_aside: of all of them, how many have no fingerprint, by reason.
        versions: the version of every table that was read or written.
        seconds: wall time.
    """

    grid_id: str
    kind: str
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    set_aside: Counter[str] = field(default_factory=Counter)
    versions: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def considered(self) -> int:
        """All calculations that were looked at."""
        return self.new + self.changed + self.unchanged

    @property
    def comparable(self) -> int:
        """Those of them that have a fingerprint."""
        return self.considered - self.set_aside.total()


@dataclass(frozen=True)
class Piece:
    """What one task does: one of several shares of the stale rows of some files."""

    files: tuple[str, ...]
    part: int
    parts: int
    rows: int


@dataclass(frozen=True)
class Order:
    """What every task of a build needs to know; it travels to other processes.

    Attributes:
        root: the lake.
        settings: its settings.
        parameters: those of the grid.
        rules: what a density of states must fulfil.
        where: a condition on `calculations`; None = all.
    """

    root: str
    settings: Settings
    parameters: Mapping[str, Any]
    rules: Rules
    where: str | None


def build(
    lake: Lake, grid: str | Mapping[str, Any] | kinds.Grid = "reference", *, where: str | None = None,
    minimum_coverage: float = DEFAULT_RULES.minimum_coverage, progress: Progress | None = None,
    place: str | None = None,
) -> BuildResult:
    """Make the fingerprints that a grid lacks, or that are of an older record, formula, grid or method.

    Batches are committed one by one: an interrupted build goes on where it was when it is started again, and two
    at once do no harm. What cannot be compared gets a row with the reason.

    Args:
        lake: the lake.
        grid: a name, an id, parameters or a grid; see :func:`analytics.fingerprints.kinds.find`.
        where: a DuckDB condition on `calculations`, such as ``source = 'mp'``: only these are looked at.
        minimum_coverage: share of a DOS grid's window that the data must cover, above 0 and up to 1.
        progress: is called with the rows done and the rows to do.
        place: ``here``, ``processes``, ``scheduler`` or an address, see :func:`lake.tasks.place`; default: here, and
            where the settings say if there is much to do.

    Raises:
        InputError: no such grid, impossible parameters, or a library is missing.
        QueryError: ``where`` is no condition.
        TableError: a commit failed too often.
        WorkerError: work that was spread did not come to its end.
    """
    started = time.monotonic()
    found = kinds.find(grid, lake)
    order = Order(
        lake.root.uri, lake.settings, found.parameters(), Rules(minimum_coverage=minimum_coverage), where
    )
    made_by = inputs.recipe(found, order.rules)
    read_at = _versions(lake, "calculations", "dos")
    with inputs.inputs_of(lake, made_by) as connection:
        considered, to_do = inputs.counted(connection, made_by, where)
        files = inputs.files_with_stale(connection, made_by, lake.files(made_by.table), where) if to_do else {}
    if not considered:
        return BuildResult(found.grid_id, found.kind, versions=read_at, seconds=time.monotonic() - started)
    lake.upsert("grids", kinds.row_of(found))
    done = Change()
    pieces = _pieces(files, ROWS_OF_A_TASK[found.kind])
    chosen = place or (HERE if to_do <= SPREAD_ABOVE[found.kind] else None)
    for change in _changes(order, pieces, chosen):
        done += change
        if progress:
            progress(done.new + done.changed + done.unchanged, to_do)
    compact(lake.root, "fingerprints", found.grid_id)
    lake.refresh()
    with inputs.inputs_of(lake, made_by) as connection:
        aside = inputs.set_aside(connection, made_by, where)
    versions = read_at | _versions(lake, "fingerprints", "grids")
    return BuildResult(
        found.grid_id, found.kind, done.new, done.changed, considered - done.new - done.changed, Counter(aside),
        versions, time.monotonic() - started,
    )


def _versions(lake: Lake, *names: str) -> dict[str, int]:
    tables = {name: open_table(lake.root, name) for name in names}
    return {name: int(table.version()) for name, table in tables.items() if table is not None}


def _pieces(files: Mapping[str, int], limit: int) -> list[Piece]:
    """The work in pieces of so many rows: small files together, and a file with much to do in several shares."""
    pieces: list[Piece] = []
    together: list[str] = []
    n_together = 0
    for file, n_rows in files.items():
        if n_rows > limit:
            parts = -(-n_rows // limit)
            pieces += [Piece((file,), part, parts, -(-n_rows // parts)) for part in range(parts)]
            continue
        if together and n_together + n_rows > limit:
            pieces.append(Piece(tuple(together), 0, 1, n_together))
            together, n_together = [], 0
        together.append(file)
        n_together += n_rows
    return pieces + ([Piece(tuple(together), 0, 1, n_together)] if together else [])


def _changes(order: Order, pieces: Sequence[Piece], place: str | None) -> Iterator[Change]:
    """What every batch changed, done here; or every task, done elsewhere."""
    if place == HERE:
        for piece in pieces:
            yield from _batches(order, piece)
        return
    from lake.tasks import Task, run_tasks

    name = f"fingerprints of {order.parameters['kind']}"
    tasks = (
        Task(f"{name}, part {number} of {len(pieces)}", do_piece, {"order": order, "piece": piece})
        for number, piece in enumerate(pieces, 1)
    )
    for _, change in run_tasks(tasks, order.settings, where=place):
        yield change


def do_piece(order: Order, piece: Piece) -> Change:
    """Make and commit the fingerprints of one piece, whichever of them are still missing; returns the counts."""
    return sum(_batches(order, piece), Change())


def _batches(order: Order, piece: Piece) -> Iterator[Change]:
    from lake.store.lake import Lake

    lake = Lake.open(order.root, order.settings)
    made_by = inputs.recipe(kinds.from_parameters(order.parameters), order.rules)
    with inputs.inputs_of(lake, made_by, piece.files) as connection:
        wanted = inputs.stale(connection, made_by, order.where, piece.part, piece.parts)
    most_bytes = lake.settings.batch_megabytes * 2**20
    for rows in inputs.batches(lake, made_by, piece.files, wanted, most_bytes):
        yield lake.upsert("fingerprints", made_by.make(rows).rows(made_by.grid, rows))
