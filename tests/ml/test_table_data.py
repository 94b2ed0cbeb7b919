"""Tables of a person's own: what is read, with which units, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from lake.errors import InputError
from ml.data.table import read_table, unit_of_name, units_given


def table_at(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_have_the_units_that_their_names_end_with(tmp_path: Path) -> None:
    path = table_at(tmp_path, "gap_ev,v_angstrom3_per_atom,n_sites,x,name\n1,2,3,4,a\n2.5,3,4,5,b\n")
    table = read_table(path, {"x": "GPa"})
    assert table.units == {"gap_ev": "eV", "v_angstrom3_per_atom": "angstrom3/atom", "n_sites": "1", "x": "GPa"}
    assert table.numeric == ("gap_ev", "v_angstrom3_per_atom", "n_sites", "x")
    assert table.left_out == {"name": "no numbers"}
    assert table.values("gap_ev").tolist() == [1, 2.5]
    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert table.name == "t"


@pytest.mark.parametrize(("name", "unit"), [
    ("e_ev_per_atom", "eV/atom"), ("e_mev", "meV"), ("A_EV", "eV"), ("_ev", None), ("level", None),
    ("radius_angstrom", "angstrom"), ("x_fraction", "1"),
])
def test_unit_of_a_name(name: str, unit: str | None) -> None:
    assert unit_of_name(name) == unit


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    table = pa.table({"a_ev": pa.array([1, 2, 3], pa.int32()), "kind": ["x", "y", None]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    found = read_table(tmp_path / "t.parquet")
    assert found.values("a_ev").tolist() == [1, 2, 3]
    assert found.columns["kind"].to_pylist() == ["x", "y", None]


def test_columns_that_say_nothing_are_left_out_with_the_reason(tmp_path: Path) -> None:
    table = read_table(table_at(tmp_path, "a_ev,b_ev,c_ev,d_ev,e_ev\n1,7,nan,,1\n2,7,1,,inf\n3,7,2,,2\n"))
    assert table.numeric == ("a_ev",)
    assert table.left_out == {"b_ev": "always 7", "c_ev": "no finite number in 1 of 3 rows", "d_ev": "empty",
                              "e_ev": "no finite number in 1 of 3 rows"}
    assert np.isnan(table.values("c_ev")[0])
    assert table.features() == ("a_ev",)
    with pytest.raises(InputError, match=r"b_ev \(always 7\)"):
        table.features(["a_ev", "b_ev"])


def test_features_without_a_unit_are_named(tmp_path: Path) -> None:
    table = read_table(table_at(tmp_path, "a_ev,size,age\n1,2,3\n2,3,5\n"))
    with pytest.raises(InputError, match="Without a unit: size, age"):
        table.features()
    assert table.features(excluded=["size", "age"]) == ("a_ev",)
    with pytest.raises(InputError, match="no column left"):
        table.features(excluded=["a_ev", "size", "age"])


@pytest.mark.parametrize(("text", "name", "message"), [
    ("", "t.csv", "is empty"), ("a,b\n", "t.csv", "no rows"), ("a,a\n1,2\n", "t.csv", "several columns a"),
    ("a;b\n1;2\n", "t.csv", "separate columns with commas"), ("a,b\n1,2,3\n", "t.csv", "cannot be read as a table"),
    ("PAR1 is cut", "t.parquet", "cannot be read as a table"), ("a,b\n1,2\n", "t.xlsx", "no table that can be read"),
])
def test_bad_files_are_refused(tmp_path: Path, text: str, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_table(table_at(tmp_path, text, name))


def test_a_missing_file_and_a_missing_column_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="no column b"):
        read_table(table_at(tmp_path, "a\n1\n2\n"), {"b": "eV"})


def test_units_are_given_as_column_and_unit() -> None:
    assert units_given(["a=eV", "b = 1"]) == {"a": "eV", "b": "1"}
    with pytest.raises(InputError, match="column=unit"):
        units_given(["a"])
