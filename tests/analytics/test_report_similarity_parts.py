"""The pieces of the report on similarity: pictures, the matrix, strips, pairs, their choice."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.report.colours import viridis
from analytics.report.labels import functional_title
from analytics.report.material import Calculation, Material
from analytics.report.matrix import MOST_CALCULATIONS, STEPS, coded, lowest, matrix_figure, runs, thinned
from analytics.report.pair import Pair, Spectrum, pair_figure, thinned_spectrum
from analytics.report.pair_choice import chosen_pairs
from analytics.report.png import palette_png
from analytics.report.section import Sources
from analytics.report.strips import strips

COLOUR = Sources(("a", "b"), {}).colour


def chunks(png: bytes) -> dict[bytes, bytes]:
    """The chunks of a PNG file, each one's checksum checked."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    found, at = {}, 8
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at:at + 8])
        content = png[at + 8:at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size:at + 12 + size])[0] == zlib.crc32(kind + content)
        found[kind] = content
        at += 12 + size
    assert at == len(png)
    return found


def pixels(png: bytes) -> np.ndarray:
    """The palette indices (height, width) of a PNG file without filters."""
    found = chunks(png)
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", found[b"IHDR"])
    assert (depth, colour, rest) == (8, 3, [0, 0, 0])
    rows = np.frombuffer(zlib.decompress(found[b"IDAT"]), dtype=np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:]


def material(n: int, similarity: np.ndarray | None = None, **more: object) -> Material:
    """n calculations with nothing known of them but their id."""
    rows = tuple(Calculation(f"a/{i}", "a") for i in range(n))
    values = np.full((n, n), 0.5) + 0.5 * np.eye(n) if similarity is None else similarity
    return replace(Material("BN_194", rows, values, n_comparable=n), **more)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10**6))
def test_a_picture_holds_its_pixels_and_colours(height: int, width: int, seed: int) -> None:
    indices = np.random.default_rng(seed).integers(0, 202, (height, width), dtype=np.uint8)
    palette = np.random.default_rng(seed + 1).integers(0, 256, (202, 3), dtype=np.uint8)
    png = palette_png(indices, palette, transparent=201)
    assert np.array_equal(pixels(png), indices)
    assert chunks(png)[b"PLTE"] == palette.tobytes()
    assert chunks(png)[b"tRNS"] == b"\xff" * 201 + b"\x00"


def test_a_picture_without_pixels_or_colours_is_refused() -> None:
    palette = np.zeros((2, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="at least one pixel"):
        palette_png(np.zeros((0, 4), dtype=np.uint8), palette)
    with pytest.raises(ValueError, match="palette of 2 colours"):
        palette_png(np.full((1, 1), 2, dtype=np.uint8), palette)
    with pytest.raises(ValueError, match="palette of 257 colours"):
        palette_png(np.zeros((1, 1), dtype=np.uint8), np.zeros((257, 3), dtype=np.uint8))


def test_the_scale_gets_lighter_all_the_way() -> None:
    red, green, blue = viridis(np.linspace(0, 1, 201)).astype(float).T
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    assert (np.diff(luminance) > -0.75).all()
    assert luminance[::20].tolist() == sorted(luminance[::20].tolist())


def test_only_what_is_one_reads_as_one() -> None:
    values = np.array([[1.0, 0.9999, 0.5], [0.9999, 1.0, np.nan], [0.0, -1e-9, 1.0]])
    levels = coded(material(3, values))
    assert levels.tolist() == [[STEPS, STEPS - 1, STEPS // 2], [STEPS - 1, STEPS, STEPS + 1], [0, 0, STEPS]]


def test_aligned_coefficients_stand_above_the_diagonal() -> None:
    plain, aligned = np.full((4, 4), 0.4), np.full((4, 4), 0.8)
    levels = coded(material(4, plain, aligned=aligned))
    assert set(levels[np.triu_indices(4, 1)].tolist()) == {160}
    assert set(levels[np.tril_indices(4)].tolist()) == {80}


@pytest.mark.parametrize(("smallest", "start"), [(0.63, 0.6), (0.7, 0.7), (0.99, 0.9), (1.0, 0.9), (0.0, 0.0)])
def test_the_scale_starts_at_a_tenth(smallest: float, start: float) -> None:
    assert lowest(material(2, np.array([[1.0, smallest], [smallest, 1.0]]))) == pytest.approx(start)


@given(st.integers(1, 5000), st.integers(1, 600))
def test_a_sample_is_even_and_keeps_both_ends(n: int, most: int) -> None:
    places = thinned(n, most)
    assert len(places) == min(n, most)
    assert places[0] == 0
    assert most == 1 or places[-1] == n - 1
    steps = np.diff(places)
    assert steps.size == 0 or steps.max() - steps.min() <= 1


def test_the_picture_in_the_figure_is_the_matrix() -> None:
    import base64

    values = np.random.default_rng(1).random((30, 30))
    figure = matrix_figure(material(30, values), COLOUR)
    address = re.search(r'href="data:image/png;base64,([^"]+)"', figure.svg)
    assert address is not None
    assert np.array_equal(pixels(base64.b64decode(address[1])), coded(material(30, values)))
    assert figure.data["ids"] == [f"a/{i}" for i in range(30)]


def test_above_five_hundred_a_sample_is_drawn_and_said() -> None:
    figure = matrix_figure(material(1203), COLOUR)
    assert (figure.n_shown, figure.n_comparable) == (MOST_CALCULATIONS, 1203)
    ids = figure.data["ids"]
    assert isinstance(ids, list)
    assert (ids[0], ids[-1], len(ids)) == ("a/0", "a/1202", MOST_CALCULATIONS)
    assert len(figure.svg) < 400_000


def test_noise_of_five_hundred_stays_small() -> None:
    values = np.random.default_rng(2).random((500, 500))
    figure = matrix_figure(material(500, values), COLOUR)
    assert len(figure.svg) < 400_000


def test_runs_follow_each_other() -> None:
    rows = [Calculation(f"a/{i}", "a", functional=f) for i, f in enumerate(["LDA", "LDA", "PBE", "LDA"])]
    found = runs(rows, 0, 4, lambda c: (c.functional, c.functional))
    assert [(b.words, b.start, b.stop) for b in found] == [("LDA", 0, 2), ("PBE", 2, 3), ("LDA", 3, 4)]


def test_words_of_blocks_are_escaped() -> None:
    rows = tuple(Calculation(f"a/{i}", "a", functional="<b>") for i in range(2))
    figure = matrix_figure(replace(material(2), calculations=rows), COLOUR)
    assert "&lt;b&gt;" in figure.svg
    assert "<b>" not in figure.svg


def test_lines_part_the_blocks_where_the_settings_change() -> None:
    rows = tuple(Calculation(f"a/{i}", "a", functional="LDA" if i < 3 else "PBE") for i in range(10))
    figure = matrix_figure(replace(material(10), calculations=rows), COLOUR)
    lines = re.findall(r'd="([^"]+)" class="block-line outer"', figure.svg)
    assert len(lines) == 1
    assert [float(x) for x in re.findall(r"M(\d+\.\d+) 52v", lines[0])] == pytest.approx([72 + 3 * 57])


def test_strips_show_the_measure_that_most_state() -> None:
    rows = [Calculation("a/0", "a", k_points=8.0, cutoff_ev=300.0), Calculation("b/0", "b", cutoff_ev=600.0),
            Calculation("b/1", "b", basis_functions=52.0)]
    drawn, height = strips(rows, (0.0, 0.0, 300.0), COLOUR)
    text = "".join(drawn)
    assert "number of k-points, log scale; unknown for 2" in text
    assert "plane-wave cutoff (eV), log scale; unknown for 1" in text
    assert text.count('class="band') == 2
    assert "nan" not in text
    assert height > 100


def test_strips_of_nothing_known() -> None:
    drawn, _ = strips([Calculation("a/0", "a")], (0.0, 0.0, 300.0), COLOUR)
    assert [re.sub("<[^>]+>", "", d) for d in drawn] == [
        "number of k-points: unknown for all", "number of basis functions: unknown for all"]


@given(st.integers(0, 3000), st.integers(1, 60), st.integers(0, 10**6))
def test_thinning_loses_no_peak(n: int, columns: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    energies, states = np.sort(random.random(n)), random.normal(size=n)
    thin = thinned_spectrum(Spectrum(energies, states), columns)
    assert len(thin.states) <= max(n if n <= 4 * columns else 0, 4 * columns)
    assert (np.diff(thin.energies_ev) >= 0).all()
    if n == 0:
        return
    edges = np.linspace(energies[0], energies[-1], columns + 1)[1:-1]
    whole, kept = np.searchsorted(edges, energies, side="right"), np.searchsorted(edges, thin.energies_ev, side="right")
    for column in set(whole.tolist()):
        assert thin.states[kept == column].max() == states[whole == column].max()
        assert thin.states[kept == column].min() == states[whole == column].min()


def pair(left: list[int], right: list[int], start: int, stop: int, **more: object) -> Pair:
    spectrum = Spectrum(np.array([-1.0, 0.0, 1.0]), np.array([0.0, 2.0, 1.0]))
    one = Calculation("a/1", "a")
    found = Pair("a pair", one, one, 0.5, 0.6, 0.02, np.linspace(-1, 1, len(left) + 1), np.array(left),
                 np.array(right), spectrum, spectrum, start, stop)
    return replace(found, **more)


def test_a_pair_counts_only_what_both_cover() -> None:
    found = pair([1, 2, 3, 4], [4, 3, 2, 9], 1, 3)
    assert (found.overlap, found.union) == (2 + 2, 3 + 3)
    figure = pair_figure(found)
    assert figure.data["counts"] == [[2, 3], [3, 2]]
    assert figure.data["start"] == 1
    assert "nan" not in figure.svg
    assert "inf" not in figure.svg


@pytest.mark.parametrize(("left", "right", "start", "stop"), [
    ([0, 0], [0, 0], 0, 2), ([1, 2], [3, 4], 2, 1), ([1, 2], [3, 4], 2, 2), ([5], [5], 0, 1),
])
def test_a_pair_of_nothing_is_drawn(left: list[int], right: list[int], start: int, stop: int) -> None:
    empty = Spectrum(np.empty(0), np.empty(0))
    for more in ({}, {"left_spectrum": empty, "right_spectrum": empty, "aligned": None, "shift_ev": None}):
        figure = pair_figure(pair(left, right, start, stop, **more))
        assert "nan" not in figure.svg
        assert "inf" not in figure.svg


def test_a_density_that_is_not_finite_is_drawn_where_it_is() -> None:
    broken = Spectrum(np.array([-1.0, 0.0, 1.0]), np.array([np.nan, 2.0, np.inf]))
    assert "nan" not in pair_figure(pair([1], [1], 0, 1, left_spectrum=broken)).svg


def chosen(values: list[list[float]], functionals: str) -> dict[str, tuple[int, int]]:
    rows = tuple(
        Calculation(f"a/{i}", "a", functional={"l": "LDA", "p": "PBE"}.get(f, "unknown"))
        for i, f in enumerate(functionals)
    )
    found = chosen_pairs(Material("X", rows, np.array(values)))
    return {choice.label: (choice.left, choice.right) for choice in found}


def test_pairs_are_chosen_by_what_they_show() -> None:
    values = [[1, 0.9, 0.8, 0.2], [0.9, 1, 0.7, 0.3], [0.8, 0.7, 1, 0.6], [0.2, 0.3, 0.6, 1]]
    assert chosen(values, "llpp") == {
        "most similar with different functionals": (0, 2),
        "typical: the median of all pairs; least similar with one functional": (2, 3),
        "least similar of all": (0, 3),
    }


def test_identical_pairs_are_chosen_only_where_there_are_no_others() -> None:
    one = chosen([[1, 1, 0.5], [1, 1, 0.5], [0.5, 0.5, 1]], "lll")
    assert one["most similar, not identical; typical: the median of all pairs; least similar with one functional; "
               "least similar of all"] == (0, 2)
    assert list(chosen([[1, 1], [1, 1]], "??").values()) == [(0, 1)]


def test_a_single_calculation_has_no_pairs() -> None:
    assert chosen([[1]], "l") == {}
    assert chosen([[1, float("nan")], [float("nan"), 1]], "lp") == {}


def test_functionals_are_written_as_people_do() -> None:
    titles = [functional_title(name) for name in ("pbe", "pbe+u", "r2scan", "pbesol", "unknown", "hse06")]
    assert titles == ["PBE", "PBE+U", "r2SCAN", "PBEsol", "unknown", "HSE06"]
