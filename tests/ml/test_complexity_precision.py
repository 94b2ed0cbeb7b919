"""Formulas against networks on a table of errors: what is read, how it is validated, what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lake.errors import InputError
from lake.settings import load_settings
from lake.store.lake import Lake
from ml.complexity.cross_validated import perceptrons
from ml.complexity.precision_data import precision_data
from ml.complexity.sisso_network import SissoStudy, run_sisso_study
from ml.complexity.worth import rmsle

REPO = Path(__file__).parents[2]
SHIPPED = REPO / "samples/tables/numerical_precision.csv"
HEADER = "material,level_error_ev,A_energy_error_ev,width_angstrom,depth_number\n"


def table(folder: Path, n: int = 48, **change: str) -> Path:
    """Errors that are twice those of A as logarithms go; 12 materials."""
    generator = np.random.default_rng(1)
    lines = []
    for i in range(n):
        base = float(generator.uniform(0, 2))
        error = -np.expm1(2 * base)
        cells = {"material": f"m{i % 12}", "error": f"{error:.8f}", "base": f"{-np.expm1(base):.8f}",
                 "width": f"{generator.uniform(1, 2):.4f}", "depth": f"{generator.uniform(1, 2):.4f}"}
        if i == 3:
            cells |= change
        lines.append(",".join(cells.values()))
    path = folder / "errors.csv"
    path.write_text(HEADER + "\n".join(lines) + "\n")
    return path


def study(path: Path, **changes: Any) -> SissoStudy:
    given: dict[str, Any] = {"table": path, "target": "level_error", "group": "material", "dimensions": 1,
                             "rungs": (1,), "screened": 5, "sizes": (60,), "steps": 40, "n_folds": 3}
    return SissoStudy(**(given | changes))


def test_the_shipped_table_is_read_with_units_and_without_its_reference_rows() -> None:
    data = precision_data(SHIPPED)
    assert (len(data.errors), data.n_reference, data.n_groups, data.unit) == (780, 130, 63, "eV/atom")
    assert data.errors.min() > 0
    assert [name for name in data.features if name.startswith("log1p_")] == list(data.features[:3])
    units = dict(zip(data.features, data.units, strict=True))
    assert (units["E_cut_ev"], units["A_rs_angstrom"], units["log1p_A_energy_error_ev_per_atom"]) == (
        "eV", "angstrom", "1")
    assert len(data.problem(2).primaries) == 7
    assert len(data.problem(1).primaries) == len(data.features) == 23
    assert not any("total" in name or "eof" in name for name in data.features)


def test_a_formula_that_is_there_is_found_and_kept(tmp_path: Path) -> None:
    lake = Lake.open(str(tmp_path / "lake"), load_settings(tracking_uri="off"))
    said: list[str] = []
    asked = study(table(tmp_path))
    found = run_sisso_study(lake, asked, note=said.append)
    assert found.n_trained == 3
    rows = {row["model_id"].partition("/")[2]: row for row in found.complexities.to_pylist()}
    formula, network = rows["sisso-rung1-1"], rows["mlp-60"]
    assert (formula["n_parameters"], formula["n_additive"], formula["n_linear"], formula["dimension"]) == (2, 1, 1, 1)
    assert formula["rmsle"] < 1e-4 < network["rmsle"]
    assert formula["evaluated_on"] == "cross-validation"
    assert (formula["n"], formula["n_materials"]) == (48, 12)
    kept = lake.read("predictions", where="model_id = 'sisso-against-network-mlp-60'")
    assert rmsle(kept["actual"].to_numpy(), kept["predicted"].to_numpy()) == pytest.approx(network["rmsle"])
    pair = next(row for row in found.comparisons.to_pylist() if row["pairing"] == "best")
    assert (pair["left_kind"], pair["right_kind"], pair["paper_right"]) == ("mlp", "sisso", 0.231)
    assert pair["difference"] == pytest.approx(formula["rmsle"] - network["rmsle"])
    reasons = " ".join(pair["reasons"])
    assert "The order is that of the paper" in reasons
    assert f"{rows['mlp-60-as-is']['rmsle']:.3f}, against {network['rmsle']:.3f}" in reasons
    # The same again: nothing is made, and a changed table is other data.
    again = run_sisso_study(lake, asked, note=said.append)
    assert again.n_trained == 0
    assert again.complexities.drop_columns("created_at").equals(found.complexities.drop_columns("created_at"))
    assert run_sisso_study(lake, study(table(tmp_path, width="1.5"), sizes=()), note=said.append).n_trained == 1


def test_what_fails_is_written_down_and_the_others_go_on(tmp_path: Path) -> None:
    lake = Lake.open(str(tmp_path / "lake"), load_settings(tracking_uri="off"))
    found = run_sisso_study(lake, study(table(tmp_path), sizes=(3,), dimensions=1)).complexities.to_pylist()
    reasons = {row["model_id"]: row["reason"] for row in found}
    assert reasons["sisso-against-network/sisso-rung1-1"] is None
    assert "cannot have about 3 parameters" in reasons["sisso-against-network/mlp-3"]


def test_rows_that_say_nothing_are_left_out_and_counted(tmp_path: Path) -> None:
    zero = precision_data(table(tmp_path, error="0"), "level_error", "material")
    assert (len(zero.errors), zero.n_reference, zero.n_incomplete) == (47, 1, 0)
    gap = precision_data(table(tmp_path, error="nan"), "level_error", "material")
    assert (len(gap.errors), gap.n_reference, gap.n_incomplete) == (47, 0, 1)


def test_tables_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column missing"):
        precision_data(table(tmp_path), "missing", "material")
    with pytest.raises(InputError, match="20 at least"):
        precision_data(table(tmp_path, n=10), "level_error", "material")
    lake = Lake.open(str(tmp_path / "lake"), load_settings(tracking_uri="off"))
    with pytest.raises(InputError, match="folds"):
        run_sisso_study(lake, study(table(tmp_path), n_folds=40))
    with pytest.raises(InputError, match="three at least"):
        study(tmp_path, n_folds=2)
    with pytest.raises(InputError, match="cannot be read"):
        run_sisso_study(lake, study(tmp_path / "none.csv"))


def test_networks_never_see_the_fold_that_they_are_judged_by() -> None:
    """A column that names the row: only what has seen a row can say its value."""
    generator = np.random.default_rng(0)
    targets = generator.normal(size=30)
    fold = np.repeat([0, 1, 2], 10)
    found = perceptrons(targets[:, None] * (fold == 0)[:, None], targets, fold, {"hidden": [4]}, steps=60)
    changed = targets.copy()
    changed[fold == 0] += 100
    other = perceptrons(targets[:, None] * (fold == 0)[:, None], changed, fold, {"hidden": [4]}, steps=60)
    np.testing.assert_array_equal(found.predicted[fold == 0], other.predicted[fold == 0])
    assert not np.allclose(found.predicted[fold == 1], other.predicted[fold == 1])
    assert found.counts.n_parameters == 1 * 4 + 4 + 4 + 1
