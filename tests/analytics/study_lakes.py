"""Lakes with a search, an expansion, formulas and complexities made by hand, as the commands leave them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from model_lakes import put
from report_lakes import NOW, calculation, fill

from lake.store.lake import Lake

HOSTILE = '"><script>alert(1)</script>'


def candidates(
    n: int = 18, name: str = "gaps", more: Callable[[int], dict[str, Any]] = lambda _: {},
) -> list[dict[str, Any]]:
    """Candidates over steps 2–4 and channels 64–256: a third ended early, one failed; ``more`` replaces columns."""
    trials = []
    for trial in range(n):
        steps, channels = 2 + trial % 3, 64 * 2 ** (trial // 3 % 3)
        state = "failed" if trial == n - 1 else "pruned" if trial % 3 == 2 else "completed"
        error = None if state == "failed" else 0.4 + 0.1 / steps + 8.0 / channels + 0.01 * (trial % 5)
        done = 1_000 if state == "completed" else 300
        trials.append({
            "search_id": f"{name}.1", "trial": trial, "state": state,
            "reason": None if state == "completed" else f"{state}: {HOSTILE}",
            "parameters_json": json.dumps({"model.steps": steps, "model.channels": channels, "rate": 1e-4}),
            "message_passing_steps": steps, "channels": channels, "n_parameters": 1_000 * channels,
            "training_steps": done, "best_step": done, "validation_rmse": error, "validation_mae": error,
            "seconds": 2.0, "prediction_ms": 0.01 * channels * steps, "n_stacked": 3, "seed": trial, "device": "cpu",
            "ended_at": NOW,
        } | more(trial))
    return trials


def search(
    lake: Lake, n: int = 18, name: str = "gaps", row: dict[str, Any] | None = None,
    more: Callable[[int], dict[str, Any]] = lambda _: {},
) -> list[dict[str, Any]]:
    """A search of :func:`candidates`; ``row`` replaces columns of the search."""
    trials = candidates(n, name, more)
    known = [t["validation_rmse"] for t in trials if t["state"] == "completed"]
    best = min(known, default=0.5)
    known = known or [best]
    put(lake, "trials", trials)
    put(lake, "trial_curves", [
        {"search_id": f"{name}.1", "trial": t["trial"], "step": step, "train_loss": 1.0,
         "validation_rmse": t["validation_rmse"] * (1 + 100 / step), "validation_mae": t["validation_rmse"]}
        for t in trials if t["validation_rmse"] is not None for step in range(100, t["training_steps"] + 1, 100)
    ])
    put(lake, "searches", [{
        "search_id": f"{name}.1", "name": name, "kind": "mpeu", "target": "band_gap_ev", "unit": "eV",
        "sources": ["mp"], "subset": "oxides", "subset_version": 2, "table_versions": [("calculations", 1)],
        "data_sha256": "d", "space_json": "{}", "settings_json": "{}", "sampler": "tpe", "pruner": "hyperband",
        "n_candidates": n, "n_completed": len(known), "n_pruned": n - 1 - len(known), "n_failed": 1,
        "training_steps": sum(t["training_steps"] for t in trials), "full_training_steps": 1_000 * n,
        "best_trial": 0, "best_rmse": best, "mean_rmse": sum(known) / len(known),
        "median_rmse": sorted(known)[len(known) // 2], "gain": 1 - best / (sum(known) / len(known)),
        "device_hours": 0.5, "full_device_hours": 1.25, "price_per_hour": 2.0, "cost": 1.0, "full_cost": 2.5,
        "model_id": "gaps-best.1", "promotion": "turned down", "seconds": 1800.0, "created_at": NOW,
    } | (row or {})])
    return trials


def expansion(lake: Lake, unmapped: int = 3) -> list[dict[str, Any]]:
    """An expansion whose nonlinear curves fit better and turn earlier, and its predictions."""
    rows = []
    for pool, largest in (("small", 10), ("large", 27)):
        for degree in (1, 2, 3):
            for n in (1, 2, 5, 10, *((20, 40) if degree > 1 else ())):
                fit = 0.2 / (degree * n) ** 0.5
                rows.append({
                    "run_id": "alloys.1", "parent": "*",
                    "feature_set": "standard" if degree == 1 else f"nonlinear-{degree}", "degree": degree,
                    "pool": pool, "method": "omp", "n_features": n, "n_candidates": largest**degree,
                    "feature": HOSTILE, "n_rows": 60, "unit": "eV/atom", "fit_rmse": fit, "fit_mae": fit / 2,
                    "cv_rmse": fit + 0.0004 * degree * n, "cv_mae": fit, "cv_rmse_spread": 0.001, "n_folds": 5,
                    "group_key": "formula_reduced",
                })
    put(lake, "selection_paths", rows)
    put(lake, "expansions", [{
        "run_id": "alloys.1", "name": "alloys", "target": "formation_energy_ev_per_atom", "unit": "eV/atom",
        "where_sql": "source = 'mp'", "table_versions": [("calculations", 1)], "data_sha256": "d",
        "parents_json": json.dumps([{"name": HOSTILE, "spacegroup_number": 225, "species": "Al Ga; O",
                                     "n_mapped": 60}]),
        "n_rows": 60 + unmapped, "n_mapped": 60, "n_left_out": unmapped, "model_id": "alloys.1", "turns_json": "[]",
        "settings_json": "{}", "seconds": 3.0, "created_at": NOW,
    }])
    put(lake, "unmapped", [{"run_id": "alloys.1", "calculation_id": f"mp/{i}", "reason": "too_distorted",
                              "message": f"site {i} is 1.3 Å off {HOSTILE}"} for i in range(unmapped)])
    put(lake, "predictions", [{
        "model_id": "alloys.1", "calculation_id": f"mp/{i}", "source": "mp", "material_key": str(i),
        "split": "test" if i % 5 == 0 else "train", "actual": 0.01 * i, "predicted": 0.01 * i + 0.02 * (-1) ** i,
    } for i in range(60)])
    return rows


def formulas(
    lake: Lake, tasks: tuple[str, ...] = ("*",), accuracy: float | None = None, **more: dict[str, Any],
) -> list[dict[str, Any]]:
    """Descriptors of one to three dimensions."""
    rows = [{
        "run_id": "binaries.1", "name": "binaries", "dimension": dimension, "task": task,
        "kind": "regression" if accuracy is None else "classification",
        "model_id": "binaries.1" if dimension == 2 else None, "target": "energy_difference_ev", "unit": "eV",
        "origin": "table binaries.csv", "table_versions": [], "data_sha256": "d", "rung": 2,
        "terms": ["(IP_B − EA_B) / r_p_A²"] * dimension, "term_units": ["eV/Å²"] * dimension,
        "coefficients_json": "{}", "text": f"0.1 + 0.2·x_{dimension} {HOSTILE}", "latex": r"\frac{a}{b}",
        "sql": "0.1 + 0.2 * (ip_b_ev - ea_b_ev) / r_p_a_angstrom ** 2", "n_rows": 82, "n_primary": 14,
        "n_candidates": 123_456, "n_screened": 300, "rmse": 0.16 / dimension if accuracy is None else None,
        "mae": 0.1, "max_error": 0.4, "cv_rmse": 0.2 / dimension if accuracy is None else None,
        "accuracy": accuracy, "n_overlap": None if accuracy is None else 3, "settings_json": "{}", "seconds": 2.0,
        "created_at": NOW,
    } | more.get(task, {}) for dimension in (1, 2, 3) for task in tasks]
    put(lake, "formulas", rows)
    return rows


def complexities(
    lake: Lake, study: str | None = "forest-against-network", prefix: str = "", rmsle: float | None = None,
) -> list[dict[str, Any]]:
    """Networks and forests of growing size on the same rows."""
    rows = []
    for place in range(4):
        for kind, model_class in (("mlp", "network"), ("forest", "forest")):
            size = 100 * 10**place
            error = 0.4 + 0.3 / (place + 1) + (0.02 if kind == "mlp" else 0.0)
            rows.append({
                "model_id": f"{prefix}{kind}-{place}", "variant": "*", "study": study, "kind": kind,
                "model_class": model_class, "target": "band_gap_ev", "unit": "eV", "data_sha256": f"d{prefix}",
                "n_parameters": size, "n_weights": size - 1 if kind == "mlp" else None,
                "n_biases": 1 if kind == "mlp" else None, "n_additive": 1, "n_linear": 10, "n_nonlinear": size - 11,
                "n_trees": 5 if kind == "forest" else None, "n_leaves": size // 2 if kind == "forest" else None,
                "coefficient_additive": 1.0, "coefficient_linear": 1.0, "coefficient_nonlinear": 1.0,
                "complexity": float(size), "evaluated_on": "test", "n": 50, "mae": error, "rmse": error * 1.3,
                "rmsle": rmsle, "train_mae": error / 2, "train_rmse": error / 2, "settings_json": "{}",
                "created_at": NOW,
            })
    put(lake, "complexities", rows)
    return rows


def comparisons(
    lake: Lake, measure: str = "mae", comparison: str = "forest-against-network", prefix: str = "",
) -> list[dict[str, Any]]:
    """Network against forest at every size of :func:`complexities`: the first decided, the others not."""
    rows = [{
        "comparison": comparison, "left_id": f"{prefix}forest-{place}", "right_id": f"{prefix}mlp-{place}",
        "left_kind": "forest", "right_kind": "mlp", "pairing": "parameters" if place < 3 else "best",
        "left_parameters": 100 * 10**place, "right_parameters": 101 * 10**place, "target": "band_gap_ev",
        "unit": "eV" if measure == "mae" else None, "measure": measure, "left_error": 0.4, "right_error": 0.42,
        "difference": 0.02, "difference_low": 0.01 if place == 0 else -0.01, "difference_high": 0.05, "n": 50,
        "n_materials": 40, "paper_left": 0.469, "paper_right": 0.515,
        "reasons": [f"Data: 50 rows of the study {comparison} {HOSTILE}", f"Pairing {place}"],
        "data_sha256": f"d{prefix}", "created_at": NOW,
    } for place in range(4)]
    put(lake, "model_comparisons", rows)
    return rows


def put_studies(lake: Lake) -> Lake:
    """All four, with a few calculations."""
    fill(lake, "calculations", [calculation("mp", str(i), {"Al": 2, "O": 3}) for i in range(3)])
    search(lake)
    expansion(lake)
    formulas(lake)
    complexities(lake)
    comparisons(lake)
    lake.refresh()
    return lake


def expected_front(trials: list[dict[str, Any]]) -> set[int]:
    """Candidates that no other beats in time and error: by comparing all pairs."""
    known = [t for t in trials if t["state"] == "completed"]

    def beaten(one: dict[str, Any]) -> bool:
        return any(
            o["prediction_ms"] <= one["prediction_ms"] and o["validation_rmse"] <= one["validation_rmse"]
            and (o["prediction_ms"], o["validation_rmse"]) != (one["prediction_ms"], one["validation_rmse"])
            for o in known
        )

    assert all(math.isfinite(t["prediction_ms"]) for t in known)
    return {t["trial"] for t in known if not beaten(t)}
