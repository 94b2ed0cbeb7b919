"""Subsets from recipe to saved version: members, funnels, versions, and what happens when things go wrong."""

from __future__ import annotations

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from report_lakes import calculation, fill
from similar_lakes import fingerprint, put_fingerprints
from subset_lakes import OFFSETS_EV, a_series, ids_of, two_databases, visible

from analytics.subsets import curate as curate_module
from analytics.subsets import saved
from analytics.subsets.compare import difference, left_out, verify
from analytics.subsets.curate import curate, made
from analytics.subsets.pinned import present_versions
from analytics.subsets.recipe import Learn, Recipe
from lake.errors import InputError, QueryError, TableError
from lake.store.lake import Lake
from tests.conftest import LONG, quick_settings


def steps_of(subset: saved.Subset) -> dict[str, tuple[int, int]]:
    return {entry["step"]: (entry["rows"], entry["left_out"]) for entry in subset.funnel["steps"]}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two databases in a lake to which every test adds subsets of its own."""
    return two_databases(Lake.open(str(tmp_path_factory.mktemp("both") / "lake"), quick_settings()))


def test_a_recipe_becomes_a_version_and_stays_one(any_lake: Lake) -> None:
    two_databases(any_lake)
    recipe = Recipe("pbe", functional="pbe", unknown_functional="drop", complete=("formation_energy_ev_per_atom",))
    first = curate(any_lake, recipe)
    assert (first.version, first.is_new, first.n_members) == (1, True, 43)
    again = curate(any_lake, recipe)
    assert (again.version, again.is_new, again.members_sha256) == (1, False, first.members_sha256)
    assert visible(any_lake) == [("pbe", 1, 43)]
    assert verify(any_lake, "pbe").holds
    if not (any_lake.root.is_local or LONG):
        return
    other = curate(any_lake, recipe.but({"sources": ["left"]}))
    assert (other.version, other.n_members, other.counts_by_source) == (2, 22, {"left": 22})
    assert visible(any_lake) == [("pbe", 2, 22)]
    assert verify(any_lake, "pbe", 1).holds


def test_the_funnel_adds_up_and_says_why(lake: Lake) -> None:
    two_databases(lake)
    subset = curate(lake, Recipe(
        "x", functional="pbe", unknown_functional="drop", complete=("formation_energy_ev_per_atom",),
        hubbard_u="none", where=("n_sites = 2",), sources=("left",),
    ))
    assert steps_of(subset) == {
        "lake": (48, 0), "identified": (47, 1), "not_deprecated": (46, 1), "source": (25, 21), "functional": (23, 2),
        "hubbard_u": (22, 1), "has_formation_energy_ev_per_atom": (21, 1), "where_1": (21, 0),
    }
    for before, after in zip(subset.funnel["steps"], subset.funnel["steps"][1:], strict=False):
        assert after["rows_before"] == before["rows"] == after["rows"] + after["left_out"]
        assert sum(numbers["rows"] for numbers in after["by_source"].values()) == after["rows"]
        assert after["materials_before"] == before["materials"] >= after["materials"]
    rows = left_out(lake, "x").to_pylist()
    assert {row["calculation_id"]: row["reason"] for row in rows if row["source"] == "left"} == {
        "left/odd0": "of another functional than PBE, or of an unknown one",
        "left/odd1": "of another functional than PBE, or of an unknown one", "left/odd2": "withdrawn by its source",
        "left/odd3": "of no known material", "left/odd4": "without formation_energy_ev_per_atom",
        "left/odd5": "with +U",
    }
    assert subset.sentence == (
        "Calculations that are not withdrawn: of left; PBE; without +U if known; with formation_energy_ev_per_atom; "
        "with n_sites = 2."
    )
    with lake.connect() as connection:
        found = connection.execute(f"select count(*) from calculation_traits where {subset.predicate_sql}").fetchall()
    assert found == [(21,)]


@pytest.mark.parametrize(("options", "n"), [
    ({}, 46), ({"deprecated": True}, 47), ({"functional": "pbe"}, 45),
    ({"functional": "PBE", "unknown_functional": "drop"}, 44), ({"functional": "lda", "unknown_functional": "drop"}, 1),
    ({"hubbard_u": "none"}, 45), ({"key_kind": "cell_key"}, 46), ({"members": "one"}, 25),
    ({"members": "one", "per": "material-and-source"}, 46),
])
def test_options(both: Lake, options: dict[str, Any], n: int, request: pytest.FixtureRequest) -> None:
    name = f"x{request.node.callspec.indices['options']}"
    assert curate(both, Recipe(name).but(options)).n_members == n


def test_nothing_left_is_refused_with_the_step_that_took_it(lake: Lake) -> None:
    two_databases(lake)
    with pytest.raises(InputError, match=r"where_2 +0 rows.*\(2 n_sites > 3 is false or null\)"):
        curate(lake, Recipe("x", where=("source_id like 'odd%' and n_sites < 4", "n_sites > 3")))
    assert saved.saved(lake) == []
    assert lake.read("subset_members").num_rows == 0
    with pytest.raises(InputError, match="leaves no calculation"):
        curate(Lake.open(lake.root.uri + "-empty"), Recipe("x"))


def test_what_is_not_there_is_named(lake: Lake) -> None:
    two_databases(lake)
    for recipe, says in (
        (Recipe("x", complete=("band_gap",)), "band_gap_ev"), (Recipe("x", sources=("mp",)), "left, right"),
        (Recipe("x", correct="mp"), "left, right"),
    ):
        with pytest.raises(InputError, match=says):
            curate(lake, recipe)
    with pytest.raises(InputError, match="no subset 'x'"):
        saved.find(lake, "x")
    curate(lake, Recipe("x"))
    with pytest.raises(InputError, match="Versions: 1"):
        verify(lake, "x", 7)


def test_the_order_of_rows_and_files_is_nothing(lake: Lake, tmp_path: Any) -> None:
    a_series(two_databases(lake))
    other = Lake.open(str(tmp_path / "other"), lake.settings)
    for table in ("calculations", "fingerprints"):
        rows = lake.read(table)
        order = sorted(range(rows.num_rows), key=lambda n: hashlib.sha256(str(n).encode()).digest())
        for part in (order[0::3], order[1::3], order[2::3]):
            chosen = rows.take(pa.array(part))
            column = {"calculations": "source", "fingerprints": "grid_id"}[table]
            for value in sorted(set(chosen[column].to_pylist()), reverse=True):
                other.upsert(table, chosen.filter(pa.compute.field(column) == value))
    for recipe in (
        Recipe("a", members="one", grid="dos-reference", hubbard_u="same"), Recipe("b", learn=Learn()),
        Recipe("c", learn=Learn(reference="medoid", unknown_settings="keep")), Recipe("d", correct="right"),
    ):
        if recipe.correct:
            recipe = recipe.but({"sources": ["left", "right"]})
        one, two = curate(lake, recipe), curate(other, recipe)
        assert one.members_sha256 == two.members_sha256
        assert (one.sentence, one.predicate_sql, one.funnel) == (two.sentence, two.predicate_sql, two.funnel)


def test_later_rows_change_neither_old_members_nor_their_repetition(lake: Lake) -> None:
    two_databases(lake)
    recipe = Recipe("x", functional="pbe")
    before = curate(lake, recipe)
    fill(lake, "calculations", [
        calculation("left", "00", {"Al": 1, "Ga": 1}, formation_energy_ev_per_atom=-9.0, record_sha256=[("t", "new")]),
        calculation("left", "new", {"Al": 1, "Ga": 1}),
        calculation("left", "01", {"Al": 1, "In": 1}, formation_energy_functional="scan", record_sha256=[("t", "new")]),
    ])
    assert verify(lake, "x").holds
    after = curate(lake, recipe)
    assert (after.version, after.is_new) == (2, True)
    found = difference(lake, "x", 1, 2)
    assert found["added"] == ["left/new"]
    assert found["added_because"] == [{"source": "left", "step": "lake", "reason": "the lake did not hold it", "n": 1}]
    assert found["removed"] == ["left/01"]
    assert found["removed_because"][0] | {"n": 1} == {
        "source": "left", "step": "functional", "reason": "of another functional than PBE", "n": 1,
    }
    assert found["changed"] == ["left/00"]
    assert found["recipe"] == {}
    assert found["tables"]["calculations"] == [before.table_versions["calculations"],
                                               after.table_versions["calculations"]]
    assert verify(lake, "x", 1).holds


def test_a_table_that_was_not_there_stays_empty_for_its_version(lake: Lake) -> None:
    a_series(lake)
    prints = lake.read("fingerprints")
    other = Lake.open(lake.root.uri + "-bare", lake.settings)
    other.upsert("calculations", lake.read("calculations"))
    before = curate(other, Recipe("x", learn=Learn()))
    assert before.table_versions["fingerprints"] == -1
    assert "0 calculations can be compared" in before.sentence
    other.upsert("fingerprints", prints)
    assert verify(other, "x", 1).holds
    after = curate(other, Recipe("x", learn=Learn()))
    assert after.version == 2
    assert after.n_members < before.n_members


def test_two_at_once_get_two_versions(lake: Lake) -> None:
    two_databases(lake)
    recipes = [Recipe("x", where=(f"n_sites > 0 and {n} > 0",)) for n in range(1, 7)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda recipe: curate(lake, recipe), recipes))
    assert sorted(subset.version for subset in found) == list(range(1, 7))
    for subset in found:
        assert len(ids_of(lake, "x", subset.version)) == subset.n_members
        assert json.loads(saved.find(lake, "x", subset.version).recipe.json()) == json.loads(subset.recipe.json())


def test_the_same_at_once_is_one_version(lake: Lake) -> None:
    two_databases(lake)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: curate(lake, Recipe("x")), range(4)))
    assert len({subset.version for subset in found}) == 1
    assert sum(subset.is_new for subset in found) == 1
    assert len(saved.saved(lake, "x")) == 1
    assert visible(lake) == [("x", found[0].version, 46)]


def test_a_writer_that_dies_between_the_two_writes(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    two_databases(lake)
    curate(lake, Recipe("x", sources=("left",)))
    append = Lake.append

    def dying(lake: Lake, name: str, make: Any) -> int:
        if name == "subsets":
            raise KeyboardInterrupt
        return append(lake, name, make)

    monkeypatch.setattr(Lake, "append", dying)
    with pytest.raises(KeyboardInterrupt):
        curate(lake, Recipe("x"))
    monkeypatch.setattr(Lake, "append", append)
    assert visible(lake) == [("x", 1, 25)]
    assert [subset.version for subset in saved.saved(lake)] == [1]
    after = curate(lake, Recipe("x"))
    # The members of the dead writer keep their number, and nobody sees them.
    assert after.version == 3
    assert visible(lake) == [("x", 3, 46)]
    assert verify(lake, "x").holds


def test_tampered_members_are_found(lake: Lake) -> None:
    two_databases(lake)
    curate(lake, Recipe("x"))
    rows = lake.read("subset_members")
    lake.replace("subset_members", rows.slice(1), {"subset": "x"})
    verdict = verify(lake, "x")
    assert not verdict.stored
    assert verdict.repeated
    assert (verdict.missing, verdict.added) == (0, 1)


def test_pinned_tables_that_are_gone_are_named(lake: Lake) -> None:
    two_databases(lake)
    subset = curate(lake, Recipe("x"))
    with (
        pytest.raises(TableError, match="pinned"),
        made(lake, subset.recipe, {"calculations": 99}) as _,
    ):
        pass


def test_splits_go_by_the_reduced_key_and_never_change(lake: Lake) -> None:
    rows = []
    for n in range(1, 400):
        for source in ("left", "right"):
            cell = f"H{2 * n}O{2 * n + 2}"
            rows.append(calculation(source, f"{n}", {"H": n, "O": n + 1}, cell_key=f"{cell}_225"
                                    if source == "right" else f"H{n}O{n + 1}_225"))
    fill(lake, "calculations", rows)
    curate(lake, Recipe("all", key_kind="cell_key"))
    members = lake.read("subset_members").to_pylist()
    split = {row["calculation_id"]: row["split"] for row in members}
    assert all(split[f"left/{n}"] == split[f"right/{n}"] for n in range(1, 400))
    for row in members:
        n = int(row["calculation_id"].partition("/")[2])
        key = f"{'H' if n == 1 else f'H{n}'}O{n + 1}_225"
        place = int(hashlib.sha256(key.encode()).hexdigest()[:13], 16) / 16**13
        assert row["split"] == ("train" if place < 0.8 else "validation" if place < 0.9 else "test")
    shares = [sum(row["split"] == name for row in members) / len(members) for name in ("train", "validation", "test")]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.05)
    # Written down: a material must be in the same split after every change of this code.
    with lake.connect() as connection:
        found = connection.execute(
            "select material_split('Si_227', 0.8, 0.1), material_split('ClNa_225', 0.8, 0.1), "
            "material_split('BN_194', 0.8, 0.1), material_split('BN_194', 0.0, 0.0)"
        ).fetchall()[0]
    assert found == ("train", "validation", "train", "test")


def test_the_representative_is_the_most_converged_then_typical_then_lowest(lake: Lake) -> None:
    def row(name: str, **more: Any) -> dict[str, Any]:
        return calculation("x", name, {"B": 1, "N": 1}, basis_set="plane waves", code="vasp", **more)

    fill(lake, "calculations", [
        row("dense-but-small", cutoff_ev=200.0, k_point_density_angstrom=60.0),
        row("large-but-coarse", cutoff_ev=600.0, k_point_density_angstrom=5.0),
        row("good-a", cutoff_ev=500.0, k_point_density_angstrom=30.0, formation_energy_ev_per_atom=-1.0),
        row("good-b", cutoff_ev=500.0, k_point_density_angstrom=30.0, formation_energy_ev_per_atom=-1.2),
        row("good-c", cutoff_ev=500.0, k_point_density_angstrom=30.0, formation_energy_ev_per_atom=-1.2),
        row("unknown", formation_energy_ev_per_atom=-3.0),
    ])
    one = Recipe("x", members="one")
    curate(lake, one)
    assert ids_of(lake, "x", 1) == ["x/good-b"]
    put_fingerprints(lake, [
        fingerprint("x/good-a", [5, 5, 5]), fingerprint("x/good-b", [9, 0, 0]), fingerprint("x/good-c", [5, 4, 5]),
        fingerprint("x/unknown", [5, 5, 4]),
    ])
    curate(lake, one.but({"grid": "dos-reference"}))
    assert ids_of(lake, "x", 2) == ["x/good-a"]


def test_the_same_plus_u_within_a_material(lake: Lake) -> None:
    def row(source: str, name: str, u: Any) -> dict[str, Any]:
        return calculation(source, name, {"Fe": 1, "O": 1}, hubbard_u_ev=u)

    fill(lake, "calculations", [
        row("a", "1", [("Fe", 5.3), ("O", 0.0)]), row("b", "1", [("O", 0.0), ("Fe", 5.3000001)]),
        row("a", "2", []), row("a", "3", []), row("a", "4", [("Fe", 4.0)]), row("b", "2", None),
    ])
    curate(lake, Recipe("x", hubbard_u="same"))
    assert ids_of(lake, "x", 1) == ["a/1", "b/1", "b/2"]
    curate(lake, Recipe("x", hubbard_u="same", unknown_hubbard_u="drop"))
    assert ids_of(lake, "x", 2) == ["a/1", "b/1"]


def test_energies_are_brought_to_one_level(lake: Lake) -> None:
    two_databases(lake)
    subset = curate(lake, Recipe("x", correct="right", functional="pbe", unknown_functional="drop"))
    rows = {row["calculation_id"]: row for row in saved.stored_members(lake, "x", 1).to_pylist()}
    for number in range(21):
        left, right = rows[f"left/{number:02}"], rows[f"right/{number:02}"]
        assert left["formation_energy_ev_per_atom"] == pytest.approx(right["formation_energy_ev_per_atom"], abs=2e-6)
        assert right["formation_energy_correction_ev_per_atom"] is None
    assert rows["left/00"]["formation_energy_correction_ev_per_atom"] == pytest.approx(
        (OFFSETS_EV["Al"] + OFFSETS_EV["Ga"]) / 2, abs=2e-6
    )
    # Fe is in no common material; a row without an energy has nothing to be moved.
    assert "left/odd5" not in rows
    assert rows["left/odd4"]["formation_energy_ev_per_atom"] is None
    assert steps_of(subset)["correctable"] == (43, 1)
    offsets = {e["stage"]: e for e in subset.gain["between"] if e["quantity"] == "formation_energy_ev_per_atom"}
    assert abs(offsets["before"]["median"]) > 0.01
    assert offsets["after"]["median"] == pytest.approx(0, abs=2e-6)
    (fact,) = subset.funnel["correction"]["fits"]
    assert fact["mae_after_cross_validated_ev_per_atom"] < 1e-6 < fact["mae_before_ev_per_atom"]
    assert any("materials left out of the fit" in line for line in subset.gain["words"])


def test_a_composition_that_the_common_materials_do_not_determine_is_left_out(lake: Lake) -> None:
    # A and B are only ever seen one to one: what A2B would need is not known.
    rows = []
    for group in range(1, 8):
        for source, energy in (("left", -1.0), ("right", -1.1)):
            rows.append(calculation(source, f"{group}", {"Al": 1, "B": 1}, spacegroup_number=group,
                                    formation_energy_ev_per_atom=energy))
    rows.append(calculation("left", "other", {"Al": 2, "B": 1}))
    fill(lake, "calculations", rows)
    curate(lake, Recipe("x", correct="right"))
    members = {row["calculation_id"]: row for row in saved.stored_members(lake, "x", 1).to_pylist()}
    assert members["left/1"]["formation_energy_correction_ev_per_atom"] == pytest.approx(-0.1)
    assert "left/other" not in members


def test_too_few_common_materials_are_no_correction(lake: Lake) -> None:
    two_databases(lake)
    with pytest.raises(InputError, match=r"21 with left.*correct_at_least"):
        curate(lake, Recipe("x", correct="right", correct_at_least=7))


@pytest.mark.parametrize(("materials", "left_out_"), [(1, "combinations of settings"), (6, "materials")])
def test_a_rule_is_learned_and_tried(lake: Lake, materials: int, left_out_: str) -> None:
    a_series(lake, materials)
    subset = curate(lake, Recipe("x", learn=Learn()))
    learned = subset.funnel["learned"]
    assert learned["rule"] == "cutoff of at least 400 eV and k-point density of at least 20 Å"
    assert subset.n_members == 8 * materials
    assert all("-400-" in one or "-500-" in one for one in ids_of(lake, "x", 1))
    trial = learned["trial"]
    assert trial["left_out"] == left_out_
    assert trial["precision"] == trial["recall"] == 1.0
    assert trial["precision_interval"][0] < 1.0
    spread = {e["stage"]: e for e in subset.gain["within"] if e["quantity"] == "band_gap_ev"}
    assert spread["after"]["median_range"] < spread["before"]["median_range"]
    assert (spread["after"]["median_range_low"] is None) is (materials < 6)


def test_settings_that_nobody_states_may_be_kept(lake: Lake) -> None:
    a_series(lake)
    fill(lake, "calculations", [calculation("y", "bare", {"Al": 1}), calculation("y", "coarse", {"Al": 1},
                                                                               cutoff_ev=100.0)])
    curate(lake, Recipe("x", learn=Learn(unknown_settings="keep")))
    assert [one for one in ids_of(lake, "x", 1) if one.startswith("y/")] == ["y/bare"]


@pytest.mark.parametrize(("learn", "where", "says"), [
    (Learn(), "n_sites = 99 or k_point_density_angstrom > 29", r"7 calculations can be compared.*20 are needed"),
    (Learn(grid="dos-other"), "true", "0 calculations can be compared"),
    (Learn(similarity=0.0), "true", "all 31 calculations are at least 0 like .*nothing to leave out"),
    (Learn(similarity=1.0), "true", "only 0 of 31"),
    (Learn(smallest_group=9), "true", "only 7 of 31 .*9 are needed"),
])
def test_nothing_learned_is_said_with_the_reason(lake: Lake, learn: Learn, where: str, says: str) -> None:
    a_series(lake)
    subset = curate(lake, Recipe("x", learn=learn, where=(where,)))
    assert subset.funnel["learned"]["rule"] is None
    assert re.search(rf"Nothing learned because .*{says}", subset.sentence), subset.sentence
    assert steps_of(subset)["learned"][1] == 0


def test_settings_that_do_not_matter_teach_nothing(lake: Lake) -> None:
    rng = np.random.default_rng(3)
    rows, prints = [], []
    for n in range(60):
        rows.append(calculation("x", f"{n:02}", {"B": 1, "N": 1}, cutoff_ev=float(rng.choice([300, 400, 500])),
                                k_point_density_angstrom=float(rng.choice([10, 20, 30]))))
        counts = np.full(144, 20) if rng.random() < 0.5 else np.arange(144) % 40
        prints.append(fingerprint(f"x/{n:02}", counts))
    put_fingerprints(fill(lake, "calculations", rows), prints)
    subset = curate(lake, Recipe("x", learn=Learn()))
    assert subset.funnel["learned"]["rule"] is None
    assert subset.n_members == 60


def test_fingerprints_of_two_lengths_never_meet(lake: Lake) -> None:
    fill(lake, "calculations", [calculation("x", f"{n}", {"B": 1, "N": 1}) for n in range(2)])
    put_fingerprints(lake, [fingerprint("x/0", [1, 2]), fingerprint("x/1", [1, 2, 3])])
    with pytest.raises(TableError, match="different numbers of counts"):
        curate(lake, Recipe("x", learn=Learn()))


def test_only_comparable_fingerprints_teach(lake: Lake) -> None:
    fill(lake, "calculations", [calculation("x", f"{n}", {"B": 1, "N": 1}) for n in range(3)])
    put_fingerprints(lake, [
        fingerprint("x/0", [1, 2]), fingerprint("x/1", None), fingerprint("x/2", [1, 2], stop_interval=None),
    ])
    learned = curate(lake, Recipe("x", learn=Learn())).funnel["learned"]
    assert (learned["n_calculations"], learned["n_similar"], learned["references"]) == (1, 1, ["x/0"])


def test_a_rule_that_is_refused_leaves_no_trace(lake: Lake) -> None:
    two_databases(lake)
    with pytest.raises(QueryError):
        curate(lake, Recipe("x", where=("random() < 0.5",)))
    assert "subset_members" not in lake.versions()


def test_nothing_but_the_pinned_tables_is_read(lake: Lake) -> None:
    two_databases(lake)
    recipe = Recipe("x")
    versions = present_versions(lake, recipe)
    assert list(versions) == ["calculations"]
    assert curate_module.recipe_digest(recipe, versions) == curate(lake, recipe).recipe_sha256
    fill(lake, "rejects", [{
        "reject_id": "1", "source": "left", "reason": "bad_value", "message": "m",
        "fetched_at": lake.read("calculations", ["fetched_at"])["fetched_at"][0].as_py(), "fingerprint": "f",
    }])
    assert not curate(lake, recipe).is_new
