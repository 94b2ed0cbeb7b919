"""What lies outside what a model has seen: told with the reason, and seldom of what is like it."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from training_lakes import ANIONS, CATIONS, rock_salt

from lake.crystal.formula import count_species, formula, reduced
from lake.errors import InputError
from ml.predict.domain import Domain, without
from ml.predict.formats import crystals_in
from ml.predict.geometry import geometry
from ml.predict.learn_domain import learn_domain
from ml.predict.levels import Levels, parsed, with_level
from ml.predict.nearest import nearest, spread_out
from ml.tabular.composition import composition_features

REPO = Path(__file__).parents[2]
SETTINGS = ("source", "plus_u", "cutoff_ev")


class ByComposition:
    """Stands for a network: what it makes of a crystal are its composition features."""

    def members(self, rows: pa.Table) -> Any:
        raise NotImplementedError

    both = members

    def latents(self, rows: pa.Table) -> Any:
        return composition_features(rows["formula_reduced"])


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([row | {"material_key": row["reduced_key"]} for row in rows])


def salts(lengths: tuple[float, ...] = (4.0, 4.4), **more: Any) -> list[dict[str, Any]]:
    pairs = itertools.product(CATIONS, ANIONS, lengths)
    return [rock_salt("left", cation, anion, length, **more) for cation, anion, length in pairs]


def learned(train: list[dict[str, Any]], validation: list[dict[str, Any]], inputs: tuple[str, ...] = ()) -> Domain:
    """A domain, as it is after it went through a file."""
    made = learn_domain(table(train), table(validation), ByComposition(), inputs, sees_crystals=True)
    plain = json.loads(json.dumps(made.plain(), allow_nan=False))
    read = Domain.of({"domain": plain}, made.arrays() | {"weights": np.zeros(3)}, "here")
    assert read is not None
    return read


@pytest.fixture(scope="module")
def crystals() -> pa.Table:
    """Two thousand crystals of the Materials Project."""
    found = []
    for page in sorted((REPO / "samples/mp/summary").glob("*.json.gz"))[:2]:
        for document in json.loads(gzip.decompress(page.read_bytes()))["data"]:
            (crystal,), _ = crystals_in(Path("x"), "json", json.dumps(document["structure"]))
            name = formula(reduced(count_species(crystal["species_at_sites"])))
            found.append(crystal | {"formula_reduced": name, "material_key": name})
    return pa.Table.from_pylist(found)


def test_a_chemistry_that_was_left_out_is_flagged_and_the_like_of_training_is_not(crystals: pa.Table) -> None:
    """Elements are all known; what is new is which of them are together."""
    elements = [set(species) for species in crystals["species_at_sites"].to_pylist()]
    left_out = np.array([len(e) >= 3 and bool(e & {"F", "Cl", "S", "Se"}) and "O" not in e for e in elements])
    chance = np.random.default_rng(0).permutation(crystals.num_rows) % 5
    part = {name: crystals.filter(pa.array(~left_out & chosen)) for name, chosen in (
        ("train", chance < 3), ("validation", chance == 3), ("test", chance == 4))}
    domain = learn_domain(part["train"], part["validation"], ByComposition(), (), sees_crystals=True)
    known = set(domain.materials)

    def share(rows: pa.Table) -> tuple[float, int]:
        rows = rows.filter(pa.array([set(species) <= known for species in rows["species_at_sites"].to_pylist()]))
        reasons = domain.reasons(rows, composition_features(rows["formula_reduced"]))
        return float(np.mean([reason is not None for reason in reasons])), rows.num_rows

    held, n_held = share(crystals.filter(pa.array(left_out)))
    seen, n_seen = share(part["test"])
    assert min(n_held, n_seen) > 150
    assert seen <= 0.05
    assert held > 5 * seen
    assert held > 0.15


def test_no_training_row_joins_new_elements_or_leaves_the_ranges() -> None:
    rows = salts()
    domain = learned(rows, rows[::4])
    reasons = domain.reasons(table(rows), ByComposition().latents(table(rows)))
    assert reasons == [None] * len(rows)


def test_reasons_name_what_is_strange_with_numbers() -> None:
    train = [row for row in salts() if row["elements"] != ["Li", "O"]]
    rare = rock_salt("left", "Na", "Cl") | {"species_at_sites": ["Ag", "Cl"], "reduced_key": "AgCl_225"}
    domain = learned([*train, rare], train[::3])
    asked = [
        rock_salt("left", "Li", "O"), rock_salt("left", "Na", "Cl", 2.6), rock_salt("left", "Na", "Cl", 9.0),
        rock_salt("left", "Na", "Cl", cells=9), rare, rock_salt("left", "Na", "Cl", 4.1),
    ]
    new, squeezed, torn, large, few, usual = domain.reasons(table(asked), None)
    assert new == "joins elements that are together in no training material: Li–O"
    assert "of the sum of two covalent radii between its closest neighbours, and those learned from have" in squeezed
    assert "times the volume of its atoms" in torn
    assert large == "has 18 atoms in its cell, and those learned from have 2 to 2"
    assert few.startswith("holds elements of fewer than ")
    assert "Ag (1)" in few
    assert usual is None


def test_far_from_all_training_materials_is_outside() -> None:
    rows = salts()
    domain = learned(rows, rows[::4])
    positions = ByComposition().latents(table(rows[:2]))
    positions[1] += 100 * np.abs(positions[1]).max()
    near, far = domain.reasons(table(rows[:2]), positions)
    assert near is None
    assert "is unlike what was learned from" in far
    assert "from the nearest training material" in far


def test_thresholds_let_few_validation_materials_out() -> None:
    """Here every material is the only one with its two elements, so that new pairs cannot count."""
    rows = salts((4.2,))
    board = [(CATIONS.index(c) + ANIONS.index(a)) % 2 for c, a in itertools.product(CATIONS, ANIONS)]
    train, held = ([row for row, one in zip(rows, board, strict=True) if one == k] for k in (0, 1))
    domain = learned(train, held)
    assert domain.most_new_pairs == 1
    reasons = domain.reasons(table(held), ByComposition().latents(table(held)))
    assert reasons == [None] * len(held)


def test_small_or_empty_validation_gives_no_space_and_no_error() -> None:
    rows = salts((4.2,))
    assert learned(rows, rows[:9]).space is None
    empty = learn_domain(table(rows), table(rows).slice(0, 0), ByComposition(), (), sees_crystals=True)
    assert empty.space is None
    assert empty.reasons(table(rows).slice(0, 0), None) == []


def test_landmarks_are_few_and_leave_nothing_far(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).normal(size=(500, 3))
    chosen = spread_out(points, 60)
    assert len(set(chosen.tolist())) == 60
    furthest = nearest(points, points[chosen]).max()
    by_chance = [nearest(points, points[np.random.default_rng(k).permutation(500)[:60]]).max() for k in range(20)]
    assert furthest < min(by_chance)
    assert len(spread_out(np.ones((9, 2)), 5)) == 1
    assert len(spread_out(np.ones((0, 2)), 5)) == 0
    monkeypatch.setattr("ml.predict.nearest.AT_ONCE", 100)
    expected = np.linalg.norm(points[:, None] - points[chosen], axis=2).min(axis=1)
    np.testing.assert_allclose(nearest(points, points[chosen]), expected, atol=1e-12)


def test_geometry_is_that_of_a_plain_sum() -> None:
    found = geometry(table([rock_salt("left", "Na", "Cl", 5.6), rock_salt("left", "Na", "Cl", 5.6, cells=3)]))
    np.testing.assert_allclose(found["tightness"], 2.8 / (1.66 + 1.02), rtol=1e-6)
    np.testing.assert_allclose(found["packing"], 5.6**3 / 4 / (4 / 3 * np.pi * (1.66**3 + 1.02**3)), rtol=1e-9)
    assert found["n_sites"].tolist() == [2, 6]


@pytest.fixture(scope="module")
def levels() -> Levels:
    """Twice as many rows of one database as of the other."""
    rows = [{"source": s, "plus_u": u, "cutoff_ev": c} for s, u, c in [
        ("mp", False, 520.0), ("mp", False, 520.0), ("mp", True, 520.0), ("aflow", False, 600.0), ("aflow", None, None),
    ]]
    made = Levels.of(pa.Table.from_pylist(rows), SETTINGS)
    return Levels.from_plain(json.loads(json.dumps(made.plain())))


def test_the_usual_level_is_the_most_frequent_one(levels: Levels) -> None:
    assert levels.chosen({}) == {"source": "mp", "plus_u": False, "cutoff_ev": 520.0}
    assert levels.chosen({"source": "aflow"})["cutoff_ev"] in (600.0, None)
    assert levels.chosen({"source": "oqmd"}) == {"source": "oqmd", "plus_u": False, "cutoff_ev": 520.0}
    assert levels.chosen({"cutoff_ev": 400.0}) == {"source": "mp", "plus_u": False, "cutoff_ev": 400.0}


def test_settings_that_were_not_learned_from_are_outside(levels: Levels) -> None:
    rows = pa.table({"source": ["mp", "oqmd", "mp", None], "cutoff_ev": [520.0, 520.0, 900.0, None]})
    found = levels.unseen(rows)
    assert found[0] is None
    assert found[1] == "source oqmd was not learned from (aflow, mp)"
    assert found[2] == "cutoff_ev 900 was not learned from (between 520 and 600)"
    assert found[3] is None


def test_settings_are_read_as_people_write_them(levels: Levels) -> None:
    assert parsed(SETTINGS, "source", "MP", levels) == {"source": "mp"}
    assert parsed(SETTINGS, "plus_u", "true", levels) == {"plus_u": True}
    assert parsed(SETTINGS, "cutoff_ev", "450", levels) == {"cutoff_ev": 450.0}
    assert parsed(SETTINGS, "cutoff_ev", "unknown", levels) == {"cutoff_ev": None}
    two = Levels((), {"gap_functional": ("pbe",), "xc_functional": ("PBE",)}, {}, ())
    assert parsed(tuple(two.seen), "functional", "PBE", two) == {"gap_functional": "pbe", "xc_functional": "PBE"}
    for name, text, message in (("cutoff_ev", "high", "no number"), ("cutoff_ev", "nan", "no number"),
                                ("plus_u", "perhaps", "true, false or unknown"), ("code", "VASP", "it takes source")):
        with pytest.raises(InputError, match=message):
            parsed(SETTINGS, name, text, levels)
    rows = with_level(pa.table({"source": ["a", "b"]}), {"source": "mp", "cutoff_ev": 500.0, "plus_u": None})
    assert rows.to_pylist() == [{"source": "mp", "cutoff_ev": 500.0, "plus_u": None}] * 2


def test_a_domain_from_elsewhere_is_checked() -> None:
    rows = salts((4.2,))
    made = learn_domain(table(rows), table(rows), ByComposition(), (), sees_crystals=True)
    assert Domain.of({}, {}, "here") is None
    assert without(made.arrays() | {"a": np.zeros(1)}).keys() == {"a"}
    for change in (
        {"schema": 2}, {"materials": []}, {"materials": {"Xx": 1}}, {"pairs": ["Na"]}, {"pairs": ["Na-Xx"]},
        {"ranges": {"mass": [0, 1]}}, {"ranges": {"packing": [1]}}, {"space": {"farthest": "far"}},
        {"levels": None}, {"fewest": "few"}, {"space": {"farthest": float("inf"), "share": 1}},
    ):
        with pytest.raises(InputError, match="here"):
            Domain.of({"domain": made.plain() | change}, made.arrays(), "here")
    for name, array in (("domain.scale", np.zeros(3)), ("domain.landmarks", np.zeros((0, 3))),
                        ("domain.landmarks", np.zeros(4)), ("domain.centre", np.zeros((2, 2)))):
        with pytest.raises(InputError, match="here"):
            Domain.of({"domain": made.plain()}, made.arrays() | {name: array}, "here")
    with pytest.raises(InputError, match="here"):
        Domain.of({"domain": made.plain()}, {}, "here")
    with pytest.raises(InputError, match="here"):
        Domain.of({"domain": [1]}, made.arrays(), "here")
