"""A material's comparison in numbers: by differences in settings, where it is converged, what matters most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analytics.report.colours import viridis
from analytics.report.formats import counted, number
from analytics.report.labels import functional_title
from analytics.report.svg import tick_text, ticks

if TYPE_CHECKING:
    from analytics.convergence.convergence import Convergence
    from analytics.convergence.differences import DifferenceBin
    from analytics.convergence.importance import Effect
    from analytics.report.redaction import Secrets

SETTINGS = {
    "functional": "functional", "k_points": "k-points", "basis_kind": "kind of basis", "basis_size": "size of basis",
    "tier": "settings tier", "code": "code", "core_treatment": "core treatment", "pseudopotentials": "pseudopotentials",
    "relativity": "relativity", "spin": "spin polarisation", "broadening": "broadening",
}
FUNCTIONALS = {"same": "same functional", "other": "different functionals", "unknown": "functional unknown"}
DARK_BELOW = 0.42
"""Up to here on the scale a light text is easier to read than a dark one."""


@dataclass(frozen=True)
class Cell:
    """One class of pairs, with the colours it is drawn in."""

    pairs: DifferenceBin
    background: str
    light_text: bool


@dataclass(frozen=True)
class Grid:
    """Mean similarity by differences in k-points (rows) and basis (columns), for one relation of functionals."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]


@dataclass(frozen=True)
class Line:
    """One converged setting: words only."""

    functional: str
    basis: str
    setting: str
    result: str
    reached: bool
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Numbers:
    """What a template shows; ``top`` is the upper end of the axis of the effects."""

    level: float
    grids: tuple[Grid, ...]
    lines: tuple[Line, ...]
    effects: tuple[Effect, ...]
    top: float
    settings: dict[str, str]

    def place(self, value: float) -> float:
        """Where a distance stands on the axis of the effects, in percent."""
        return round(100 * min(1.0, max(0.0, value / self.top)), 2)

    def marks(self) -> list[tuple[float, str]]:
        """The ticks of that axis: place in percent and text."""
        values = ticks(0.0, self.top, 4)
        return [(self.place(v), tick_text(v, values)) for v in values]


def numbers_of(convergence: Convergence, low: float, secrets: Secrets) -> Numbers:
    """The numbers of a comparison.

    Args:
        convergence: the comparison.
        low: where the scale of colours starts.
        secrets: what must not be shown.
    """
    from analytics.convergence.differences import FUNCTIONAL

    ends = [v for e in convergence.effects for v in (e.distance, e.high) if v is not None]
    grids = (_grid(relation, [b for b in convergence.differences if b.functional == relation], low)
             for relation in FUNCTIONAL)
    return Numbers(
        convergence.level, tuple(grid for grid in grids if grid), tuple(_lines(convergence, secrets)),
        convergence.effects, max(ends, default=0.0) * 1.08 or 1.0, SETTINGS,
    )


def facts_of(convergence: Convergence) -> list[str]:
    """The few sentences that a reader wants first."""
    facts = []
    first = next((e for e in convergence.effects if e.distance is not None), None)
    if first is not None:
        which = (
            "that differ in nothing else are" if first.method == "one at a time"
            else "with different ones are, as estimated from all pairs,"
        )
        facts.append(
            f"What matters most: {SETTINGS.get(first.setting, first.setting)}. Two calculations {which} "
            f"{number(first.distance, 2)} apart (1 − coefficient)."
        )
    reached = [s for s in convergence.series if s.status == "reached"]
    judged = [s for s in convergence.series if s.status != "no series"]
    if judged:
        facts.append(f"Converged at a coefficient of {number(convergence.level, 2)}: {len(reached)} of {len(judged)} "
                     "series of k-points or basis.")
    if convergence.set_aside.num_rows:
        facts.append(f"{counted(convergence.set_aside.num_rows, 'more calculation')} of it cannot be compared.")
    return facts


def _grid(relation: str, bins: list[DifferenceBin], low: float) -> Grid | None:
    from analytics.convergence.differences import BASIS, K_POINTS

    if not bins:
        return None
    found = {(b.k_points, b.basis): _cell(b, low) for b in bins}
    columns = tuple(basis for basis in BASIS if any(b.basis == basis for b in bins))
    rows = tuple(
        (k_points, tuple(found.get((k_points, basis)) for basis in columns))
        for k_points in K_POINTS if any(b.k_points == k_points for b in bins)
    )
    return Grid(FUNCTIONALS[relation], columns, rows)


def _cell(pairs: DifferenceBin, low: float) -> Cell:
    place = (pairs.similarity - low) / (1 - low)
    red, green, blue = viridis([place])[0].tolist()
    return Cell(pairs, f"rgb({red} {green} {blue})", place < DARK_BELOW)


def _lines(convergence: Convergence, secrets: Secrets) -> list[Line]:
    lines = []
    for one in convergence.series:
        if one.status == "reached":
            result = f"from {one.at} on"
        elif one.status == "not reached":
            result = f"not reached below {one.largest}"
        else:
            result = one.reason or "no series"
        steps = tuple(
            f"{step.words}: {number(step.lowest, 2)}" for step in one.steps[:-1] if step.lowest is not None
        )
        lines.append(Line(
            functional_title(secrets.blotted(one.functional)), secrets.blotted(one.basis_kind),
            SETTINGS.get(one.setting, one.setting), result, one.status == "reached", steps,
        ))
    return lines
