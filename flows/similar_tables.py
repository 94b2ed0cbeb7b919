"""What `matlake similar` shows: neighbours, the counts of a run, the block of a material."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from flows.terminal import emit, err, out, show_table

if TYPE_CHECKING:
    from analytics.fingerprints.kinds import Grid
    from analytics.similarity.block import Block
    from analytics.similarity.run import RunResult, State
    from lake.store.lake import Lake

LARGEST_MATRIX = 12
MOST_SHOWN = 20


def show_most_similar(
    lake: Lake, calculation_id: str, grid: Grid, k: int, aligned: bool | None, format_: str, output: Path | None
) -> None:
    """The k nearest calculations of one."""
    from analytics.similarity.top import most_similar

    found = most_similar(lake, calculation_id, grid.grid_id, k, aligned=aligned)
    empty = [name for name in ("aligned_similarity", "aligned_shift_ev") if found[name].null_count == found.num_rows]
    emit(found.drop_columns(empty) if grid.kind != "dos" or aligned is False else found, format_, output)


def show_all_pairs(
    lake: Lake, grid: Grid, threshold: float, format_: str, output: Path | None, options: dict[str, Any]
) -> None:
    """Run it under a progress bar; its counts are the result."""
    from analytics.similarity.run import all_pairs

    with _progress() as show:
        result = all_pairs(lake, grid.grid_id, threshold, progress=show, **options)
    lake.refresh()
    if format_ == "table" and output is None:
        for line in lines(result):
            out.print(line, soft_wrap=True, markup=False)
    else:
        emit(pa.Table.from_pylist([asdict(result)]), format_, output)


def lines(result: RunResult) -> Iterator[str]:
    """The counts of a run in words."""
    how = "" if result.is_new else ", as the lake held them already"
    yield (
        f"{result.grid_id}: {result.n_pairs:,} pairs from {result.threshold:g} on among {result.n_fingerprints:,} "
        f"fingerprints{how}   ({result.seconds:.1f} s; table similarities, version {result.similarities_version})"
    )
    yield (
        f"  compared {result.n_representatives:,} different ones; {result.n_identical:,} are equal to one of them, "
        f"{result.n_near:,} nearly equal ones of large materials were folded"
    )
    if result.n_resumed:
        yield f"  {result.n_resumed:,} of {result.n_tasks:,} tasks had been done by an interrupted run"


@contextmanager
def _progress() -> Iterator[Callable[[State], None]]:
    """A bar on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("similar", total=None)

        def show(state: State) -> None:
            found = f": {state.pairs:,} pairs" if state.pairs else ""
            bar.update(task, completed=state.done, total=state.total, description=f"{state.doing}{found}")

        yield show


def show_within(lake: Lake, key: str, grid: Grid, aligned: bool, format_: str, output: Path | None) -> None:
    """All calculations of one material against each other."""
    from analytics.similarity.block import block_of

    block = block_of(lake, key, grid.grid_id, aligned=aligned)
    if format_ == "json":
        _write(_document(block), output)
        return
    if format_ != "table" or output is not None:
        emit(_pairs(block), format_, output)
    elif len(block.ids) <= LARGEST_MATRIX:
        show_table(_matrix(block))
    else:
        shown = _pairs(block).sort_by([("similarity", "ascending")]).slice(0, MOST_SHOWN)
        show_table(shown)
        err.print(f"The least similar {shown.num_rows} pairs; --format csv, json or parquet gives all of them.",
                  soft_wrap=True)
    aside = f", {block.set_aside.num_rows:,} set aside" if block.set_aside.num_rows else ""
    err.print(f"{block.key} on {block.grid_id}: {len(block.ids):,} calculations{aside}", soft_wrap=True, markup=False)
    for row in block.set_aside.slice(0, MOST_SHOWN).to_pylist():
        err.print(f"  {row['calculation_id']}: {row['reason']}: {row['message']}", soft_wrap=True, markup=False)


def _matrix(block: Block) -> pa.Table:
    columns: dict[str, Any] = {"calculation_id": block.ids}
    columns |= {f"{number}": block.similarity[:, number - 1] for number in range(1, len(block.ids) + 1)}
    return pa.table(columns)


def _pairs(block: Block) -> pa.Table:
    """The upper triangle, one row per pair."""
    import numpy as np

    ids = pa.array(block.ids, pa.string())
    left, right = np.triu_indices(len(block.ids), 1)
    columns: dict[str, Any] = {
        "left_id": ids.take(pa.array(left)), "right_id": ids.take(pa.array(right)),
        "similarity": block.similarity[left, right],
    }
    if block.aligned is not None and block.shifts_ev is not None:
        columns |= {"aligned_similarity": block.aligned[left, right], "aligned_shift_ev": block.shifts_ev[left, right]}
    return pa.table(columns)


def _document(block: Block) -> bytes:
    import orjson

    return orjson.dumps({
        "key": block.key, "grid_id": block.grid_id, "calculation_ids": block.ids, "similarity": block.similarity,
        "aligned_similarity": block.aligned, "aligned_shift_ev": block.shifts_ev,
        "set_aside": block.set_aside.to_pylist(),
    }, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n"


def _write(content: bytes, output: Path | None) -> None:
    import sys

    if output is not None:
        output.write_bytes(content)
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
