"""The flow `curate` on a real Prefect server: versions, artifacts, failures, and the whole way from the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows import curate as parts
from lake.errors import InputError, QueryError, TableError
from lake.ingest.run import ingest
from lake.store.lake import Lake

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]
SAVED = Path(__file__).parents[1] / "data" / "servers" / "aflow" / "aflux"
RECIPE = {"functional": "pbe", "where": ["n_elements <= 3"]}


@pytest.fixture
def root(tmp_path: Path) -> str:
    lake = Lake.open(str(tmp_path / "lake"))
    ingest(lake, "aflow", saved=[str(SAVED)])
    return lake.root.uri


def artifact(key: str) -> tuple[list[dict[str, Any]], str]:
    """The rows and the description of the newest artifact of a key."""
    from prefect.artifacts import Artifact

    found = Artifact.get(key)
    assert found is not None
    assert found.type == "table"
    return json.loads(str(found.data)), str(found.description)


def test_a_recipe_is_saved_once_and_its_funnel_published(prefect_server: str, root: str) -> None:
    made = parts.curate("pbe_few", RECIPE, root)
    assert (made["version"], made["is_new"]) == (1, True)
    lake = Lake.open(root)
    assert lake.read("subset_members").num_rows == made["n_members"] > 0
    assert lake.catalogue_path.exists()
    rows, description = artifact("curate-pbe-few")
    assert rows[0]["step"] == "lake"
    assert rows[-1]["rows"] == made["n_members"]
    assert all(row["rows_before"] == row["rows"] + row["left_out"] for row in rows)
    assert "(saved)" in description
    again = parts.curate("pbe_few", root=root)
    assert (again["version"], again["is_new"]) == (1, False)
    assert "(unchanged)" in artifact("curate-pbe-few")[1]


def test_another_try_saves_what_the_first_could_not(
    prefect_server: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import analytics.subsets.curate as work

    curate, tries = work.curate, []

    def failing(lake: Lake, recipe: Any) -> Any:
        tries.append(recipe)
        if len(tries) == 1:
            raise TableError("too many writers")
        return curate(lake, recipe)

    monkeypatch.setattr(work, "curate", failing)
    monkeypatch.setattr(parts, "make", parts.make.with_options(retry_delay_seconds=0))
    assert parts.curate("pbe", RECIPE, root)["version"] == 1
    assert len(tries) == 2


@pytest.mark.parametrize(("name", "recipe", "error", "says"), [
    ("pbe", {"where": ["random() < 0.5"]}, QueryError, "random"),
    ("pbe", {"where": ["n_sites < 0"]}, InputError, "leaves no calculation"),
    ("new", None, InputError, "no subset 'new'"), ("Odd name", RECIPE, InputError, "no name for a subset"),
])
def test_a_wrong_recipe_fails_at_once(
    prefect_server: str, root: str, name: str, recipe: dict[str, Any] | None, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        parts.curate(name, recipe, root)
    assert "subsets" not in Lake.open(root).versions()
