"""Two densities of states one over the other, and what their fingerprints share: one pair, to be zoomed into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from analytics.report.formats import number
from analytics.report.material import Calculation
from analytics.report.svg import drawing, tag, tick_text, ticks

WIDTH, LEFT, RIGHT = 660.0, 66.0, 14.0
SPECTRA_TOP, SPECTRA_HEIGHT = 30.0, 190.0
COUNTS_TOP, COUNTS_HEIGHT = 262.0, 150.0
HEIGHT = 466.0
UNITS = 1000.0
"""Height of a panel in its own coordinates."""
MOST_COLUMNS = 800
"""Columns of a spectrum: in each one its first, lowest, highest and last point are kept."""
Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Spectrum:
    """A density of states: energies (m,) in eV, ascending, 0 = reference level; states (m,) per eV and atom."""

    energies_ev: Floats
    states: Floats


@dataclass(frozen=True)
class Pair:
    """Two calculations with their spectra, fingerprints and coefficients.

    ``edges_ev`` has the shape (w + 1,), both counts (w,): interval i reaches from edge i to edge i + 1. They hold the
    whole grid; only the intervals [start, stop), which both densities cover, are compared and drawn. ``shift_ev`` is
    the shift of right against left that gives ``aligned``; both are None where not computed.
    """

    label: str
    left: Calculation
    right: Calculation
    similarity: float
    aligned: float | None
    shift_ev: float | None
    edges_ev: Floats
    left_counts: Counts
    right_counts: Counts
    left_spectrum: Spectrum
    right_spectrum: Spectrum
    start: int
    stop: int

    @property
    def common(self) -> tuple[Counts, Counts]:
        """The counts of both in the intervals that both cover."""
        return self.left_counts[self.start:self.stop], self.right_counts[self.start:self.stop]

    @property
    def overlap(self) -> int:
        """Σ min of the counts."""
        return int(np.minimum(*self.common).sum())

    @property
    def union(self) -> int:
        """Σ max of the counts."""
        return int(np.maximum(*self.common).sum())


@dataclass(frozen=True)
class PairFigure:
    """The figure of a pair, and what the page's script needs to zoom and to read values off."""

    svg: Markup
    data: dict[str, object]
    points: int
    drawn_points: int


def pair_figure(pair: Pair) -> PairFigure:
    """Draw a pair."""
    low, high = float(pair.edges_ev[0]), float(pair.edges_ev[-1])
    spectra = [_windowed(s, low, high) for s in (pair.left_spectrum, pair.right_spectrum)]
    thin = [thinned_spectrum(s, MOST_COLUMNS) for s in spectra]
    tallest = max((float(s.states.max()) for s in thin if s.states.size), default=0.0) * 1.04 or 1.0
    most = float(max(counts.max(initial=0) for counts in pair.common)) * 1.04 or 1.0
    drawn = [
        *_frame(SPECTRA_TOP, SPECTRA_HEIGHT, tallest, "density of states (states/eV/atom)"),
        *_frame(COUNTS_TOP, COUNTS_HEIGHT, most, "fingerprint (counts per interval)"),
        _panel(SPECTRA_TOP, SPECTRA_HEIGHT, low, high, *_spectra(thin, tallest, pair.shift_ev)),
        _panel(COUNTS_TOP, COUNTS_HEIGHT, low, high, *_counts(pair, most)), *_energy_axis(low, high),
    ]
    title = (
        f"Densities of states of {pair.left.calculation_id} and {pair.right.calculation_id}, their fingerprints, and "
        f"what these share: {pair.overlap:,} of {pair.union:,} counts, coefficient {number(pair.similarity, 3)}"
    )
    data: dict[str, object] = {
        "low": round(low, 6), "high": round(high, 6), "axis": [LEFT, WIDTH - LEFT - RIGHT],
        "panels": [[SPECTRA_TOP, SPECTRA_HEIGHT], [COUNTS_TOP, COUNTS_HEIGHT]],
        "tops": [round(tallest, 6), most], "start": pair.start,
        "counts": [counts.tolist() for counts in pair.common],
    }
    return PairFigure(
        drawing(WIDTH, HEIGHT, title, *drawn), data, sum(s.energies_ev.size for s in spectra),
        sum(s.energies_ev.size for s in thin),
    )


def thinned_spectrum(spectrum: Spectrum, columns: int) -> Spectrum:
    """A spectrum with at most four points per column of its range: the first, lowest, highest and last one.

    No peak and no gap is lost, and a line through the points covers the same pixels (M4; U. Jugel et al., Proc.
    VLDB Endow. 7, 797 (2014)). A spectrum with fewer points comes back as it is.
    """
    energies, states = spectrum.energies_ev, spectrum.states
    if energies.size <= 4 * columns:
        return spectrum
    edges = np.linspace(energies[0], energies[-1], columns + 1)[1:-1]
    parts = np.split(np.arange(energies.size), np.searchsorted(energies, edges))
    kept = {
        int(place)
        for part in parts if part.size
        for place in (part[0], part[-1], part[np.argmin(states[part])], part[np.argmax(states[part])])
    }
    places = np.array(sorted(kept))
    return Spectrum(energies[places], states[places])


def _windowed(spectrum: Spectrum, low: float, high: float) -> Spectrum:
    """The points within the window and the next one on either side, without what is not finite."""
    good = np.isfinite(spectrum.energies_ev) & np.isfinite(spectrum.states)
    energies, states = spectrum.energies_ev[good], spectrum.states[good]
    start = max(0, int(np.searchsorted(energies, low)) - 1)
    stop = int(np.searchsorted(energies, high, side="right")) + 1
    return Spectrum(energies[start:stop], states[start:stop])


def _panel(top: float, height: float, low: float, high: float, *drawn: Markup) -> Markup:
    """A panel with its own coordinates (eV to the right), which the script changes to zoom."""
    return tag(
        "svg", *drawn, x=LEFT, y=top, width=WIDTH - LEFT - RIGHT, height=height, class_="zoomed", aria_hidden="true",
        viewBox=f"{low:.4f} 0 {high - low:.4f} {UNITS:.0f}", preserveAspectRatio="none",
    )


def _spectra(spectra: Sequence[Spectrum], tallest: float, shift_ev: float | None) -> list[Markup]:
    left, right = (_line(s, tallest) for s in spectra)
    drawn = [tag("path", d=left, class_="first spectrum"), tag("path", d=right, class_="second spectrum")]
    if shift_ev:
        shifted = tag("path", d=right, transform=f"translate({shift_ev:.4f} 0)", class_="second shifted")
        drawn.append(shifted)
    return drawn


def _line(spectrum: Spectrum, tallest: float) -> str:
    heights = UNITS * (1.0 - spectrum.states / tallest)
    points = [f"{x:.3f} {y:.1f}" for x, y in zip(spectrum.energies_ev, heights, strict=True)]
    return "M" + "L".join(points) if points else ""


def _counts(pair: Pair, most: float) -> list[Markup]:
    """Union and overlap as areas, both fingerprints as outlines."""
    left, right = pair.common
    edges_ev = pair.edges_ev[pair.start:pair.stop + 1]
    return [
        tag("path", d=_steps(edges_ev, counts, most), class_=kind)
        for counts, kind in (
            (np.maximum(left, right), "union"), (np.minimum(left, right), "overlap"), (left, "first outline"),
            (right, "second outline"),
        )
        if counts.size
    ]


def _steps(edges_ev: Floats, counts: Counts, most: float) -> str:
    heights = UNITS * (1.0 - counts / most)
    # An interval as high as the one before it continues that step.
    changes = np.flatnonzero(np.diff(counts, prepend=counts[:1] - 1))
    ends = np.append(changes[1:], counts.size)
    steps = "".join(f"V{heights[i]:.1f}H{edges_ev[j]:.3f}" for i, j in zip(changes, ends, strict=True))
    return f"M{edges_ev[0]:.3f} {UNITS:.0f}{steps}V{UNITS:.0f}"


def _frame(top: float, height: float, most: float, name: str) -> list[Markup]:
    """The vertical axis of a panel with its horizontal lines."""
    marks = ticks(0.0, most, 4)
    y = [top + height * (1 - t / most) for t in marks]
    lines = [tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=v, y2=v, class_="grid") for v in y]
    texts = [
        tag("text", tick_text(t, marks), x=LEFT - 7, y=v + 4.5, class_="tick", text_anchor="end")
        for t, v in zip(marks, y, strict=True)
    ]
    return [tag("g", *lines, *texts, class_="y-ticks"), tag("text", name, x=LEFT, y=top - 11, class_="axis")]


def _energy_axis(low: float, high: float) -> list[Markup]:
    marks, base = ticks(low, high, 7), COUNTS_TOP + COUNTS_HEIGHT
    place = [LEFT + (t - low) / (high - low) * (WIDTH - LEFT - RIGHT) for t in marks]
    drawn = [tag("line", x1=x, x2=x, y1=base, y2=base + 5, class_="mark") for x in place]
    drawn += [
        tag("text", tick_text(t, marks), x=x, y=base + 23, class_="tick", text_anchor="middle")
        for t, x in zip(marks, place, strict=True)
    ]
    return [
        tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=base, y2=base, class_="mark"), tag("g", *drawn, class_="x-ticks"),
        tag("text", "energy relative to the reference level (eV)", x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 7,
            class_="axis", text_anchor="middle"),
    ]
