"""A convergence study for a terminal: blocks, settings by importance, convergence, differences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from analytics.convergence.converged import Series
    from analytics.convergence.convergence import Convergence
    from analytics.convergence.order import Blocks
    from analytics.convergence.pair import PairDetail

MOST_RUNS = 12
NAMES = {
    "functional": "functional", "k_points": "k-points", "basis_kind": "kind of basis", "basis_size": "size of basis",
    "tier": "tier", "core_treatment": "core treatment", "spin": "spin",
}
COLOURS = ((0.9, "bold green"), (0.75, "green"), (0.5, "yellow"), (0.0, "red"))


def tables_of(found: Convergence) -> Iterator[RenderableType]:
    """What is shown of a study, from top to bottom."""
    aside = f", {found.set_aside.num_rows:,} set aside" if found.set_aside.num_rows else ""
    yield Text(f"{found.key} on {found.grid_id}: {len(found.ids):,} calculations{aside}", style="bold")
    yield _blocks(found)
    yield _effects(found)
    yield _series(found)
    yield _differences(found)
    if found.set_aside.num_rows:
        yield _set_aside(found)


def _named(setting: str) -> str:
    return NAMES.get(setting, setting)


def _score(value: float | None, digits: int = 3) -> Text:
    """A coefficient, coloured by how similar it says things are."""
    if value is None or value != value:
        return Text("–")
    return Text(f"{value:.{digits}f}", style=next(style for limit, style in COLOURS if value >= limit or limit == 0))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:.3f} … {high:.3f}"


def _shown_depth(found: Convergence) -> Blocks:
    """The finest blocks that fit a terminal; the coarsest where none do."""
    return next((b for b in reversed(found.blocks) if len(b.runs) <= MOST_RUNS), found.blocks[0])


def _blocks(found: Convergence) -> Table:
    blocks = _shown_depth(found)
    shown = blocks.runs[:MOST_RUNS]
    more = f"; {len(blocks.runs) - len(shown):,} more" if len(blocks.runs) > len(shown) else ""
    table = Table(
        title=f"Mean similarity within and between blocks of the same {', '.join(map(_named, blocks.settings))}{more}",
        title_justify="left", header_style="bold",
    )
    table.add_column("block")
    table.add_column("n", justify="right")
    for number in range(1, len(shown) + 1):
        table.add_column(str(number), justify="right")
    for number, run in enumerate(shown):
        table.add_row(
            f"{number + 1}  {' · '.join(run.words)}", f"{run.stop - run.start:,}",
            *(_score(float(value), 2) for value in blocks.between[number, :len(shown)]),
        )
    return table


def _effects(found: Convergence) -> RenderableType:
    if not found.effects:
        return Text("All calculations have the same settings, as far as these are known.")
    table = Table(
        title="Which setting matters most: 1 − similarity of pairs that differ in it alone", title_justify="left",
        header_style="bold",
    )
    for name in ("setting", "values", "1 − similarity", "95 % interval", "aligned", "pairs", "how"):
        table.add_column(name, justify="left" if name in ("setting", "how") else "right")
    for effect in found.effects:
        table.add_row(
            _named(effect.setting), f"{effect.n_levels:,}", _number(effect.distance),
            _interval(effect.low, effect.high), _number(effect.aligned_distance), f"{effect.n_pairs:,}",
            effect.method or effect.reason,
        )
    return table


def _series(found: Convergence) -> Table:
    table = Table(
        title=f"Converged where all larger settings are ≥ {found.level:g} to the largest, all else the same",
        title_justify="left", header_style="bold",
    )
    for name in ("functional", "basis", "setting", f"converged at {found.level:g}", "lowest similarity to the largest"):
        table.add_column(name)
    for one in found.series:
        table.add_row(one.functional, one.basis_kind, _named(one.setting), _verdict(one), _steps(one))
    return table


def _verdict(one: Series) -> Text:
    if one.at is not None:
        return Text(one.at, style="green")
    return Text(one.status, style="red" if one.reason is None else "dim")


def _steps(one: Series) -> Text:
    if one.reason is not None:
        return Text(one.reason, style="dim")
    shown = Text()
    for step in one.steps[:-1]:
        shown.append(f"{step.words} ")
        shown.append_text(_score(step.lowest))
        shown.append(" → ")
    return shown.append(one.steps[-1].words)


def _differences(found: Convergence) -> Table:
    table = Table(
        title="Mean similarity of pairs by difference (k-points along an axis, basis: as ratios)",
        title_justify="left", header_style="bold",
    )
    for name in ("functional", "k-points", "basis", "pairs", "similarity", "95 % interval", "aligned"):
        table.add_column(name, justify="left" if name in ("functional", "k-points", "basis") else "right")
    for one in found.differences:
        table.add_row(
            one.functional, one.k_points, one.basis, f"{one.n_pairs:,}", _score(one.similarity),
            _interval(one.low, one.high), _score(one.aligned),
        )
    return table


def _set_aside(found: Convergence) -> Table:
    table = Table("reason", "calculations", "for example", title="Set aside", title_justify="left", header_style="bold")
    rows = found.set_aside.to_pylist()
    for reason in sorted({row["reason"] for row in rows}):
        of_reason = [row for row in rows if row["reason"] == reason]
        first = of_reason[0]
        table.add_row(reason, f"{len(of_reason):,}", Text(f"{first['calculation_id']}: {first['message']}"))
    return table


def pair_table(pair: PairDetail) -> Table:
    """Two calculations and what they share, in numbers."""
    table = Table(title="One pair in detail", title_justify="left", header_style="bold")
    table.add_column("")
    for calculation_id in (pair.left_id, pair.right_id):
        table.add_column(Text(calculation_id))
    for name in ("xc_functional", "k_grid", "basis_set", "cutoff_ev", "n_basis_functions", "settings_tier", "code"):
        sides = [pair.left_settings[name], pair.right_settings[name]]
        if any(side is not None for side in sides):
            table.add_row(name, *("–" if side is None else str(side) for side in sides))
    table.add_row("counts", f"{int(pair.left_counts.sum()):,}", f"{int(pair.right_counts.sum()):,}")
    shared = f"{int(pair.overlap.sum()):,} of {int(pair.union.sum()):,}"
    table.add_row("shared counts", shared, f"intervals {pair.start} … {pair.stop}")
    table.add_row("similarity", _score(pair.similarity), "")
    if pair.aligned is not None and pair.shift_ev is not None:
        table.add_row("aligned", _score(pair.aligned), f"the right one shifted by {pair.shift_ev:+.2f} eV")
    return table
