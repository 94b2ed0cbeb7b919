"""The grid of a fingerprint: the published one, named ones, anybody's own, impossible ones."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from dos_examples import golden

from analytics.fingerprints.grid import PAPER, REFERENCE, DosGrid
from lake.errors import InputError


def test_reference_has_the_published_size():
    assert (REFERENCE.n_counts, REFERENCE.levels, REFERENCE.n_counts * REFERENCE.levels) == (144, 56, 8064)
    assert (PAPER.n_counts, PAPER.levels, PAPER.n_counts * PAPER.levels) == (152, 2048, 311_296)
    assert REFERENCE.dtype == np.uint8
    assert PAPER.dtype == np.uint16


def test_edges_are_those_of_the_reference():
    _, grids, found = golden()
    for number, grid in enumerate(grids):
        assert np.array_equal(grid.centered_edges_ev, found[f"edges_ev_{number}"])


def test_edges_are_relative_to_the_band_edge_and_narrowest_at_the_centre():
    edges = REFERENCE.edges_ev
    widths = np.diff(edges)
    assert edges[0] >= -10
    assert edges[-1] <= 5
    assert -2.0 in edges
    assert np.isclose(widths.min(), 0.05)
    assert abs(edges[np.argmin(widths)] + 2) < 3
    assert len(REFERENCE.heights) == REFERENCE.n_counts
    assert REFERENCE.heights.min() == 0.5


def test_ids_tell_grids_apart():
    others = [DosGrid(levels=n) for n in (55, 57, 255, 256)] + [DosGrid(window_max_ev=4), DosGrid(center_ev=-1)]
    ids = [g.grid_id for g in (REFERENCE, PAPER, *others)]
    assert ids[:2] == ["dos-reference", "dos-paper"]
    assert all(i.startswith("dos-") for i in ids)
    assert len(set(ids)) == len(ids)
    assert DosGrid(levels=56.0, width_ev=7).grid_id == "dos-reference"


@pytest.mark.parametrize("grid", [REFERENCE, PAPER, DosGrid(levels=300, window_min_ev=-7.3)])
def test_parameters_make_the_grid_again(grid):
    again = DosGrid.from_parameters(json.loads(json.dumps(grid.parameters())))
    assert again == grid
    assert again.grid_id == grid.grid_id


@pytest.mark.parametrize(("parameters", "says"), [
    ({"levels": 0}, "levels is 0"), ({"levels": 32_768}, "32,767"), ({"levels": 1.5}, "whole number"),
    ({"levels": True}, "whole number"), ({"width_ev": float("nan")}, "finite"), ({"width_ev": 0}, "above 0"),
    ({"energy_step_ev": -0.05}, "above 0"), ({"energy_step_ev": 1 / 3}, "8 decimals"),
    ({"window_min_ev": 0, "window_max_ev": 5}, "does not hold"), ({"window_max_ev": -20}, "does not hold"),
    ({"largest_energy_step_ev": 0.01}, "below energy_step_ev"), ({"largest_height_step": 0.1}, "below height_step"),
    ({"energy_step_ev": 1e-7}, "widen the step"), ({"energy_step_ev": 40, "largest_energy_step_ev": 40}, "no interval"),
    ({"energy_step_ev": 1e-4, "largest_energy_step_ev": 1e-4}, "at most 100,000"),
    ({"levels": 32_767, "height_step": 0.001}, "fill levels"),
    ({"e_ref": 1}, "unknown parameter e_ref"), ({"kind": "structure"}, "dos is needed"), ({"definition": 99}, "99"),
    ({"window_min_ev": "low"}, "finite number"),
])
def test_impossible_grids_are_refused_with_the_parameter_named(parameters, says):
    with pytest.raises(InputError, match="DOS grid") as raised:
        DosGrid.from_parameters(parameters)
    assert says in str(raised.value)


def test_importing_the_grid_does_not_load_numba():
    code = "import sys, analytics.fingerprints.grid; assert 'numba' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
