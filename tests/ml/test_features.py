"""Features of rows: composition, cell, settings as inputs; the same for other rows, and finite."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from lake.errors import InputError
from ml.tabular.features import FeatureSpace

CUBE = [[4.0, 0, 0], [0, 4.0, 0], [0, 0, 4.0]]
SKEW = [[2.0, 0, 0], [1.0, -3.0, 0], [0.5, 0.5, 5.0]]


def rows(**changes):
    columns = {
        "formula_reduced": pa.array(["Fe", "F2Mg", "O2Si"]),
        "lattice_vectors_angstrom": pa.array([CUBE, SKEW, CUBE], pa.list_(pa.list_(pa.float64()))),
        "n_sites": pa.array([2, 3, 6], pa.int32()),
        "spacegroup_number": pa.array([229, 2, 152], pa.int32()),
        "source": pa.array(["mp", "aflow", "mp"]),
        "plus_u": pa.array([True, None, False]),
        "cutoff_ev": pa.array([520.0, None, 600.0]),
        "gap_functional": pa.array(["pbe", "pbe", None]),
    }
    return pa.table(columns | changes)


def column(space, values, name):
    return values[:, space.names.index(name)].tolist()


def test_cell_features_are_those_of_the_crystal():
    space = FeatureSpace.of(rows(), "composition+cell")
    values = space.values(rows())
    assert values.shape == (3, 132 + 9)
    assert column(space, values, "volume_angstrom3_per_atom") == pytest.approx([32.0, 10.0, 64 / 6])
    assert column(space, values, "spacegroup_number") == [229, 2, 152]
    systems = [n for n in space.names if n.startswith("crystal_system")]
    assert [[s.split()[1] for s in systems if column(space, values, s)[i]] for i in range(3)] == [
        ["cubic"], ["triclinic"], ["trigonal"]]


def test_settings_enter_with_unknown_as_a_value():
    space = FeatureSpace.of(rows(), inputs=("source", "plus_u", "cutoff_ev", "gap_functional"))
    values = space.values(rows())
    assert np.isfinite(values).all()
    assert column(space, values, "source = mp") == [1, 0, 1]
    assert column(space, values, "plus_u = true") == [1, 0, 0]
    assert column(space, values, "plus_u unknown") == [0, 1, 0]
    assert column(space, values, "cutoff_ev") == [520, 560, 600]
    assert column(space, values, "cutoff_ev unknown") == [0, 1, 0]
    assert column(space, values, "gap_functional unknown") == [0, 0, 1]


def test_other_rows_get_the_features_of_the_training_rows():
    space = FeatureSpace.of(rows(), inputs=("source", "cutoff_ev"))
    again = FeatureSpace.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    other = rows(source=pa.array(["nomad", "mp", None]), cutoff_ev=pa.array([float("nan"), 1e3, float("inf")]))
    values = again.values(other)
    assert column(space, values, "source unknown") == [1, 0, 1]
    assert column(space, values, "cutoff_ev") == [560, 1000, 560]
    assert again.unseen(other) == {"source": ["nomad"]}
    bare = again.values(pa.table({"formula_reduced": ["Fe"]}))
    assert column(space, bare, "source unknown") == column(space, bare, "cutoff_ev unknown") == [1]


def test_a_column_without_any_value_is_unknown_and_finite():
    empty = rows(cutoff_ev=pa.nulls(3, pa.float64()), source=pa.nulls(3, pa.string()))
    space = FeatureSpace.of(empty, inputs=("source", "cutoff_ev"))
    values = space.values(rows())
    assert column(space, values, "source unknown") == [1, 1, 1]
    assert np.isfinite(values).all()


@pytest.mark.parametrize(("kind", "inputs", "said"), [
    ("fingerprint", (), "no features 'fingerprint'"),
    ("composition", ("sauce",), "no column sauce"),
    ("composition", ("lattice_vectors_angstrom",), "only text, flags and numbers"),
])
def test_impossible_features_are_refused(kind, inputs, said):
    with pytest.raises(InputError, match=said):
        FeatureSpace.of(rows(), kind, inputs)


@pytest.mark.parametrize(("changes", "said"), [
    ({"spacegroup_number": pa.array([1, None, 3], pa.int32())}, "1 of 3 rows have no spacegroup_number"),
    ({"lattice_vectors_angstrom": pa.array([CUBE, CUBE, [[1.0, 0, 0]] * 3], pa.list_(pa.list_(pa.float64())))},
     "1 of 3 cells have no volume"),
    ({"lattice_vectors_angstrom": pa.array([CUBE, CUBE[:2], CUBE], pa.list_(pa.list_(pa.float64())))},
     "three lattice vectors"),
    ({"spacegroup_number": pa.array([1, 231, 3], pa.int32())}, "from 1 to 230"),
    ({"n_sites": pa.array([1, 0, 3], pa.int32())}, "no atoms"),
])
def test_cells_that_are_none_are_refused(changes, said):
    with pytest.raises(InputError, match=said):
        FeatureSpace("composition+cell").values(rows(**changes))


def test_a_cell_that_is_not_given_is_refused():
    with pytest.raises(InputError, match="no spacegroup_number"):
        FeatureSpace("composition+cell").values(rows().drop_columns(["spacegroup_number"]))


@pytest.mark.parametrize("plain", [{}, {"kind": "x", "inputs": []}, {"kind": "composition", "inputs": [{"name": "a"}]},
                                   {"kind": "composition", "inputs": 3}])
def test_damaged_descriptions_are_refused(plain):
    with pytest.raises(InputError):
        FeatureSpace.from_json(plain)
