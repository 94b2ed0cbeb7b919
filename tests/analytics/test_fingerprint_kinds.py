"""Grids by name, id, file and parameters; two of them never meet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fingerprint_lakes import dos_row, put

from analytics.fingerprints import kinds
from analytics.fingerprints.build import build
from analytics.fingerprints.grid import PAPER, REFERENCE, DosGrid
from analytics.fingerprints.read import load
from lake.errors import InputError, TableError
from lake.store.lake import Lake

WIDE = DosGrid(window_max_ev=8)


@pytest.mark.parametrize("grid", kinds.NAMED.values(), ids=lambda grid: grid.grid_id)
def test_every_named_grid_is_found_again(grid: kinds.Grid) -> None:
    assert isinstance(grid, kinds.Grid)
    assert kinds.find(grid.grid_id) is grid
    assert kinds.find(grid.parameters()) == grid
    assert kinds.from_parameters(json.loads(json.dumps(grid.parameters()))) == grid
    row = kinds.row_of(grid).to_pylist()[0]
    assert (row["kind"], row["n_counts"], row["levels"]) == (grid.kind, grid.n_counts, grid.levels)
    assert grid.levels <= (255 if grid.dtype.itemsize == 1 else 32_767)
    assert grid.description


def test_own_grids_by_parameters_words_and_files(tmp_path: Path) -> None:
    assert kinds.find({"window_max_ev": 8}) == WIDE
    assert kinds.from_words(["window_max_ev=8"]) == WIDE
    assert kinds.from_words(["levels=100", "window_min_ev = -6.5"]) == DosGrid(levels=100, window_min_ev=-6.5)
    (tmp_path / "wide.json").write_text('{"window_max_ev": 8}')
    (tmp_path / "wide.toml").write_text("window_max_ev = 8\n")
    assert kinds.find(str(tmp_path / "wide.json")) == kinds.find(str(tmp_path / "wide.toml")) == WIDE


def test_what_was_typed() -> None:
    assert kinds.chosen([]) == [REFERENCE]
    assert kinds.chosen(["paper", "dos-paper", "reference"]) == [PAPER, REFERENCE]
    assert kinds.chosen(["all"]) == list(kinds.NAMED.values())
    assert kinds.chosen([], ["window_max_ev=8"]) == [WIDE]
    assert kinds.chosen(["composition"], ["window_max_ev=8"]) == [WIDE, kinds.COMPOSITION]


@pytest.mark.parametrize(("wrong", "said"), [
    ("nix", "There is no grid 'nix'. Grids: reference, paper, composition, structure"),
    ({"kind": "phonons"}, "kind is 'phonons', one of dos, composition, structure"),
    ({"kind": "composition", "levels": 3}, "leave them out"),
    ({"kind": "structure", "definition": 0}, "this matlake makes"),
    ({"windows": 3}, "unknown parameter windows"),
    ("missing.json", "missing.json cannot be read"),
])
def test_what_is_no_grid(wrong: object, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        kinds.find(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["window_max_ev", "window_max_ev=", "window_max_ev=much", "=8"])
def test_what_is_no_parameter(word: str) -> None:
    with pytest.raises(InputError, match=r"name=number|unknown parameter"):
        kinds.from_words([word])


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_what_is_no_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "grid.json").write_text(text)
    with pytest.raises(InputError, match=r"grid\.json"):
        kinds.find(str(tmp_path / "grid.json"))


def test_the_lake_knows_its_own_grids(lake: Lake) -> None:
    put(lake, "dos", [dos_row("x/1")])
    grid_id = build(lake, {"window_max_ev": 8}).grid_id
    assert kinds.find(grid_id, lake) == WIDE
    assert load(lake, grid_id).counts.shape == (1, WIDE.n_counts)
    with pytest.raises(InputError, match=grid_id):
        kinds.find("nix", lake)
    with pytest.raises(InputError, match="There is no grid"):
        kinds.find(grid_id)


def test_two_grids_never_meet(lake: Lake) -> None:
    put(lake, "dos", [dos_row("x/1")])
    build(lake, "reference")
    build(lake, "paper")
    one, other = load(lake, "reference"), load(lake, "paper")
    one.check_same_grid(load(lake, "dos-reference"))
    with pytest.raises(TableError, match="dos-paper, dos-reference"):
        one.check_same_grid(other)
    with pytest.raises(TableError, match=r"\(none\)"):
        kinds.check_same()
