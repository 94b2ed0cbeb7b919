"""Keys name the material: not its setting, the order of its atoms, or how often its cell is repeated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from known_crystals import (
    TEXTBOOK,
    batch_of,
    columns_of,
    permuted,
    real_records,
    real_structures,
    rebased,
    repeated,
    rotated,
    shifted,
    textbook,
)
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.groups import SpaceGroup

from lake.crystal.columns import add_compositions, add_structure_columns
from lake.crystal.formula import SYMBOLS, formula, parse, reduced
from lake.crystal.symmetry import space_group
from lake.sources.batch import Batch

# Operations of space groups take seconds to make: one process makes them.
pytestmark = pytest.mark.xdist_group("crystal-keys")

bounded = settings(
    derandomize=True, max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
SAME_CELL = [rotated, permuted, shifted, rebased]
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("name", TEXTBOOK)
def test_textbook_crystals_get_their_names(name: str) -> None:
    structure, group, cell, ratio = textbook()[name]
    batch = columns_of([structure])
    assert batch.rejects == {}
    assert batch.column("cell_key") == [f"{cell}_{group}"]
    assert batch.column("reduced_key") == [f"{ratio}_{group}"]
    assert batch.column("volume_angstrom3_per_atom")[0] == pytest.approx(structure.volume / len(structure))
    assert batch.column("n_sites") == [len(structure)]
    assert batch.column("elements") == [sorted(e.symbol for e in structure.elements)]
    assert "moyopy" in batch.column("symmetry_tool")[0]


@bounded
@given(st.sampled_from(TEXTBOOK), st.lists(st.sampled_from(SAME_CELL), max_size=5), seeds)
def test_keys_do_not_depend_on_the_setting(name: str, changes: list, seed: int) -> None:
    rng = np.random.default_rng(seed)
    structure, group, cell, _ = textbook()[name]
    for change in changes:
        structure = change(structure, rng)
    assert columns_of([structure]).column("cell_key") == [f"{cell}_{group}"]


@bounded
@given(st.sampled_from(TEXTBOOK), st.lists(st.sampled_from([*SAME_CELL, repeated]), max_size=3), seeds)
def test_reduced_keys_survive_supercells(name: str, changes: list, seed: int) -> None:
    rng = np.random.default_rng(seed)
    structure, group, _, ratio = textbook()[name]
    structure = repeated(structure, rng)
    for change in changes:
        structure = change(structure, rng) if len(structure) < 150 else rotated(structure, rng)
    assert columns_of([structure]).column("reduced_key") == [f"{ratio}_{group}"]


@pytest.mark.parametrize("change", [*SAME_CELL, repeated], ids=lambda change: change.__name__)
def test_keys_of_real_records_do_not_depend_on_the_setting(change) -> None:
    rng = np.random.default_rng(7)
    kind = "reduced_key" if change is repeated else "cell_key"
    before = columns_of(real_structures()).column(kind)
    after = columns_of([change(s, rng) for s in real_structures()]).column(kind)
    assert None not in before
    assert after == before


@st.composite
def crystals(draw: st.DrawFn) -> tuple[Structure, int]:
    """A crystal made by a space group's operations: its symmetry contains that group."""
    number = draw(st.integers(1, 230))
    rng = np.random.default_rng(draw(seeds))
    system = SpaceGroup.from_int_number(number).crystal_system
    a, b, c = rng.uniform(7, 9), rng.uniform(10, 12), rng.uniform(13, 15)
    lattice = {
        "triclinic": lambda: Lattice.from_parameters(a, b, c, 81, 94, 107),
        "monoclinic": lambda: Lattice.monoclinic(a, b, c, 103),
        "orthorhombic": lambda: Lattice.orthorhombic(a, b, c),
        "tetragonal": lambda: Lattice.tetragonal(a, c),
        "trigonal": lambda: Lattice.hexagonal(a, c),
        "hexagonal": lambda: Lattice.hexagonal(a, c),
        "cubic": lambda: Lattice.cubic(c),
    }[system]()
    kinds = rng.choice(SYMBOLS[:83], 2, replace=False).tolist()
    return Structure.from_spacegroup(number, lattice, kinds, rng.random((2, 3))), number


@bounded
@given(crystals(), seeds)
def test_crystals_of_any_space_group_keep_their_keys(crystal: tuple[Structure, int], seed: int) -> None:
    structure, _ = crystal
    distances = structure.distance_matrix + np.eye(len(structure)) * 10
    if distances.min() < 0.5:
        return
    rng = np.random.default_rng(seed)
    variants = [structure, *(change(structure, rng) for change in SAME_CELL)]
    assert len(set(columns_of(variants).column("cell_key"))) == 1


def test_moyo_and_spglib_agree_on_real_records() -> None:
    import spglib

    ours = columns_of(real_structures()).column("spacegroup_number")
    theirs = [
        spglib.get_symmetry_dataset((s.lattice.matrix, s.frac_coords, s.atomic_numbers), symprec=0.1).number
        for s in real_structures()
    ]
    equal = sum(a == b for a, b in zip(ours, theirs, strict=True))
    assert equal >= 0.99 * len(ours)
    stated = [record["symmetry"]["number"] for record in real_records()]
    assert sum(a == b for a, b in zip(ours, stated, strict=True)) >= 0.99 * len(ours)


def test_near_the_tolerance_the_origin_does_not_matter() -> None:
    """Atoms off their ideal sites by about the tolerance, where a symmetry search is most fragile."""
    rng = np.random.default_rng(3)
    for scale in (0.01, 0.02, 0.03, 0.05):
        structure = textbook()["perovskite"][0].copy()
        structure.translate_sites(range(1, len(structure)), [scale, 0, 0], frac_coords=False)
        found = {space_group(s.lattice.matrix, s.frac_coords, s.atomic_numbers)
                 for s in [structure, *(shifted(structure, rng) for _ in range(20))]}
        assert len(found) == 1


def test_formulas_follow_the_optimade_rule() -> None:
    cases = [({"Li": 2, "O": 2}, "LiO"), ({"O": 2}, "O"), ({"F": 4, "Mg": 2}, "F2Mg"), ({"C": 2, "H": 6, "O": 1},
             "C2H6O"), ({"N": 3, "B": 3}, "BN"), ({"Al": 4, "O": 6}, "Al2O3")]
    for counts, expected in cases:
        assert formula(reduced(counts)) == expected
    batch = Batch([{}])
    add_compositions(batch, [{"Li": 2, "O": 2}])
    assert batch.column("formula_cell") == ["Li2O2"]
    assert batch.column("formula_reduced") == ["LiO"]


@bounded
@given(st.dictionaries(st.sampled_from(SYMBOLS), st.integers(1, 5000), min_size=1, max_size=6), st.integers(1, 50))
def test_formulas_are_ordered_reduced_and_readable(counts: dict[str, int], times: int) -> None:
    text = formula(counts)
    assert parse(text) == counts
    assert list(parse(text)) == sorted(counts)
    assert reduced({e: n * times for e, n in counts.items()}) == reduced(counts)
    assert np.gcd.reduce(list(reduced(counts).values())) == 1


def test_one_record_of_a_page_and_the_page_give_the_same_columns() -> None:
    together = columns_of(real_structures())
    for index, structure in enumerate(real_structures()):
        alone = columns_of([structure])
        assert {n: v[0] for n, v in alone.columns.items()} == {n: v[index] for n, v in together.columns.items()}


def test_coordinates_are_stored_as_given() -> None:
    batch = batch_of(real_structures())
    before = [list(batch.column(name)) for name in ("lattice_vectors_angstrom", "fractional_positions")]
    add_structure_columns(batch)
    after = [batch.column(name) for name in ("lattice_vectors_angstrom", "fractional_positions")]
    assert after == before
