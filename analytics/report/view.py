"""What a template shows of one material: the matrix, a few pairs, and what both are made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from analytics.report.material import Material
from analytics.report.matrix import MatrixFigure, matrix_figure
from analytics.report.pair import Pair, PairFigure, pair_figure
from analytics.report.section import Caption


@dataclass(frozen=True)
class ShownPair:
    """A pair and its figure."""

    pair: Pair
    figure: PairFigure


@dataclass(frozen=True)
class Shown:
    """One material as the template wants it."""

    key: str
    matrix: MatrixFigure
    matrix_caption: Caption
    pairs: tuple[ShownPair, ...]
    pairs_caption: Caption
    edges: tuple[float, ...]
    facts: tuple[str, ...] = field(default=())


def shown_material(
    material: Material, pairs: Sequence[Pair], made_from: tuple[str, ...], grid: str, colour: Callable[[str], str],
    facts: Sequence[str] = (),
) -> Shown:
    """Draw a material.

    Args:
        material: at least two calculations.
        pairs: those shown in detail.
        made_from: tables with their versions.
        grid: the grid of the fingerprints in words.
        colour: the CSS class of a database's colour.
        facts: sentences beside the matrix.
    """
    matrix = matrix_figure(material, colour)
    figures = tuple(ShownPair(pair, pair_figure(pair)) for pair in pairs)
    return Shown(
        material.key, matrix, _matrix_caption(material, matrix, made_from, grid), figures,
        _pairs_caption(figures, made_from, grid), tuple(round(float(e), 6) for e in pairs[0].edges_ev) if pairs else (),
        tuple(facts),
    )


def _matrix_caption(material: Material, matrix: MatrixFigure, made_from: tuple[str, ...], grid: str) -> Caption:
    both = (
        "Below the diagonal the coefficient itself, above it the aligned one (the best shift of the energies within "
        "±0.1 eV). " if material.aligned is not None else ""
    )
    sample = (
        f"Of {matrix.n_comparable:,} calculations, {matrix.n_shown:,} at equal distances in this order are drawn. "
        if matrix.n_shown < matrix.n_comparable else ""
    )
    return Caption(
        f"Similarity of the densities of states of {material.key}: one row and one column per calculation, sorted by "
        f"functional, k-points, basis and settings tier; lines part the functionals (thick) and k-meshes (thin). {both}"
        f"{sample}Under it the settings of every column.",
        made_from, f"{matrix.n_shown:,} calculations", f"comparable densities of states on the grid {grid}",
    )


def _pairs_caption(figures: Sequence[ShownPair], made_from: tuple[str, ...], grid: str) -> Caption:
    points, drawn = sum(f.figure.points for f in figures), sum(f.figure.drawn_points for f in figures)
    thin = (
        f" Of {points:,} points {drawn:,} are drawn: the first, lowest, highest and last one of each of 800 columns, "
        "so that no peak and no gap is lost." if drawn < points else ""
    )
    return Caption(
        "Above: densities of states. Below: their fingerprints, counts per energy interval, which is narrow near the "
        "valence-band maximum and wider away from it. The coefficient is the overlap divided by the union, both "
        f"summed over the counts, every interval alike.{thin}",
        made_from, f"{len(figures):,} pairs", f"comparable densities of states on the grid {grid}",
    )
