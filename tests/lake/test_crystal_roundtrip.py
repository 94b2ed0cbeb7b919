"""A pymatgen structure or ASE atoms → row → the same again, whatever read the row."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixBondLengths, FixCartesian
from ase.spacegroup import crystal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from known_crystals import real_structures
from pymatgen.core import DummySpecies, Element, Lattice, Species, Structure
from pymatgen.electronic_structure.core import Magmom

from lake.crystal import atoms_from_row, row_from_atoms, row_from_structure, structure_from_row
from lake.crystal.extras import dumps, loads
from lake.errors import StructureError
from lake.tables import CALCULATIONS
from tests.conftest import examples

bounded = settings(derandomize=True, max_examples=examples(60), deadline=None,
                   suppress_health_check=[HealthCheck.too_slow])
SCHEMA = pa.schema([CALCULATIONS.schema.field(name) for name in (
    "lattice_vectors_angstrom", "fractional_positions", "species_at_sites", "structure_extras_json")])
LATTICE = Lattice.from_parameters(3.1, 4.2, 5.3, 80, 95, 107)

numbers = st.floats(-4, 4, allow_nan=False)
species = st.one_of(
    st.sampled_from(["Si", "O", "D", "T", "Og", "Fe2+", "O2-", "Fe0+"]),
    st.builds(Species, st.sampled_from(["Fe", "D"]), st.sampled_from([None, 2, 2.5]),
              spin=st.sampled_from([None, 5, -1])),
    st.just({"Na": 0.5, "K": 0.25}), st.just({"Fe3+": 1 / 3, "Fe2+": 2 / 3}), st.just({"Li": 0.9}),
)
json_like = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), numbers, st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
oddities = st.sampled_from([
    (1, 2), 1 + 2j, b"\x00\xff", {1, 2}, frozenset({"a"}), {1: "x", (0, 1): None}, {"@": "array"},
    np.float32(0.1), np.int16(3), np.bool_(True), np.str_("text"), float("inf"), 10**40, -0.0, Element("D"),
    Species("Fe", 2, spin=4), Magmom([0.0, 1.0, 2.0]), Magmom(2.0),
])
arrays = st.sampled_from([
    np.arange(6).reshape(2, 3), np.array(1.5), np.zeros((0, 3)), np.array([[np.nan, np.inf]]),
    np.array(["a", "bc"]), np.array([True, False]), np.array([1 + 2j]), np.array([1.5], dtype=">f4"),
    np.array([None, [1, 2], "x"], dtype=object), np.array([2**63], dtype=np.uint64), np.array([b"\x01x"]),
])
values = st.one_of(json_like, oddities, arrays)


def same(left: object, right: object) -> bool:
    """Equal in value and type, NaN equal to NaN."""
    if isinstance(left, np.ndarray):
        return (isinstance(right, np.ndarray) and left.dtype == right.dtype and left.shape == right.shape
                and all(same(a, b) for a, b in zip(left.ravel().tolist(), right.ravel().tolist(), strict=True)))
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, float):
        return np.float64(left).tobytes() == np.float64(right).tobytes()
    return bool(left == right)


def assert_same_structure(left: Structure, right: Structure) -> None:
    assert left.lattice.matrix.tobytes() == right.lattice.matrix.tobytes()
    assert left.lattice.pbc == right.lattice.pbc
    assert left.frac_coords.tobytes() == right.frac_coords.tobytes()
    assert [s.species for s in left] == [s.species for s in right]
    assert [s.species_string for s in left] == [s.species_string for s in right]
    assert [[getattr(k, "element", k).name for k in s.species] for s in left] == [
        [getattr(k, "element", k).name for k in s.species] for s in right]
    assert left.labels == right.labels
    assert left._charge == right._charge
    assert all(same(a.properties, b.properties) for a, b in zip(left, right, strict=True))
    assert same(left.properties, right.properties)


@st.composite
def structures(draw: st.DrawFn) -> Structure:
    n_sites = draw(st.integers(1, 5))
    each = lambda strategy: draw(st.lists(strategy, min_size=n_sites, max_size=n_sites))  # noqa: E731
    structure = Structure(
        Lattice(LATTICE.matrix * draw(st.floats(0.5, 3)), pbc=draw(st.tuples(*[st.booleans()] * 3))),
        each(species),
        np.array(each(st.tuples(numbers, numbers, numbers))),
        charge=draw(st.none() | st.integers(-3, 3) | numbers),
        labels=each(st.none() | st.sampled_from(["A1", "B"])),
        site_properties={name: each(values) for name in draw(st.sets(st.sampled_from(["magmom", "x"])))},
        properties=draw(st.dictionaries(st.text(max_size=4), values, max_size=3)),
    )
    if draw(st.booleans()):
        structure[0].properties["only here"] = draw(values)
    return structure


@bounded
@given(structures())
def test_any_structure_comes_back(structure: Structure) -> None:
    row = row_from_structure(structure)
    table = pa.Table.from_pylist([row], SCHEMA)
    again = structure_from_row(table.to_pylist()[0])
    assert_same_structure(again, structure)
    assert row_from_structure(again) == row


def test_real_structures_come_back() -> None:
    for structure in real_structures():
        row = row_from_structure(structure)
        again = structure_from_row(row)
        assert again == structure
        assert_same_structure(again, structure)


def test_a_plain_structure_has_no_extras() -> None:
    row = row_from_structure(Structure(LATTICE, ["Si", "O"], [[0, 0, 0], [0.1, 0.2, 0.3]]))
    assert row["structure_extras_json"] is None
    assert row["species_at_sites"] == ["Si", "O"]


def test_the_element_of_a_mixed_site_is_its_most_frequent_one() -> None:
    row = row_from_structure(Structure(LATTICE, [{"K": 0.25, "Na": 0.5}, "D"], [[0, 0, 0], [0.5, 0.5, 0.5]]))
    assert row["species_at_sites"] == ["Na", "H"]


def test_every_reader_of_the_table_gives_the_same_structure() -> None:
    structure = Structure(
        LATTICE, ["Fe3+", "O2-"], [[0, 0, 0], [0.5, 0.5, 1 / 3]], charge=1, site_properties={"magmom": [4.9, 0.0]}
    )
    rows = [row_from_structure(structure), row_from_structure(real_structures()[0])]
    table = pa.Table.from_pylist([{"calculation_id": f"test/{i}", **row} for i, row in enumerate(rows)],
                                 pa.schema([pa.field("calculation_id", pa.string()), *SCHEMA]))
    stored = table  # noqa: F841 - DuckDB reads it by name
    import duckdb

    fetched = duckdb.sql("select * from stored")
    named = [dict(zip(fetched.columns, values, strict=True)) for values in fetched.fetchall()]
    frame = pl.from_arrow(table)
    readings = [
        table.to_pylist(), frame.to_dicts(), named,
        [row for _, row in table.to_pandas().iterrows()],
        [row for _, row in duckdb.sql("select * from stored").df().iterrows()],
        table.to_pandas().to_dict("records"),
        [row for _, row in frame.to_pandas().iterrows()],
        [{name: table[name][i] for name in table.column_names} for i in range(2)],
    ]
    for rows in readings:
        assert_same_structure(structure_from_row(rows[0]), structure)
        assert_same_structure(structure_from_row(rows[1]), real_structures()[0])
        assert atoms_from_row(rows[1]).get_chemical_symbols() == [s.specie.symbol for s in real_structures()[0]]


@st.composite
def atoms_objects(draw: st.DrawFn) -> Atoms:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_sites = draw(st.integers(1, 6))
    atoms = Atoms(
        numbers=rng.integers(1, 119, n_sites), positions=rng.normal(size=(n_sites, 3)) * 10,
        cell=rng.normal(size=(3, 3)) * 4 + np.eye(3) * 5, pbc=draw(st.tuples(*[st.booleans()] * 3)),
        celldisp=draw(st.sampled_from([None, [0.1, 0.0, 0.3]])),
    )
    if draw(st.booleans()):
        atoms.set_tags(rng.integers(0, 5, n_sites))
        atoms.set_momenta(rng.normal(size=(n_sites, 3)))
        atoms.set_initial_magnetic_moments(rng.normal(size=(n_sites, 3)))
    if draw(st.booleans()):
        atoms.set_initial_charges(rng.normal(size=n_sites))
        atoms.set_masses(rng.random(n_sites) + 1)
        atoms.set_array("own", rng.random((n_sites, 2, 2)).astype(np.float32))
        atoms.set_array("names", np.array([f"site {i}" for i in range(n_sites)]))
    if draw(st.booleans()):
        atoms.set_constraint([FixAtoms([0]), FixCartesian([0], [True, False, True])])
    atoms.info = draw(st.dictionaries(st.text(max_size=3), values, max_size=3))
    if draw(st.booleans()):
        atoms.calc = SinglePointCalculator(atoms, energy=-1.5, forces=rng.normal(size=(n_sites, 3)))
    return atoms


@bounded
@given(atoms_objects())
def test_any_atoms_come_back(atoms: Atoms) -> None:
    row = row_from_atoms(atoms)
    again = atoms_from_row(pa.Table.from_pylist([row], SCHEMA).to_pylist()[0])
    assert again == atoms
    assert same({k: again.arrays[k] for k in sorted(again.arrays)}, {k: atoms.arrays[k] for k in sorted(atoms.arrays)})
    assert again.cell.array.tobytes() == atoms.cell.array.tobytes()
    assert again.pbc.tolist() == atoms.pbc.tolist()
    assert same(again.info, atoms.info)
    assert again._celldisp.tolist() == atoms._celldisp.tolist()
    assert [repr(c) for c in again.constraints] == [repr(c) for c in atoms.constraints]
    assert (again.calc is None) == (atoms.calc is None)
    if atoms.calc:
        assert same(again.calc.results, atoms.calc.results)
        assert again.get_potential_energy() == -1.5


def test_atoms_of_a_space_group_come_back() -> None:
    atoms = crystal(["Na", "Cl"], [(0, 0, 0), (0.5, 0.5, 0.5)], spacegroup=225, cellpar=[5.64] * 3 + [90] * 3)
    again = atoms_from_row(row_from_atoms(atoms))
    assert again == atoms
    assert again.info["spacegroup"] == atoms.info["spacegroup"]


def test_from_pymatgen_to_ase_and_back_the_shared_parts_go_over() -> None:
    structure = Structure(LATTICE, ["Fe3+", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]], site_properties={"magmom": [4.9, 0.1]})
    atoms = atoms_from_row(row_from_structure(structure))
    assert atoms.get_initial_magnetic_moments().tolist() == [4.9, 0.1]
    assert atoms.get_scaled_positions() == pytest.approx(structure.frac_coords)
    assert structure_from_row(row_from_atoms(atoms)).site_properties["magmom"] == [4.9, 0.1]


REFUSED = {
    "dummy species": lambda: row_from_structure(Structure(LATTICE, [DummySpecies("X")], [[0, 0, 0]])),
    "object property": lambda: row_from_structure(
        Structure(LATTICE, ["Si"], [[0, 0, 0]], site_properties={"magmom": [object()]})),
    "no atoms": lambda: row_from_structure(Structure(LATTICE, [], [])),
    "not finite": lambda: row_from_structure(Structure(LATTICE, ["Si"], [[0, 0, float("nan")]])),
    "molecule": lambda: row_from_atoms(Atoms("H2O", positions=np.eye(3))),
    "ghost": lambda: row_from_atoms(Atoms("X", cell=np.eye(3) * 4)),
    "calculator": lambda: row_from_atoms(_calculated(EMT())),
    "info object": lambda: row_from_atoms(_described(object())),
    "datetimes": lambda: row_from_atoms(_described(np.array(["2020-01-01"], dtype="datetime64[D]"))),
    "itself": lambda: row_from_atoms(_described(_circular())),
    "broken extras": lambda: structure_from_row({**row_from_structure(real_structures()[0]),
                                                "structure_extras_json": "{"}),
    "unknown tag": lambda: structure_from_row({**row_from_structure(real_structures()[0]),
                                              "structure_extras_json": '{"charge":{"@":"os.system"}}'}),
    "wrong count": lambda: structure_from_row({**row_from_structure(real_structures()[0]),
                                              "structure_extras_json": '{"labels":["a"]}'}),
    "no structure": lambda: structure_from_row({**dict.fromkeys(SCHEMA.names), "calculation_id": "mp/mp-1"}),
    "no column": lambda: structure_from_row({"species_at_sites": ["Si"]}),
    "partly occupied": lambda: atoms_from_row(
        row_from_structure(Structure(LATTICE, [{"Na": 0.5}], [[0, 0, 0]]))),
}


def _calculated(calculator: object) -> Atoms:
    atoms = bulk("Cu")
    atoms.calc = calculator
    return atoms


def _described(value: object) -> Atoms:
    atoms = bulk("Cu")
    atoms.info["value"] = value
    return atoms


def _circular() -> list:
    inner: list = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_held_is_refused_clearly(case: str) -> None:
    with pytest.raises(StructureError) as refusal:
        REFUSED[case]()
    assert len(str(refusal.value)) > 20


def test_a_constraint_that_ase_reads_back_is_kept() -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.set_constraint(FixBondLengths([[0, 1]]))
    assert atoms_from_row(row_from_atoms(atoms)).constraints[0].pairs.tolist() == [[0, 1]]


@bounded
@given(values)
def test_any_value_comes_back_from_standard_json(value: object) -> None:
    text = dumps(value, "value")
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert same(loads(text), value)
