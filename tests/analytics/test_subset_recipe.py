"""Recipes as values: read, written, refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.subsets.recipe import NAME, Learn, Recipe, check_name, read_recipe
from lake.errors import InputError

RECIPES = st.builds(
    Recipe, name=st.from_regex(NAME, fullmatch=True), where=st.lists(st.text(max_size=20).map(str.strip)).map(tuple),
    functional=st.sampled_from([None, "pbe"]), hubbard_u=st.sampled_from(["any", "none", "same"]),
    complete=st.sampled_from([(), ("band_gap_ev",)]), deprecated=st.booleans(),
    learn=st.none() | st.builds(Learn, similarity=st.floats(0, 1), depth=st.integers(1, 3)),
    members=st.sampled_from(["all", "one"]), split=st.sampled_from([(0.8, 0.1, 0.1), (1.0, 0.0, 0.0)]),
)


@given(RECIPES)
def test_json_holds_all_of_it(recipe: Recipe) -> None:
    assert Recipe.of(json.loads(recipe.json())) == recipe


def test_files(tmp_path: Path) -> None:
    toml = tmp_path / "recipe.toml"
    toml.write_text(
        'functional = "pbe"\ncomplete = ["band_gap_ev"]\nsplit = [0.6, 0.2, 0.2]\n[learn]\nsimilarity = 0.8'
    )
    recipe = Recipe.of(read_recipe(toml) | {"name": "x"})
    assert recipe == Recipe("x", functional="pbe", complete=("band_gap_ev",), split=(0.6, 0.2, 0.2),
                            learn=Learn(similarity=0.8))
    written = tmp_path / "recipe.json"
    written.write_text(recipe.json())
    assert Recipe.of(read_recipe(written)) == recipe


def test_the_documented_recipe_is_one(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "subsets.md").read_text("utf-8")
    (tmp_path / "recipe.toml").write_text(text.partition("```toml\n")[2].partition("```")[0])
    recipe = Recipe.of(read_recipe(tmp_path / "recipe.toml") | {"name": "x"})
    assert (recipe.functional, recipe.members, recipe.learn) == ("pbe", "one", Learn(similarity=0.8))


@pytest.mark.parametrize("text", ["functional =", "[1, 2"])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    for name in ("recipe.toml", "recipe.json"):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=name.replace(".", r"\.")):
            read_recipe(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        read_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize("name", [
    "", "A", "pbe one", "../x", "a/b", "-a", "_a", "a.b", "ä", "a'b", "a\n", "x" * 65, "a;drop", "a%20", None, 3,
])
def test_odd_names_are_refused(name: Any) -> None:
    with pytest.raises(InputError, match="no name for a subset"):
        check_name(name)


@pytest.mark.parametrize(("given", "says"), [
    ({"functionl": "pbe"}, "Is functional meant"), ({"members": "two"}, "all, one"), ({"where": "a = 1"}, "where"),
    ({"where": [1]}, "where"), ({"deprecated": "no"}, "deprecated"), ({"split": [0.5, 0.1, 0.1]}, "add up to 1"),
    ({"split": [2, -1, 0]}, "add up to 1"), ({"learn": {"similarity": 2}}, "between 0 and 1"), ({"learn": 3}, "learn"),
    ({"learn": {"depth": 9}}, "between 1 and 3"), ({"learn": {"tau": 1}}, "no field learn.tau"),
    ({"correct_at_least": 0}, "between 1"), ({"correct_at_least": 1.5}, "no int"),
    ({"key_kind": "formula"}, "cell_key"),
    ({"learn": {"similarity": float("nan")}}, "similarity"), ({"functional": 3}, "functional"),
])
def test_wrong_fields_are_named(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Recipe.of({"name": "x"} | given)


def test_a_recipe_needs_a_name() -> None:
    with pytest.raises(InputError, match="name"):
        Recipe.of({"functional": "pbe"})
