"""The public reference itself, asked while the tests run: needs TEST_REFERENCE_PYTHON (make test-reference)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from dos_examples import GRIDS, coefficient, densities
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.fingerprints.grid import PAPER, REFERENCE, DosGrid
from analytics.fingerprints.histogram import dos_counts
from analytics.fingerprints.profiles import DOS_COLUMNS, Profiles
from lake.ingest.run import ingest
from tests.reference.client import Reference

PYTHON = os.environ.get("TEST_REFERENCE_PYTHON")
SAMPLES = Path(__file__).parent.parent.parent / "samples"
EXAMPLES = int(os.environ.get("TEST_REFERENCE_EXAMPLES", "40"))

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not PYTHON, reason="TEST_REFERENCE_PYTHON names no Python with spectral-fingerprints"),
]


@pytest.fixture(scope="module")
def reference():
    with Reference(PYTHON) as running:
        yield running


def compare(reference, profiles, grid):
    """Counts, ranges and coefficients of both."""
    n = len(profiles)
    pairs = [(i, j) for i in range(n) for j in range(max(0, i - 6), i)]
    theirs = reference.fingerprints(profiles, grid, pairs)
    counts, starts, stops = dos_counts(profiles, grid)
    ranges = np.column_stack([starts, stops]).tolist()
    assert theirs["ranges"] == ranges
    assert theirs["counts"] == [c[a:b].tolist() for c, (a, b) in zip(counts, ranges, strict=True)]
    assert theirs["coefficients"] == [coefficient(counts[i], counts[j], ranges[i], ranges[j]) for i, j in pairs]


RUN = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RUN
@given(st.lists(densities(), min_size=1, max_size=4), st.sampled_from(GRIDS))
def test_random_densities_that_cover_the_window(reference, rows, grid):
    compare(reference, Profiles.of_arrays(*zip(*rows, strict=True)), grid)


@RUN
@given(st.lists(densities(lowest=(-9, -1)), min_size=1, max_size=4), st.sampled_from((REFERENCE, GRIDS[3])))
def test_random_densities_that_begin_within_the_window(reference, rows, grid):
    compare(reference, Profiles.of_arrays(*zip(*rows, strict=True)), grid)


@RUN
@given(densities(), st.integers(1, 400), st.floats(0.06, 1.2), st.floats(0.2, 3), st.floats(1, 12))
def test_random_grids(reference, density, levels, largest_step, height, width):
    grid = DosGrid(levels=levels, largest_energy_step_ev=largest_step, height_step=height,
                   largest_height_step=3 * height, width_ev=width)
    found = reference.edges(grid)
    assert found["edges_ev"] == grid.centered_edges_ev.tolist()
    assert found["heights"][:-1] == pytest.approx(grid.heights, abs=1e-9)
    compare(reference, Profiles.of_arrays([density[0]], [density[1]]), grid)


@RUN
@given(densities(highest=(-1, 4)))
def test_where_data_end_within_the_window_ours_are_the_complete_intervals(reference, density):
    profiles = Profiles.of_arrays([density[0]], [density[1]])
    theirs = reference.fingerprints(profiles, REFERENCE)
    counts, starts, stops = dos_counts(profiles, REFERENCE)
    start, stop = theirs["ranges"][0]
    assert start == starts[0]
    # it may lose a complete one to rounding as well
    assert -1 <= stops[0] - stop <= 2
    last = min(stop, stops[0]) - 1
    assert theirs["counts"][0][:last - start] == counts[0, start:last].tolist()


@pytest.mark.parametrize("grid", [REFERENCE, PAPER], ids=lambda g: g.grid_id)
def test_all_shipped_densities(reference, lake, grid):
    for source, folder in (("aflow", "aflow/dos"), ("mp", "mp/dos"), ("nomad", "nomad/archive-h-BN")):
        ingest(lake, source, saved=[str(SAMPLES / folder)])
    profiles = Profiles.of_table(lake.read("dos", DOS_COLUMNS))
    assert len(profiles) >= 114
    compare(reference, profiles, grid)
