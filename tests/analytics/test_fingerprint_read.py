"""Reading fingerprints and densities of states back as arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from fingerprint_lakes import ENERGIES, calculation, dos_row, put

from analytics.fingerprints.build import build
from analytics.fingerprints.grid import REFERENCE
from analytics.fingerprints.read import load, load_profiles
from lake.errors import InputError, TableError
from lake.store.lake import Lake

GOOD = np.array(dos_row("x/0")["states_per_ev_per_atom"])


@pytest.fixture
def filled(lake: Lake) -> Lake:
    """Nine comparable densities of two sources and two materials, added out of order, and one that is set aside."""
    rows = [
        dos_row(f"{source}/{n}", states=GOOD * (1 - n / 20)) for source in ("y", "x") for n in (3, 1, 4, 2, 0)
    ]
    rows[0] |= {"reference_level": None}
    put(lake, "dos", rows)
    put(lake, "calculations", [
        calculation(row["calculation_id"], reduced_key="BN_194" if row["source"] == "x" else "BN_216",
                    cell_key="B2N2_194" if row["source"] == "x" else "BN_216")
        for row in rows
    ])
    build(lake)
    return lake


def test_all_of_a_grid_in_order_of_their_ids(filled: Lake) -> None:
    found = load(filled, "dos-reference")
    assert found.ids == [f"x/{n}" for n in range(5)] + [f"y/{n}" for n in (0, 1, 2, 4)]
    assert found.id_array.to_pylist() == found.ids
    assert (found.grid_id, found.levels, len(found)) == ("dos-reference", 56, 9)
    assert (found.counts.shape, found.counts.dtype) == ((9, REFERENCE.n_counts), REFERENCE.dtype)
    assert found.counts.flags.c_contiguous
    stored = {row["calculation_id"]: row for row in filled.read("fingerprints").to_pylist()}
    for place, name in enumerate(found.ids):
        assert found.counts[place].tolist() == stored[name]["counts"]
        assert found.totals[place] == stored[name]["total"] == sum(stored[name]["counts"])
        assert (found.starts[place], found.stops[place]) == (0, REFERENCE.n_counts)


def test_some_of_them(filled: Lake) -> None:
    assert load(filled, "reference", ids=["y/2", "x/3", "y/3", "nobody"]).ids == ["x/3", "y/2"]
    assert load(filled, "reference", ids=[]).counts.shape == (0, REFERENCE.n_counts)
    assert load(filled, "reference", key="BN_194").ids == load(filled, "reference", key="B2N2_194").ids
    assert load(filled, "reference", key="BN_216").ids == ["y/0", "y/1", "y/2", "y/4"]
    assert load(filled, "reference", key="BN_216", ids=["x/1", "y/1"]).ids == ["y/1"]
    assert load(filled, "reference", key="BN_1").ids == []


def test_an_older_version(filled: Lake) -> None:
    version = filled.versions()["fingerprints"]
    put(filled, "dos", [dos_row("z/1")])
    build(filled)
    assert len(load(filled, "reference")) == 10
    assert len(load(filled, "reference", version=version)) == 9


def test_nothing_there(lake: Lake) -> None:
    found = load(lake, "paper")
    assert (found.ids, found.counts.shape) == ([], (0, 152))
    with pytest.raises(InputError, match="There is no grid"):
        load(lake, "dos-0123456789ab")


def test_another_definition_is_refused(filled: Lake) -> None:
    row = filled.read("grids").to_pylist()[0]
    row["parameters_json"] = row["parameters_json"].replace('"definition": 1', '"definition": 0')
    filled.upsert("grids", pa.Table.from_pylist([row], schema=filled.read("grids").schema))
    with pytest.raises(InputError, match="matlake fingerprint --grid dos-reference"):
        load(filled, "reference")


def test_counts_of_another_width_are_refused(filled: Lake) -> None:
    rows = filled.read("fingerprints").to_pylist()
    rows[0] |= {"counts": [1, 2], "calculation_id": "z/1", "reason": None}
    filled.upsert("fingerprints", pa.Table.from_pylist(rows[:1], schema=filled.read("fingerprints").schema))
    with pytest.raises(TableError, match="144 counts"):
        load(filled, "reference")


def test_profiles_come_in_the_order_asked_for_and_sorted(filled: Lake) -> None:
    order = np.random.default_rng(1).permutation(len(ENERGIES))
    put(filled, "dos", [dos_row("z/1", ENERGIES[order], GOOD[order])])
    asked = ["y/2", "z/1", "x/0"]
    found = load_profiles(filled, asked)
    assert found.ids == asked
    assert found.of_row(0)[1] == pytest.approx(GOOD * 0.9)
    assert (np.diff(found.of_row(1)[0]) > 0).all()
    assert found.of_row(1)[1] == pytest.approx(GOOD)
    assert len(load_profiles(filled, [])) == 0
    with pytest.raises(InputError, match="nobody"):
        load_profiles(filled, ["x/0", "nobody"])
    with pytest.raises(InputError, match="twice"):
        load_profiles(filled, ["x/0", "x/0"])
