"""`matlake curate` as its users meet it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import in_process
import pytest

REPO = Path(__file__).parents[2]
SAVED = REPO / "tests" / "data" / "servers" / "aflow" / "aflux"
pytestmark = pytest.mark.xdist_group("curate-command")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def matlake(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("curate")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return in_process.matlake("--root", str(folder / "lake"), *words, cwd=folder)

    assert run("ingest", "aflow", "--from", str(SAVED)).returncode == 0
    return run


@pytest.mark.slow
def test_from_a_recipe_to_what_changed(matlake: Run, tmp_path: Path) -> None:
    made = matlake("curate", "few", "--functional", "pbe", "--where", "n_sites <= 20", "--complete", "band_gap_ev")
    assert made.returncode == 0, made.stderr
    assert "few 1 is saved" in made.stderr
    for said in ("Calculations that are not withdrawn: PBE", "n_sites <= 20 is false or null", "What it bought",
                 "splits: "):
        assert said in made.stdout
    assert "few 1 is unchanged" in matlake("curate", "few").stderr
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('functional = "pbe"\nwhere = ["n_sites <= 6"]\n')
    other = matlake("curate", "few", "--recipe", str(recipe), "--complete", "band_gap_ev", "--format", "json")
    assert other.returncode == 0, other.stderr
    found = json.loads(other.stdout)
    assert (found["version"], found["is_new"]) == (2, True)
    assert found["recipe"]["where"] == ["n_sites <= 6"]
    assert found["funnel"]["steps"][-1]["rows"] == found["n_members"] > 0

    shown = json.loads(matlake("curate", "--show", "few", "2", "--format", "json").stdout)
    assert shown | {"is_new": True} == found
    first = json.loads(matlake("curate", "few", "--show", "1", "--format", "json").stdout)
    changed = json.loads(matlake("curate", "few", "--diff", "1", "2", "--format", "json").stdout)
    assert len(changed["removed"]) == first["n_members"] - found["n_members"] > 0
    assert changed["recipe"] == {"where": [["n_sites <= 20"], ["n_sites <= 6"]]}
    words = matlake("curate", "few", "--diff", "1", "2").stdout
    assert "in version 2 where_1: n_sites <= 6 is false or null" in words

    assert "as the recipe gives again" in matlake("curate", "few", "--verify", "1").stdout
    gone = matlake("curate", "few", "--left-out", "--format", "csv").stdout.splitlines()
    assert gone[0] == "calculation_id,source,material_key,step,reason"
    assert len(gone) - 1 == found["funnel"]["steps"][0]["rows"] - found["n_members"]
    listed = json.loads(matlake("curate", "--list", "--format", "json").stdout)
    assert [(row["subset"], row["version"]) for row in listed] == [("few", 1), ("few", 2)]
    asked = matlake("sql", "select count(*) as n from subset_members_current where subset = 'few'", "--format", "json")
    assert json.loads(asked.stdout) == [{"n": found["n_members"]}]


def test_a_dry_run_saves_nothing(matlake: Run) -> None:
    done = matlake("curate", "dry", "--functional", "pbe", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "dry (not saved)" in done.stdout
    assert "no subset 'dry'" in matlake("curate", "dry", "--show").stderr


@pytest.mark.parametrize(("words", "says"), [
    (["curate"], "Which subset?"), (["curate", "new"], "say what belongs into it"),
    (["curate", "x/y", "--functional", "pbe"], "no name for a subset"),
    (["curate", "x", "--where", "now() > fetched_at"], "the members could change"),
    (["curate", "x", "--where", "n_sites >"], "no condition that DuckDB understands"),
    (["curate", "x", "--where", "n_sites < 0"], "leaves no calculation"),
    (["curate", "x", "--hubbard-u", "maybe"], "any, none, same"),
    (["curate", "x", "--split", "a"], "three numbers"), (["curate", "x", "--similarity", "0.8"], "needs --learn"),
    (["curate", "x", "--show", "--diff", "1", "2"], "give one of them"),
    (["curate", "x", "--diff", "1"], "two versions"), (["curate", "x", "--show", "1", "2"], "one version at most"),
    (["curate", "x", "--show", "--functional", "pbe"], "takes no rules"), (["curate", "x", "3"], "A version is meant"),
    (["curate", "x", "--functional", "pbe", "--format", "csv"], "table or json"),
    (["curate", "x", "--recipe", "none.toml"], "cannot be read"),
])
def test_what_is_wrong_is_said_in_one_message(matlake: Run, words: list[str], says: str) -> None:
    done = matlake(*words)
    assert done.returncode == 1
    assert done.stdout == ""
    assert says in done.stderr
    assert "Traceback" not in done.stderr
