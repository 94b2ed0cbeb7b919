"""What `matlake similar --within` shows: all calculations of one material against each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from analytics.report.formats import counted
from flows.similar_tables import settings_words
from flows.terminal import emit, err, out, show_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from analytics.fingerprints.kinds import Grid
    from analytics.similarity.block import Block
    from lake.store.lake import Lake

LARGEST_MATRIX = 16
MOST_PAIRS = 10
MOST_SET_ASIDE = 20
QUANTILES = {"least": 0.0, "10 %": 0.1, "median": 0.5, "90 %": 0.9, "largest": 1.0}


def show_within(lake: Lake, key: str, grid: Grid, aligned: bool, format_: str, output: Path | None) -> None:
    """A readable matrix of few calculations, a summary of many; every pair in the other formats.

    Raises:
        InputError: no calculation has that key, or none of them has a fingerprint on the grid.
    """
    from analytics.similarity.block import block_of
    from lake.errors import InputError

    block = block_of(lake, key, grid.grid_id, aligned=aligned)
    aside = list(_set_aside(block))
    if not block.ids:
        raise InputError("\n".join([
            f"No calculation of {block.key} can be compared on {block.grid_id}:", *aside,
            f"If no fingerprints were made so far: matlake fingerprint --grid {block.grid_id}.",
        ]))
    n_aside = f", {block.set_aside.num_rows:,} set aside" if aside else ""
    title = f"{block.key} on {block.grid_id}: {counted(len(block.ids), 'calculation')}{n_aside}"
    if format_ != "table" or output is not None:
        emit(pairs_of(block), format_, output)
        err.print(title, soft_wrap=True, markup=False)
    else:
        out.print(title, soft_wrap=True, markup=False)
        _show(block)
    for line in aside:
        err.print(line, soft_wrap=True, markup=False)


def _set_aside(block: Block) -> Iterator[str]:
    """What cannot be compared, calculations with the same reason in one line."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for row in block.set_aside.to_pylist():
        by_reason.setdefault((row["reason"], row["message"]), []).append(row["calculation_id"])
    for (reason, message), ids in list(by_reason.items())[:MOST_SET_ASIDE]:
        more = f" and {len(ids) - 1:,} more" if len(ids) > 1 else ""
        yield f"  {ids[0]}{more}: {reason}: {message}"
    if len(by_reason) > MOST_SET_ASIDE:
        yield f"  … and {len(by_reason) - MOST_SET_ASIDE:,} other reasons"


def pairs_of(block: Block) -> pa.Table:
    """Every pair once: left_id, right_id (in alphabetical order), similarity, aligned_similarity, aligned_shift_ev.

    The aligned ones are null where the grid is not one of densities of states or where they were not asked for.
    """
    import numpy as np

    ids = pa.array(block.ids, pa.string())
    left, right = np.triu_indices(len(block.ids), 1)
    unknown = pa.nulls(len(left), pa.float64())
    return pa.table({
        "left_id": ids.take(pa.array(left)), "right_id": ids.take(pa.array(right)),
        "similarity": block.similarity[left, right],
        "aligned_similarity": unknown if block.aligned is None else block.aligned[left, right],
        "aligned_shift_ev": unknown if block.shifts_ev is None else block.shifts_ev[left, right],
    })


def _show(block: Block) -> None:
    from analytics.convergence.order import order_of
    from analytics.convergence.settings import settings_of

    words = [settings_words(row) for row in block.settings.to_pylist()]
    if len(block.ids) < 2:
        out.print("There is nothing to compare.")
    elif len(block.ids) <= LARGEST_MATRIX:
        order = order_of(settings_of(block.settings), block.ids)
        show_table(pa.table({
            "": pa.array(range(1, len(order) + 1), pa.int32()), "calculation_id": [block.ids[i] for i in order],
            "settings": [words[i] for i in order],
        }))
        out.print(_matrix(block, order))
    else:
        show_table(_distribution(block))
        out.print(f"The {MOST_PAIRS} least similar pairs:")
        show_table(_least_similar(block, words))
        out.print(f"By settings: matlake convergence {block.key}. All pairs: --format csv, json or parquet.",
                  soft_wrap=True, markup=False)


def _matrix(block: Block, order: NDArray[np.intp]) -> Table:
    from rich.table import Table

    shifted = block.aligned is not None
    below = ", below it at the best shift of the energies" if shifted else ""
    table = Table(title=f"Similarity: above the diagonal as it is{below}" if shifted else "Similarity",
                  title_justify="left", header_style="bold", padding=(0, 0), pad_edge=False)
    for name in ("", *map(str, range(1, len(order) + 1))):
        table.add_column(name, justify="right", no_wrap=True)
    for row, i in enumerate(order):
        values = [
            float(block.aligned[i, j] if block.aligned is not None and column < row else block.similarity[i, j])
            for column, j in enumerate(order)
        ]
        cells = ["·" if column == row else f"{value:.2f}" for column, value in enumerate(values)]
        table.add_row(str(row + 1), *cells)
    return table


def _distribution(block: Block) -> pa.Table:
    """How the similarities of all pairs are spread."""
    import numpy as np

    above = np.triu_indices(len(block.ids), 1)
    kinds = {"as it is": block.similarity, "at the best shift": block.aligned}
    rows: list[dict[str, Any]] = []
    for kind, matrix in kinds.items():
        if matrix is not None:
            values = matrix[above]
            found = np.quantile(values, list(QUANTILES.values())).tolist()
            rows.append({"similarity": kind, "pairs": len(values), "mean": float(values.mean())}
                        | dict(zip(QUANTILES, found, strict=True)))
    return pa.Table.from_pylist(rows)


def _least_similar(block: Block, words: list[str]) -> pa.Table:
    import numpy as np

    left, right = np.triu_indices(len(block.ids), 1)
    values = block.similarity[left, right]
    least = np.argsort(values, kind="stable")[:MOST_PAIRS]
    rows = [
        {"left": block.ids[i], "settings": words[i], "right": block.ids[j], "its settings": words[j],
         "similarity": round(float(block.similarity[i, j]), 4)}
        for i, j in zip(left[least].tolist(), right[least].tolist(), strict=True)
    ]
    return pa.Table.from_pylist(rows)
