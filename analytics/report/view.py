"""What a template shows of one material: matrix, numbers, a few pairs, and what they are made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analytics.report.formats import counted
from analytics.report.material import Material
from analytics.report.matrix import MatrixFigure, matrix_figure
from analytics.report.numbers import Numbers, facts_of, numbers_of
from analytics.report.pair import MOST_COLUMNS, Pair, PairFigure, pair_figure
from analytics.report.redaction import Secrets
from analytics.report.section import Caption

if TYPE_CHECKING:
    from analytics.convergence.convergence import Convergence


@dataclass(frozen=True)
class ShownPair:
    """A pair and its figure."""

    pair: Pair
    figure: PairFigure


@dataclass(frozen=True)
class Origin:
    """What all figures of a material are made from: tables with versions, the grid, and what must not be shown."""

    made_from: tuple[str, ...]
    grid_id: str
    secrets: Secrets
    of_dos: bool = True

    @property
    def subject(self) -> str:
        """What is compared, in words."""
        return "densities of states" if self.of_dos else "fingerprints"

    def caption(self, text: str, n: str) -> Caption:
        """The caption of a figure."""
        return Caption(text, self.made_from, n, f"comparable {self.subject} on the grid {self.grid_id}")


@dataclass(frozen=True)
class Shown:
    """One material as the template wants it."""

    key: str
    matrix: MatrixFigure
    matrix_caption: Caption
    facts: tuple[str, ...]
    numbers: Numbers
    differences_caption: Caption
    effects_caption: Caption
    converged_caption: Caption
    pairs: tuple[ShownPair, ...]
    pairs_caption: Caption
    edges: tuple[float, ...]
    sources: tuple[str, ...]

    @property
    def weight(self) -> int:
        """About how many characters it takes on the page."""
        drawn = [(self.matrix.svg, self.matrix.data), *((p.figure.svg, p.figure.data) for p in self.pairs)]
        return sum(len(svg) + len(str(data)) for svg, data in drawn)


def shown_material(
    convergence: Convergence, material: Material, pairs: Sequence[Pair], origin: Origin, colour: Callable[[str], str]
) -> Shown:
    """Draw a material.

    Args:
        convergence: the comparison, of at least two calculations.
        material: its calculations, as :func:`analytics.report.material.material_of` makes it.
        pairs: those shown in detail.
        origin: what it is made from.
        colour: the CSS class of a database's colour.
    """
    matrix = matrix_figure(material, colour)
    figures = tuple(ShownPair(pair, pair_figure(pair)) for pair in pairs)
    n_pairs = sum(b.n_pairs for b in convergence.differences)
    return Shown(
        material.key, matrix, _matrix_caption(material, matrix, origin), tuple(facts_of(convergence)),
        numbers_of(convergence, matrix.low, origin.secrets),
        origin.caption(
            "Means over pairs of calculations by the ratio of their k-points along one axis and of the size of their "
            "basis, with 95 % bootstrap intervals (calculations are drawn, not pairs; none where there are too few).",
            counted(n_pairs, "pair")),
        origin.caption(
            "Mean distance (1 − coefficient) of pairs that differ in one setting and in nothing else; estimated: the "
            "part of it in the distance of all pairs, where no such pairs exist. Dot: mean; bar: its 95 % bootstrap "
            "interval. Settings that do not vary are left out.", counted(len(convergence.ids), "calculation")),
        origin.caption(
            "For every functional and kind of basis: the smallest level from which on all calculations have at least "
            "the chosen coefficient with those that differ only in having the largest level.",
            f"{len(convergence.series):,} series"),
        figures, _pairs_caption(figures, origin),
        tuple(round(float(edge), 6) for edge in pairs[0].edges_ev) if pairs else (),
        tuple(sorted({one.source for one in material.calculations})),
    )


def _matrix_caption(material: Material, matrix: MatrixFigure, origin: Origin) -> Caption:
    both = (
        "Below the diagonal the coefficient itself, above it the aligned one (the best shift of the energies within "
        "±0.1 eV). " if material.aligned is not None else ""
    )
    sample = (
        f"Of {matrix.n_comparable:,} calculations, {matrix.n_shown:,} at equal distances in this order are shown and "
        "counted. " if matrix.n_shown < matrix.n_comparable else ""
    )
    return origin.caption(
        f"Similarity of the {origin.subject} of {material.key}: one row and one column per calculation, sorted by "
        f"functional, k-points, basis and settings tier; lines part the functionals (thick) and k-points (thin). {both}"
        f"{sample}Under it the settings of every column.", counted(matrix.n_shown, "calculation"),
    )


def _pairs_caption(figures: Sequence[ShownPair], origin: Origin) -> Caption:
    points, drawn = sum(f.figure.points for f in figures), sum(f.figure.drawn_points for f in figures)
    thin = (
        f" Of {points:,} points {drawn:,} are drawn: the first, lowest, highest and last one of each of {MOST_COLUMNS} "
        "columns, so that no peak and no gap is lost." if drawn < points else ""
    )
    return origin.caption(
        "Above: densities of states. Below: their fingerprints, counts per energy interval, which is narrow near the "
        "valence-band maximum and wider away from it. The coefficient is the overlap divided by the union, both "
        f"summed over the counts, every interval alike.{thin}", counted(len(figures), "pair"),
    )
