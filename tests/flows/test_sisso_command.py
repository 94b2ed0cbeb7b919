"""`matlake sisso` as its users meet it: rows of the lake and tables, formulas in SQL, models, interruptions."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from in_process import matlake

from lake.store.lake import Lake
from ml import scratch
from ml.registry.registry import load
from ml.sisso import run as module
from ml.sisso.crystals import columns_of
from tests.ml.training_lakes import fill, rows_of

SEARCH = ("--rung", "1", "--screened", "20", "--dimensions", "2", "--operators", "+ - * /")
TERMS = ("greatest_electronegativity", "mean_covalent_radius_angstrom")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 rock salts of two databases, whose energies are one formula with coefficients by database."""
    place = tmp_path_factory.mktemp("sisso")
    rows: list[dict[str, Any]] = []
    for source, intercept, slope in (("a", 1.0, -0.5), ("b", -2.0, 0.25)):
        found = rows_of(source)
        values = columns_of(pa.Table.from_pylist([{name: row[name] for name in (
            "lattice_vectors_angstrom", "species_at_sites")} for row in found]), TERMS)
        energies = intercept + slope * values[TERMS[0]] / values[TERMS[1]]
        for row, energy in zip(found, energies.tolist(), strict=True):
            rows.append(row | {"formation_energy_ev_per_atom": energy})
    fill(Lake.open(str(place / "lake")), rows).refresh()
    return place


def ran(folder: Path, *words: str) -> Any:
    return matlake("--root", "lake", *words, cwd=folder)


def rows_in(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_planted_formula_of_the_lake_is_found_saved_and_predicts(folder: Path) -> None:
    done = ran(folder, "sisso", "--where", "true", "--target", "formation_energy_ev_per_atom", "--task", "source",
               *SEARCH, "--name", "planted", "--format", "csv")
    assert done.returncode == 0, done.stderr
    first = rows_in(done.stdout)
    assert {row["task"] for row in first} == {"a", "b"}
    assert all(float(row["rmse"]) < 1e-9 for row in first)
    assert first[0]["terms"].count("greatest_electronegativity") == 1
    lake = Lake.open(str(folder / "lake"))
    model = load(lake, "planted")
    rows = lake.read("calculations").sort_by("calculation_id")
    predicted = model.predict(rows).mean
    np.testing.assert_allclose(predicted, rows["formation_energy_ev_per_atom"].to_numpy(), atol=1e-9)
    with lake.connect() as connection:
        for task in ("a", "b"):
            sql = next(row["sql"] for row in first if row["task"] == task)
            said = connection.execute(f"select {sql} from calculations where source = '{task}' "
                                      "order by calculation_id").fetchall()
            of_task = np.array(rows["source"].to_pylist()) == task
            np.testing.assert_allclose([one[0] for one in said], predicted[of_task], atol=1e-9)
        (kind, dimension), = connection.execute(
            "select kind, (select max(dimension) from formulas where model_id = 'planted.1') from models").fetchall()
    assert (kind, dimension) == ("sisso", 1)
    asked = ran(folder, "predict", "planted", "--where", "source = 'a'", "--format", "csv")
    assert asked.returncode == 0, asked.stderr
    assert len(rows_in(asked.stdout)) == 80
    again = ran(folder, "sisso", "--where", "true", "--target", "formation_energy_ev_per_atom", "--task", "source",
                *SEARCH, "--name", "planted")
    assert "nothing was done" in again.stderr
    assert lake.read("formulas").num_rows == len(first)
    card = ran(folder, "models", "planted")
    assert "sisso" in card.stdout


def test_formulas_of_a_table_are_kept_and_shown(folder: Path) -> None:
    random = np.random.default_rng(0)
    a, b = random.uniform(1, 2, (2, 40))
    lines = ["a_ev,b_ev,kind,y_ev", *(f"{x},{y},{'odd' if x > y else 'even'},{3 * x - 2 * y}" for x, y in zip(
        a, b, strict=True))]
    (folder / "own.csv").write_text("\n".join(lines), encoding="utf-8")
    done = ran(folder, "sisso", "own.csv", "--target", "y_ev", *SEARCH, "--folds", "3", "--format", "csv")
    assert done.returncode == 0, done.stderr
    found = rows_in(done.stdout)
    assert float(found[-1]["rmse"]) < 1e-9
    assert float(found[-1]["cv_rmse"]) < 1e-9
    assert found[-1]["model_id"] == ""
    shown = ran(folder, "sql", "formulas", "--param", "run=own-y_ev-sisso", "--format", "json")
    assert json.loads(shown.stdout)[0]["unit"] == "eV"
    classes = ran(folder, "sisso", "own.csv", "--target", "kind", "--exclude", "y_ev", *SEARCH, "--dimensions", "1",
                  "--format", "csv")
    assert classes.returncode == 0, classes.stderr
    assert float(rows_in(classes.stdout)[0]["accuracy"]) == 1.0
    assert rows_in(classes.stdout)[0]["n_overlap"] == "0"


def test_a_killed_search_leaves_nothing_half_done_and_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("sisso", "--source", "a", "--target", "formation_energy_ev_per_atom", *SEARCH, "--name", "killed")
    monkeypatch.setattr(module, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert ran(folder, *words).returncode != 0
    lake = Lake.open(str(folder / "lake"))
    assert len(list((folder / "lake" / scratch.FOLDER).glob("*/dimension-*.json"))) > 0
    assert "killed" not in lake.read("formulas")["name"].to_pylist()
    monkeypatch.undo()
    done = ran(folder, *words)
    assert done.returncode == 0, done.stderr
    assert not list((folder / "lake" / scratch.FOLDER).glob("*/dimension-*.json"))
    # Killed between saving the model and the formulas: the model that was saved is theirs, and no second one is made.
    assert [row["model_id"] for row in lake.read("models", ["model_id", "name"], "name = 'killed'").to_pylist()] == [
        "killed.1"]
    assert "killed.1" in lake.read("formulas", ["model_id"])["model_id"].to_pylist()


@pytest.mark.parametrize(("words", "message"), [
    (("sisso", "--target", "band_gap_ev"), "Formulas for which rows?"),
    (("sisso", "own.csv"), "Give --target"),
    (("sisso", "none.csv", "--target", "y"), "No such file"),
    (("sisso", "--source", "a", "--target", "band_gap_ev", "--features", "colour"), "no feature 'colour'"),
    (("sisso", "--source", "a", "--target", "band_gap_ev", "--task", "n_sites"), "cannot tell tasks apart"),
    (("sisso", "--source", "a", "--target", "band_gap_ev", "--unit", "a=eV"), "--unit belongs to a table"),
    (("sisso", "--source", "a", "--target", "band_gap_ev", "--operators", "rm"), "no operator 'rm'"),
    (("sisso", "--source", "a", "--target", "band_gap_ev", "--dimensions", "9"), "9 dimensions"),
    (("sisso", "--source", "a", "--target", "band_gap_ev", "--screened", "9000"), "combinations of 3"),
])
def test_what_cannot_be_asked_is_refused(folder: Path, words: tuple[str, ...], message: str) -> None:
    done = ran(folder, *words)
    assert done.returncode == 1
    assert message in done.stderr
