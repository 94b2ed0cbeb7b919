"""The most similar calculations to one: against brute force, with shifts, settings, and every reason for none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fingerprint_lakes import ENERGIES, calculation, dos_row, put
from pair_lakes import drawn, windows
from pair_lakes import put as put_counts

from analytics.fingerprints import kinds
from analytics.fingerprints.build import build
from analytics.similarity import top as module
from analytics.similarity.block import block_of
from analytics.similarity.top import SETTINGS, top
from analytics.similarity.why_not import not_fingerprinted
from lake.errors import InputError, SettingsError, TableError
from lake.store.lake import Lake
from lake.tables import TABLES


def states_at(shift_ev: float) -> list[float]:
    """Humps and steps, moved up in energy."""
    e = ENERGIES - shift_ev
    return list(1.6 * np.exp(-((e + 5) / 0.8) ** 2) + 1.1 * np.exp(-((e + 2) / 0.3) ** 2) + 0.8 * np.exp(-(e - 4) ** 2))


@pytest.fixture
def densities(lake: Lake) -> Lake:
    """x/1 and copies of it that are moved, one of another material and one that cannot be compared."""
    shifts = {"x/1": 0.0, "x/2": 0.05, "y/1": -0.03, "y/2": 0.6}
    rows = [dos_row(name, states=states_at(shift)) for name, shift in shifts.items()]
    rows[2]["xc_functional"] = "hse06"
    put(lake, "dos", [*rows, dos_row("x/9", reference_level=None)])
    put(lake, "calculations", [
        calculation(name, "BN", reduced_key="BN_194", cell_key="B2N2_194", xc_functional="pbe", k_grid=[4, 4, 2],
                    cutoff_ev=500.0, basis_set="plane waves") for name in ("x/1", "x/2", "y/1", "x/9", "x/without")
    ])
    build(lake)
    return lake


def by_definition(ids: list[str], counts: Any, starts: Any, stops: Any, query: int) -> list[tuple[str, float]]:
    """All others, the most similar first."""
    found = []
    for row, name in enumerate(ids):
        begin, end = max(starts[row], starts[query]), min(stops[row], stops[query])
        one, other = counts[query][begin:end], counts[row][begin:end]
        union = int(np.maximum(one, other).sum()) if begin < end else 0
        if row != query:
            found.append((name, int(np.minimum(one, other).sum()) / union if union else 0.0))
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


@pytest.mark.parametrize(("seed", "rows_at_once", "k"), [(0, 13, 1), (1, 2048, 10), (2, 7, 59), (3, 31, 500)])
def test_as_brute_force_finds_them(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, seed: int, rows_at_once: int, k: int
) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", rows_at_once)
    counts = drawn(300, seed, copies=0.4)
    counts[5] = 0
    starts, stops = windows(300, 3, seed)
    ids = put_counts(lake, counts, starts, stops)
    put_counts(lake, None, ids=["x/set-aside"])
    put_counts(lake, drawn(20, 9)[:, :118], grid="composition")
    for query in (0, 5, 17, 299):
        found = top(lake, ids[query], "reference", k)
        expected = by_definition(ids, counts, starts, stops, query)[:k]
        assert found["calculation_id"].to_pylist() == [name for name, _ in expected]
        assert found["similarity"].to_pylist() == pytest.approx([value for _, value in expected], abs=1e-15)
        assert found["rank"].to_pylist() == list(range(1, len(expected) + 1))
        assert found["aligned_similarity"].null_count == found.num_rows


def test_all_equal_ones_come_by_id(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 16)
    ids = put_counts(lake, np.repeat(drawn(1, 4), 100, axis=0))
    found = top(lake, max(ids), "reference", 5)
    assert found["calculation_id"].to_pylist() == sorted(ids)[:5]
    assert found["similarity"].to_pylist() == [1.0] * 5


def test_the_only_one_has_no_others(lake: Lake) -> None:
    [only] = put_counts(lake, drawn(1, 4))
    found = top(lake, only, "reference")
    assert found.num_rows == 0
    assert found.column_names[:3] == ["rank", "calculation_id", "similarity"]


def test_shifts_are_those_of_the_other_against_the_given_one(densities: Lake) -> None:
    found = {row["calculation_id"]: row for row in top(densities, "x/1", "reference").to_pylist()}
    assert set(found) == {"x/2", "y/1", "y/2"}
    assert found["x/2"]["aligned_shift_ev"] == pytest.approx(-0.05)
    assert found["y/1"]["aligned_shift_ev"] == pytest.approx(0.03)
    for name in ("x/2", "y/1"):
        assert found[name]["similarity"] < 0.97 < found[name]["aligned_similarity"]
    block = block_of(densities, "BN_194", "dos-reference")
    assert block.aligned is not None
    assert block.shifts_ev is not None
    for place, name in enumerate(block.ids):
        if name != "x/1":
            here = block.ids.index("x/1"), place
            assert found[name]["similarity"] == block.similarity[here]
            assert found[name]["aligned_similarity"] == block.aligned[here]
            assert found[name]["aligned_shift_ev"] == block.shifts_ev[here]
    plain = top(densities, "x/1", "reference", aligned=False)
    assert plain["aligned_similarity"].null_count == plain["aligned_shift_ev"].null_count == 3
    assert plain["similarity"] == top(densities, "x/1", "reference")["similarity"]


def test_settings_stand_beside_them(densities: Lake) -> None:
    found = {row["calculation_id"]: row for row in top(densities, "x/1", "reference").to_pylist()}
    assert (found["x/2"]["xc_functional"], found["y/1"]["xc_functional"]) == ("pbe", "hse06")
    assert found["x/2"] | {"source": "x", "reduced_key": "BN_194", "cell_key": "B2N2_194", "cutoff_ev": 500.0,
                           "k_grid": [4, 4, 2], "basis_set": "plane waves", "code": None} == found["x/2"]
    assert {found["y/2"][name] for name in SETTINGS} == {"y", None}


def test_a_density_that_is_gone_has_no_shift(densities: Lake) -> None:
    rows = densities.read("dos").to_pylist()
    for source in ("x", "y"):
        kept = [row for row in rows if row["source"] == source and row["calculation_id"] != "x/2"]
        densities.replace("dos", pa.Table.from_pylist(kept, schema=TABLES["dos"].schema), {"source": source})
    found = {row["calculation_id"]: row for row in top(densities, "x/1", "reference").to_pylist()}
    assert found["x/2"]["aligned_similarity"] is None
    assert found["x/2"]["similarity"] > 0.5
    assert found["y/1"]["aligned_similarity"] > 0.97


def test_compositions_have_no_shifts(densities: Lake) -> None:
    build(densities, kinds.find("composition"))
    found = top(densities, "x/without", "composition", 2)
    assert found["similarity"].to_pylist() == [1.0, 1.0]
    assert found["aligned_similarity"].null_count == 2


@pytest.mark.parametrize(("calculation_id", "grid", "said"), [
    ("x/11", "reference", "Close ones: x/1"),
    ("y/2", "paper", "no fingerprint on the grid dos-paper so far: run matlake fingerprint --grid dos-paper"),
    ("x/9", "reference", "x/9 was set aside on the grid dos-reference, no_reference_level: what 0 eV refers to"),
    ("x/without", "reference", "x/without has no density of states in the lake"),
    ("x/1", "nix", "There is no grid"),
])
def test_why_there_is_nothing(densities: Lake, calculation_id: str, grid: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        top(densities, calculation_id, grid)
    assert said in str(caught.value)


def test_an_empty_lake(lake: Lake) -> None:
    with pytest.raises(InputError, match="the lake holds none"):
        top(lake, "x/1", "reference")
    assert not_fingerprinted(lake, kinds.find("reference")) == 0


def test_what_cannot_be_compared_is_refused(densities: Lake, lake: Lake) -> None:
    with pytest.raises(SettingsError, match="-k 0: at least 1"):
        top(densities, "x/1", "reference", 0)
    put_counts(lake, drawn(1)[:, :100], ids=["x/short"])
    with pytest.raises(TableError, match="a row of dos-reference has not 144 counts"):
        top(lake, "x/1", "reference")


def test_a_grid_of_another_definition_is_refused(densities: Lake) -> None:
    row = densities.read("grids").to_pylist()[0]
    row["parameters_json"] = row["parameters_json"].replace("56", "57")
    densities.replace("grids", pa.Table.from_pylist([row], schema=TABLES["grids"].schema),
                      {"grid_id": "dos-reference"})
    with pytest.raises(InputError, match="another definition"):
        top(densities, "x/1", "reference")


def test_what_came_later_is_counted(densities: Lake) -> None:
    grid, composition = kinds.find("reference"), kinds.find("composition")
    assert not_fingerprinted(densities, grid) == 0
    put(densities, "dos", [dos_row("z/1"), dos_row("z/2")])
    assert not_fingerprinted(densities, grid) == 2
    assert not_fingerprinted(densities, composition) == 0  # none were made so far
    build(densities, composition)
    put(densities, "calculations", [calculation("z/1")])
    assert not_fingerprinted(densities, composition) == 1
