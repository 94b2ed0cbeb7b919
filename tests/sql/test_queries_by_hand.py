"""The same questions answered twice: by SQL, and by plain Python on made-up tables."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from analytics.queries import create_views, run_on
from lake.tables import TABLES

COLUMNS = {
    "calculation_id": pa.string(), "source": pa.string(), "cell_key": pa.string(), "reduced_key": pa.string(),
    "formula_reduced": pa.string(), "elements": pa.list_(pa.string()), "xc_functional": pa.string(),
    "formation_energy_functional": pa.string(), "band_gap_functional": pa.string(),
    "formation_energy_ev_per_atom": pa.float64(), "band_gap_ev": pa.float64(), "deprecated": pa.bool_(),
    "hubbard_u_ev": pa.map_(pa.string(), pa.float64()),
}

ROWS = st.lists(
    st.fixed_dictionaries({
        "source": st.sampled_from(["aflow", "mp", "nomad", "oqmd"]),
        "cell_key": st.sampled_from([None, "O4Ti2_136", "Si2_227", "Si8_227", "Al_225"]),
        "reduced_key": st.sampled_from([None, "O2Ti_136", "Si_227", "Al_225"]),
        "xc_functional": st.sampled_from([None, "pbe", "PBE", "lda"]),
        "formation_energy_functional": st.sampled_from([None, "pbe", "r2scan"]),
        "formation_energy_ev_per_atom": st.one_of(st.none(), st.floats(-4, 1)),
        "band_gap_ev": st.one_of(st.none(), st.floats(0, 9)),
        "deprecated": st.sampled_from([None, False, True]),
    }),
    max_size=60,
)


def ask(rows: Sequence[dict[str, Any]], query: str, **parameters: str) -> list[dict[str, Any]]:
    schema = pa.schema(COLUMNS)
    calculations = pa.Table.from_pylist([{name: row.get(name) for name in COLUMNS} for row in rows], schema)
    with duckdb.connect() as connection:
        for name, table in TABLES.items():
            connection.register(name, calculations if name == "calculations" else table.schema.empty_table())
        create_views(connection)
        return run_on(connection, query, parameters).to_pylist()


def passes(row: dict[str, Any]) -> bool:
    functional = row["formation_energy_functional"] or row["xc_functional"]
    return (
        (functional is None or functional.lower() == "pbe") and not row["deprecated"]
        and row["formation_energy_ev_per_atom"] is not None and row["band_gap_ev"] is not None
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_overlap_is_what_sets_say(rows: list[dict[str, Any]]) -> None:
    found = ask(rows, "overlap")
    sources = sorted({row["source"] for row in rows})
    assert [(f["left_source"], f["right_source"], f["key_kind"]) for f in found] == [
        (*pair, kind) for pair in itertools.combinations(sources, 2) for kind in ("cell_key", "reduced_key")
    ]
    for line in found:
        sides = [[r for r in rows if r["source"] == line[f"{side}_source"] and passes(r)] for side in ("left", "right")]
        kind = line["key_kind"]
        keys = [{r[kind] for r in side} - {None} for side in sides]
        common = keys[0] & keys[1]
        assert [line["left_rows"], line["right_rows"]] == [len(side) for side in sides]
        assert [line["left_keys"], line["right_keys"]] == [len(k) for k in keys]
        assert line["common_keys"] == len(common)
        unknown = [sum((r["formation_energy_functional"] or r["xc_functional"]) is None for r in s) for s in sides]
        assert [line["left_unknown_functional_rows"], line["right_unknown_functional_rows"]] == unknown


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_energy_offsets_are_what_numpy_says(rows: list[dict[str, Any]]) -> None:
    found = {(f["left_source"], f["right_source"]): f for f in ask(rows, "energy_offsets", key_kind="reduced_key")}
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if passes(row) and row["reduced_key"]:
            energies = values.setdefault(row["source"], {}).setdefault(row["reduced_key"], [])
            energies.append(row["formation_energy_ev_per_atom"])
    expected = {}
    for left, right in itertools.combinations(sorted(values), 2):
        common = set(values[left]) & set(values[right])
        if common:
            expected[left, right] = [np.median(values[right][k]) - np.median(values[left][k]) for k in common]
    assert set(found) == set(expected)
    for pair, offsets in expected.items():
        line = found[pair]
        assert line["n_materials"] == len(offsets)
        assert line["median_ev_per_atom"] == pytest.approx(np.median(offsets), abs=1e-12)
        deviation = np.median(np.abs(offsets - np.median(offsets)))
        assert line["mad_ev_per_atom"] == pytest.approx(deviation, abs=1e-12)
        assert line["q05_ev_per_atom"] == pytest.approx(np.quantile(offsets, 0.05), abs=1e-12)
        assert line["median_low_ev_per_atom"] <= line["median_ev_per_atom"] + 1e-12
        assert line["median_high_ev_per_atom"] >= line["median_ev_per_atom"] - 1e-12


def interval(offsets: Sequence[float]) -> tuple[float, float]:
    rows = []
    for number, offset in enumerate(offsets):
        common = {"cell_key": f"X{number}_1", "reduced_key": f"X{number}_1", "band_gap_ev": 0.0}
        rows.append({"source": "aflow", "formation_energy_ev_per_atom": 0.0, **common})
        rows.append({"source": "mp", "formation_energy_ev_per_atom": offset, **common})
    line = ask(rows, "energy_offsets")[0]
    return line["median_low_ev_per_atom"], line["median_high_ev_per_atom"]


@pytest.mark.parametrize("n", [1, 3, 5, 9, 15, 25, 51, 101, 1001])
def test_the_interval_stands_where_endless_resampling_puts_it(n: int) -> None:
    low, high = interval([float(place) for place in range(1, n + 1)])
    exact = math.ceil(n * beta.ppf(0.025, (n + 1) / 2, (n + 1) / 2))
    assert abs(low - exact) <= (0 if n > 15 else 1)
    assert high == n + 1 - low


@pytest.mark.parametrize("n", [12, 41, 200])
def test_the_interval_is_that_of_resampling(n: int) -> None:
    draw = np.random.default_rng(n)
    offsets = np.sort(draw.normal(0.1, 0.2, n))
    medians = np.median(draw.choice(offsets, size=(20_000, n)), axis=1)
    for found, expected in zip(interval(offsets.tolist()), np.quantile(medians, [0.025, 0.975]), strict=True):
        places = np.searchsorted(offsets, [found, expected])
        assert abs(int(places[0]) - int(places[1])) <= 1


ANIONS = {
    "Al": "element", "Al,Mg": "intermetallic", "Mg,O": "oxide", "F,Mg,O": "halide", "Cl,O,Zr": "oxide",
    "Cl,N,Zr": "halide", "Ga,N": "nitride", "Br,N,Zr": "nitride", "I,Pb": "halide", "C,S": "chalcogenide",
    "S,Zn": "chalcogenide", "C,Si": "carbide", "H,Li": "hydride", "As,Ga": "pnictide", "P,Te,Zn": "pnictide",
    "Cd,Te": "chalcogenide", "B,Mg": "boride", "Si,Ti": "silicide", "Ga,Sb": "intermetallic",
}


@pytest.mark.parametrize(("elements", "expected"), ANIONS.items())
def test_anion_classes(elements: str, expected: str) -> None:
    common = {
        "cell_key": "x_1", "reduced_key": "x_1", "elements": elements.split(","), "band_gap_ev": 0.0,
        "formation_energy_ev_per_atom": 0.0,
    }
    rows = [{"source": source, **common} for source in ("aflow", "mp")]
    assert [line["left_group"] for line in ask(rows, "energy_offsets", by="anion_class")] == [expected]
