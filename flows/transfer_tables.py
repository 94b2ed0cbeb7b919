"""What `matlake transfer` shows: the matrix on stdout, progress, answers and notes beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from flows.terminal import emit, err, out

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml.transfer import TransferRequest, TransferResult
    from ml.transfer.run import State

ROADS = {"own": "", "combined": "", "settings": ", settings as inputs", "corrected": ", corrected targets"}
TOGETHER = "all together"
MUCH_BETTER, MUCH_WORSE = 0.95, 1.05


def run_transfer(
    lake: Lake, request: TransferRequest, *, where: str | None = None, again: bool = False
) -> TransferResult:
    """Do an experiment, saying on stderr how far it is, and let `lake.duckdb` show it."""
    from flows.transfer_levels import corrections_to
    from ml.transfer import transfer

    with err.status("reading") as status:
        def show_state(state: State) -> None:
            if state.last:
                err.print(f"{state.done} of {state.total}  {state.last}", soft_wrap=True, markup=False)
            status.update(f"{state.doing}: {state.done} of {state.total} models are done")

        result = transfer(
            lake, request, corrections_to(request.level), where=where, again=again, progress=show_state
        )
    if result.is_new or result.n_trained:
        lake.refresh()
    return result


def show(result: TransferResult, format_: str, output: Path | None) -> None:
    """The matrix, and what it says: as tables and sentences, or the rows of `transfer_matrix` in another format."""
    if format_ == "table" and output is None:
        for line in described(result):
            err.print(line, soft_wrap=True, markup=False)
        out.print(matrix_table(result))
        for answer in result.answers:
            out.print(f"• {answer}", soft_wrap=True, markup=False)
    else:
        emit(result.matrix, format_, output)
        for answer in result.answers:
            err.print(f"• {answer}", soft_wrap=True, markup=False)
    for note in result.notes:
        err.print(f"Note: {note}", soft_wrap=True, markup=False)
    word = f"{result.n_trained} of {len(result.models)} models trained" if result.n_trained else "nothing to train"
    err.print(
        f"{result.transfer_id}: {word}, {result.seconds:,.0f} s. Where errors come from: matlake sql transfer_errors "
        f"--param transfer={result.transfer_id}", soft_wrap=True, markup=False,
    )


def described(result: TransferResult) -> Iterator[str]:
    """What was compared, in words."""
    for source, counts in result.plan.counts.items():
        listed = ", ".join(f"{n:,} {split}" for split, n in counts.items())
        yield f"{source}: {sum(counts.values()):,} calculations ({listed})"
    yield (f"{result.plan.n_common:,} materials are in two or more of the databases, "
           f"{result.plan.n_common_train:,} of them in the training split.")


def matrix_table(result: TransferResult) -> Table:
    """Trained on × evaluated on: MAE with its interval, bias, R², coloured by how it compares to the own model."""
    rows = result.matrix.to_pylist()
    columns = list(dict.fromkeys(row["evaluated_on"] for row in rows))
    unit = rows[0]["unit"] if rows else ""
    shown = Table(
        title=f"{result.transfer_id}: MAE [95 % interval], bias (predicted − actual) and R² on test rows, {unit}",
        title_justify="left", header_style="bold", show_lines=True,
    )
    shown.add_column("trained on \\ evaluated on")
    for name in columns:
        n = max(row["n"] for row in rows if row["evaluated_on"] == name)
        shown.add_column(f"{TOGETHER if name == '*' else name} (n = {n:,})")
    by_model: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        by_model.setdefault(f"{row['trained_on']}{ROADS.get(row['road'], row['road'])}", {})[row["evaluated_on"]] = row
    for title, cells in by_model.items():
        shown.add_row(title, *(_cell(cells.get(name)) for name in columns))
    return shown


def _cell(row: Mapping[str, Any] | None) -> Text:
    if row is None or row["mae"] is None:
        return Text("–")
    ratio = row["mae_to_own"]
    own = row["road"] == "own" and row["seen"]
    style = "bold" if own or ratio is None else (
        "green" if ratio < MUCH_BETTER else "red" if ratio > MUCH_WORSE else ""
    )
    cell = Text(f"{row['mae']:.3f}", style=style)
    if row["mae_low"] is not None:
        cell.append(f" [{row['mae_low']:.3f}, {row['mae_high']:.3f}]", style="dim")
    bias = f"{row['bias']:+.3f}".replace("-", "−")
    r2 = "–" if row["r2"] is None else f"{row['r2']:.2f}".replace("-", "−")
    cell.append(f"\nbias {bias}  R² {r2}", style="dim")
    return cell
