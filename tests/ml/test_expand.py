"""`matlake expand`'s run: what was put in comes out, kills cost nothing, and what cannot be expanded is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from expansion_alloys import decorated, fcc, turned
from training_lakes import NOW, fill

from lake.crystal.formula import count_species, formula, reduced
from lake.errors import InputError
from lake.settings import load_settings
from lake.store.lake import Lake
from ml.data import Selection, dataset
from ml.expand.curves import TOGETHER
from ml.expand.run import expand
from ml.expand.settings import ExpandSettings
from ml.expansion.clusters import Clusters, correlations_of
from ml.expansion.placing import Placed, Structure, place
from ml.predict.predict import predict_rows
from ml.registry.registry import load

CELLS = ([[1, 0, 0], [0, 1, 0], [0, 0, 3]], [[2, 0, 0], [0, 2, 0], [0, 0, 1]], [[-1, 1, 1], [1, -1, 1], [1, 1, -1]],
         [[1, 0, 0], [0, 2, 0], [0, 0, 2]], [[2, 0, 0], [0, 1, 0], [0, 0, 3]], [[1, 1, 0], [0, 1, 1], [2, 0, 1]])
QUICK = ExpandSettings(degrees=(1, 2), small=3, large=6, most_features=8, n_folds=3)
TARGET = "formation_energy_ev_per_atom"


def row_of(structure: Structure, number: int, energy: float) -> dict[str, Any]:
    content = count_species(structure.species)
    name, cell = formula(reduced(content)), formula(content)
    return {
        "calculation_id": f"alloys/{number}", "source": "alloys", "source_id": str(number), "formula_reduced": name,
        "formula_cell": cell, "elements": sorted(content), "n_elements": len(content),
        "n_sites": len(structure.species), "spacegroup_number": 1 + number % 4, "cell_key": f"{cell}_{number}",
        "reduced_key": f"{name}_{number}", "lattice_vectors_angstrom": structure.lattice.tolist(),
        "fractional_positions": structure.positions.tolist(), "species_at_sites": list(structure.species),
        TARGET: energy, "formation_energy_reference": "ours", "formation_energy_functional": "pbe",
        "license": "CC-BY-4.0", "redistributable": True, "record_sha256": [("test", str(number))], "fetched_at": NOW,
    }


def alloys(n: int = 90, nonlinear: float = 0.0) -> list[dict[str, Any]]:
    """Decorated fcc cells, turned and strained; the energy is known in correlations."""
    rng = np.random.default_rng(7)
    parent = fcc()
    clusters = Clusters(parent, (3.0, 2.9))
    rows = []
    for number in range(n):
        one = decorated(parent, CELLS[number % len(CELLS)], rng, str(number), stretch=1 + 0.02 * rng.normal())
        placed = place(one, parent)
        assert isinstance(placed, Placed)
        x = correlations_of(clusters, [placed])[0]
        energy = 0.3 * x[0] - 0.2 * x[1] + nonlinear * x[0] * x[1]
        rows.append(row_of(turned(one, rng), number, float(energy)))
    return rows


def lake_of(folder: Path, rows: list[dict[str, Any]]) -> Lake:
    return fill(Lake.open(str(folder), load_settings(workers=1, dask_workers=1, tracking_uri="off")), rows)


def rows_of(lake: Lake, target: str = TARGET) -> Any:
    return dataset(lake, Selection(target, sources=("alloys",)))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    salt = Structure("strange", np.eye(3) * 4, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), ("Na", "Cl"))
    strange = row_of(salt, 1_000, 0.1)
    return lake_of(tmp_path_factory.mktemp("alloys") / "lake", [*alloys(), strange])


@pytest.fixture(scope="module")
def expanded(lake: Lake) -> Any:
    return expand(lake, rows_of(lake), QUICK, name="fcc", parents=[fcc(a=3.8)])


def test_what_was_put_in_comes_out(lake: Lake, expanded: Any) -> None:
    """The energy is linear in two correlations that both pools hold."""
    for curve in expanded.curves:
        assert curve.judged.cv_rmse[2] < 1e-8
        assert curve.judged.cv_rmse[1] > 1e-3
    test = next(row for row in expanded.trained.evaluations.to_pylist()
                if (row["split"], row["slice_kind"], row["evaluated_on"]) == ("test", "all", "alloys"))
    assert test["mae"] < 1e-7
    assert test["n"] > 3


def test_nonlinear_features_express_what_standard_ones_cannot(tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", alloys(nonlinear=0.5))
    found = expand(lake, rows_of(lake), QUICK, name="nonlinear", parents=[fcc()])
    fit = {(curve.pool, curve.degree): curve.judged.fit_rmse[-1] for curve in found.curves}
    for pool in ("small", "large"):
        assert fit[pool, 2] < 1e-8
        assert fit[pool, 1] > 1e-3


def test_what_is_on_no_lattice_is_listed_with_the_reason(lake: Lake, expanded: Any) -> None:
    assert (expanded.run["n_rows"], expanded.run["n_mapped"], expanded.run["n_left_out"]) == (91, 90, 1)
    [left_out] = lake.read("unmapped").to_pylist()
    assert left_out["calculation_id"] == "alloys/1000"
    assert left_out["reason"] == "other_species"
    assert "Cl, Na is on no site" in left_out["message"]


def test_the_tables_hold_the_curves(lake: Lake, expanded: Any) -> None:
    rows = [row for row in lake.read("selection_paths").to_pylist() if row["run_id"] == expanded.run["run_id"]]
    curve = next(one for one in expanded.curves if (one.pool, one.degree, one.parent) == ("large", 2, TOGETHER))
    mine = sorted((row for row in rows if row["pool"] == "large" and row["degree"] == 2),
                  key=lambda row: row["n_features"])
    assert [row["n_features"] for row in mine] == list(curve.judged.path.n_features)
    assert [row["fit_rmse"] for row in mine] == list(curve.judged.fit_rmse)
    assert mine[1]["feature"]
    turn = next(one for one in json.loads(expanded.run["turns_json"])
                if (one["pool"], one["feature_set"]) == ("large", "nonlinear-2"))
    assert turn["cv_rmse"] == min(row["cv_rmse"] for row in mine if row["cv_rmse"] is not None)


def test_the_model_is_read_back_and_says_the_same(lake: Lake, expanded: Any) -> None:
    model = load(lake, expanded.run["model_id"])
    rows = rows_of(lake).rows
    rows = rows.filter(pc.not_equal(rows["calculation_id"], "alloys/1000")).slice(0, 12)
    said = predict_rows(model, rows, strict=False)
    known = np.array(expanded.trained.model.predict(rows).mean)
    assert np.allclose(said["predicted"].to_pylist(), known, atol=1e-9)
    assert np.allclose(known, rows["actual"].to_numpy(), atol=1e-7)
    assert model.row["n_parameters"] == len(model.weights["coefficients"]) + 1


def test_a_structure_that_does_not_fit_is_not_predicted_but_said(lake: Lake, expanded: Any) -> None:
    model = load(lake, expanded.run["model_id"])
    rows = pa.Table.from_pylist([{
        "calculation_id": "file", "lattice_vectors_angstrom": (np.eye(3) * 2.5).tolist(),
        "fractional_positions": [[0.0, 0.0, 0.0], [0.5, 0.1, 0.5]], "species_at_sites": ["Au", "Cu"],
    }])
    [said] = predict_rows(model, rows, strict=False).to_pylist()
    assert said["predicted"] is None
    assert "nothing is predicted" in said["outside"]
    with pytest.raises(InputError, match="Nothing can be said of file"):
        predict_rows(model, rows)


def test_the_same_again_is_given_back(lake: Lake, expanded: Any) -> None:
    again = expand(lake, rows_of(lake), QUICK, name="fcc", parents=[fcc(a=3.8)])
    assert again.was_there
    assert again.run["run_id"] == expanded.run["run_id"]


def test_a_killed_run_maps_nothing_twice_and_ends_the_same(tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", alloys(120))
    script = textwrap.dedent("""
        import sys, time
        sys.path[:0] = [sys.argv[2], sys.argv[3]]
        from test_expand import QUICK, fcc, rows_of
        from lake.settings import load_settings
        from lake.store.lake import Lake
        from ml.expand import mapping
        from ml.expand.run import expand
        whole = mapping.map_part
        def slowly(structures, pools):
            print("part", flush=True)
            time.sleep(0.5)
            return whole(structures, pools)
        mapping.map_part = slowly
        lake = Lake.open(sys.argv[1], load_settings(workers=1, dask_workers=1, tracking_uri="off"))
        expand(lake, rows_of(lake), QUICK, name="killed", parents=[fcc()])
    """)
    here = Path(__file__)
    with subprocess.Popen([sys.executable, "-c", script, lake.root.uri, str(here.parent), str(here.parents[2])],
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(2):
            assert process.stdout.readline() == "part\n"
        time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    [folder] = (Path(lake.root.uri) / "training").glob("[!.]*")
    kept = {path.name: path.stat().st_mtime_ns for path in folder.glob("mapped-*.json")}
    assert len(kept) == 1
    seen: list[int] = []
    found = expand(lake, rows_of(lake), QUICK, name="killed", parents=[fcc()],
                   progress=lambda state: seen.append(state.done) if state.doing == "mapping" else None)
    assert seen[0] == 50
    whole = expand(lake, rows_of(lake), QUICK, name="whole", parents=[fcc()])
    assert found.run["turns_json"] == whole.run["turns_json"]
    assert not folder.exists()


@pytest.mark.parametrize(("change", "message"), [
    ({"energy": 0.1}, "same value"), ({}, "cross-validation in 20 folds needs 40"),
])
def test_what_cannot_be_expanded_is_said_before(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    rows = alloys(40)
    if "energy" in change:
        rows = [row | {TARGET: change["energy"]} for row in rows]
    lake = lake_of(tmp_path / "lake", rows)
    with pytest.raises(InputError, match=message):
        expand(lake, rows_of(lake), QUICK if "energy" in change else ExpandSettings(n_folds=20), name="bad",
               parents=[fcc()])
    assert lake.read("expansions").num_rows == 0


def test_a_lattice_that_is_none_of_theirs_is_refused(tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", alloys(40))
    with pytest.raises(InputError, match="one species only"):
        expand(lake, rows_of(lake), QUICK, name="none", parents=[fcc(("Au",))])
    with pytest.raises(InputError, match="None of 40 structures"):
        expand(lake, rows_of(lake), QUICK, name="other", parents=[fcc(("Na", "K"))])


@pytest.mark.parametrize("given", [
    {"degrees": (0,)}, {"degrees": ()}, {"pools": ("tiny",)}, {"method": "stepwise"}, {"group": "colour"},
    {"n_folds": 1}, {"most_features": 0}, {"features": 300}, {"degree": 5}, {"memory_gb": 0.0}, {"orders": 5},
])
def test_settings_that_cannot_be(given: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        ExpandSettings(**given)
