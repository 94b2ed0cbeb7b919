"""Lakes with models made by hand: a transfer experiment, curves, cards and decisions, as the commands leave them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from report_lakes import NOW, calculation, fill

from lake.store.lake import Lake
from lake.tables import TABLES
from ml.evaluate import evaluate

TARGET = "formation_energy_ev_per_atom"
METALS = ("Li", "Na", "K", "Mg", "Ca", "Sr", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Al", "Ga", "La", "Y",
          "Zr")
ANIONS = ("O", "F", "S", "Cl", "N")
SPLITS = ("train", "train", "train", "validation", "test")
OFFSET = -0.15
ROADS = (
    ("own", ("aflow",), 0.16), ("own", ("mp",), 0.06), ("combined", ("aflow", "mp"), 0.09),
    ("settings", ("aflow", "mp"), 0.07), ("corrected", ("aflow", "mp"), 0.08),
)
"""Road, databases and noise (eV/atom) of the models of the experiment."""


def materials(n_mp: int = 300, n_aflow: int = 120) -> list[dict[str, Any]]:
    """Rows of `calculations` of two databases: AFLOW's materials are MP's first ones, and some of its own."""
    rows = []
    for source, first, last in (("mp", 0, n_mp), ("aflow", n_mp - n_aflow // 2, n_mp + n_aflow // 2)):
        for i in range(first, last):
            metal, anion = METALS[i % len(METALS)], ANIONS[i // len(METALS) % len(ANIONS)]
            elements = {metal: 1 + i // 100 % 3, anion: 1 + i % 3}
            energy = -0.35 * ANIONS.index(anion) - 0.1 * (i % 13) + (OFFSET if source == "mp" else 0.0)
            rows.append(calculation(
                source, str(i), elements, spacegroup_number=1 + i % 200, formation_energy_ev_per_atom=energy,
                reduced_key=f"{metal}{anion}_{i}", hubbard_u_ev=[("Fe", 4.0)] if metal == "Fe" else [],
            ))
    return rows


def predictions(
    rows: list[dict[str, Any]], noise: float, seed: int, *, knows: tuple[str, ...], road: str = "own"
) -> pa.Table:
    """What a model says of rows: its noise, larger elsewhere, and the other database's level."""
    random = np.random.default_rng(seed)
    found = []
    for i, row in enumerate(rows):
        number = int(row["reduced_key"].rpartition("_")[2])
        foreign = row["source"] not in knows
        shift = (OFFSET if row["source"] == "aflow" else -OFFSET) if foreign and road == "own" else 0.0
        found.append({
            "calculation_id": row["calculation_id"], "source": row["source"], "material_key": row["reduced_key"],
            "split": SPLITS[number * 7919 // 11 % len(SPLITS)], "actual": row["formation_energy_ev_per_atom"],
            "predicted": row["formation_energy_ev_per_atom"] + shift + noise * (1.5 if foreign else 1.0)
            * float(random.normal()), "elements": row["elements"], "n_sites": row["n_sites"],
            "energy_functional": "pbe", "plus_u": "+U" if row["hubbard_u_ev"] else "none",
            "formation_energy_ev_per_atom": row["formation_energy_ev_per_atom"], "place": i,
        })
    return pa.Table.from_pylist(found)


def model(model_id: str, **more: Any) -> dict[str, Any]:
    """A row of `models`."""
    name, _, version = model_id.rpartition(".")
    settings = {"model": {"kind": "schnet", "channels": 64, "steps": 3}, "training": {"learning_rate": 5e-4}}
    return {
        "model_id": model_id, "name": name, "version": int(version), "kind": "schnet", "target": TARGET,
        "unit": "eV/atom", "target_reference": "elements", "road": "own", "sources": ["mp"], "subset": "pbe-only",
        "subset_version": 3, "table_versions": [("calculations", 1), ("dos", -1)], "split_key": "reduced_key",
        "split_seed": 0, "n_train": 180, "n_validation": 60, "n_test": 60, "data_sha256": "d" * 64,
        "settings_json": json.dumps(settings), "n_members": 1, "n_parameters": 84_864, "seed": 0, "device": "cpu",
        "steps": 20_000, "best_step": 16_000, "stopped": "steps", "seconds": 93.4, "metrics_json": "{}",
        "weights_sha256": "e" * 64, "folder": "models/eeee", "n_bytes": 400_000, "licenses": ["CC-BY-4.0"],
        "redistributable": True, "code_version": "matlake 0.4.0", "library_versions_json": '{"torch": "2.13"}',
        "created_at": NOW,
    } | more


def curve(model_id: str, end: float, steps: int = 20_000, n: int = 20) -> list[dict[str, Any]]:
    """Rows of `learning_curves` of a model that ends at a validation error."""
    return [
        {
            "model_id": model_id, "step": steps * i // n, "train_loss": 1.0 / (1 + i), "seconds": 4.6 * i,
            "train_mae": end * (0.5 + 2.0 / i), "validation_mae": end * (1.0 + 1.5 / i + 0.01 * abs(i - 16)),
            "validation_rmse": end * 2, "learning_rate": 5e-4,
        }
        for i in range(1, n + 1)
    ]


def put(lake: Lake, table: str, rows: list[dict[str, Any]] | pa.Table) -> None:
    """Put rows into a table of models."""
    schema = TABLES[table].schema
    if isinstance(rows, list):
        rows = pa.Table.from_pylist(rows, schema=schema)
    ready = rows.select(schema.names).cast(schema)
    lake.append(table, lambda _: ready)


def put_experiment(
    lake: Lake, rows: list[dict[str, Any]], number: int = 1, target: str = TARGET, **more: Any
) -> list[str]:
    """Put a transfer experiment of five models over rows of `calculations`; the ids of its models."""
    unit = "eV" if target == "band_gap_ev" else "eV/atom"
    tables: dict[str, list[Any]] = {"models": [], "learning_curves": [], "transfers": []}
    said, judged, ids = [], [], []
    for seed, (road, trained_on, noise) in enumerate(ROADS):
        joined = "+".join(trained_on)
        model_id = f"{target[:3]}-{road}-{'-'.join(trained_on)}.{number}"
        ids.append(model_id)
        predicted = predictions(rows, noise, seed, knows=trained_on, road=road)
        judged.append(evaluate(predicted, model_id=model_id, unit=unit, target=target, replicates=20))
        empty = pa.nulls(predicted.num_rows)
        named = pa.array([model_id] * predicted.num_rows)
        said.append(predicted.select(
            ["calculation_id", "source", "material_key", "split", "actual", "predicted"]
        ).append_column("model_id", named).append_column("uncertainty", empty).append_column("outside", empty))
        tables["models"].append(model(
            model_id, target=target, unit=unit, road=road, sources=list(trained_on), created_at=NOW + timedelta(seed)))
        tables["learning_curves"] += curve(model_id, noise)
        tables["transfers"].append({
            "transfer_id": f"{target}.{number}", "target": target, "road": road, "trained_on": joined,
            "model_id": model_id, "sources": ["aflow", "mp"], "n_common_materials": 60, "settings_json": "{}",
            "seconds": 300.0, "created_at": NOW + timedelta(number), **more,
        })
    for table, found in tables.items():
        put(lake, table, found)
    put(lake, "evaluations", pa.concat_tables(judged))
    schema = TABLES["predictions"].schema
    put(lake, "predictions", pa.concat_tables([one.select(schema.names).cast(schema) for one in said]))
    return ids


def promotion(name: str, decision: int, **more: Any) -> dict[str, Any]:
    """A row of `promotions`."""
    return {
        "name": name, "decision": decision, "champion_id": f"{name}.1", "challenger_id": f"{name}.{decision}",
        "promoted": True, "reason": "MAE 0.061 against 0.067 eV/atom, not worse by more than 0.002", "n": 60,
        "unit": "eV/atom", "champion_mae": 0.067, "challenger_mae": 0.061, "difference": -0.006,
        "difference_low": -0.011, "difference_high": -0.001, "margin": 0.002, "subset": "pbe-only",
        "champion_subset_version": 3, "challenger_subset_version": 4, "decided_at": NOW + timedelta(decision),
    } | more


def calibrated() -> str:
    """A `calibration_json`."""
    return json.dumps({
        "scale": 1.8, "floor": 0.004, "levels": [0.5, 0.8, 0.9, 0.95], "coverage_before": [0.3, 0.55, 0.66, 0.74],
        "coverage": [0.51, 0.79, 0.9, 0.96], "split": "test", "n": 60, "n_fitted": 58,
    })


def put_all(lake: Lake) -> Lake:
    """A lake with everything that the report tells of models."""
    rows = materials()
    fill(lake, "calculations", rows)
    put_experiment(lake, rows)
    gaps = [row | {TARGET: max(0.0, 3.0 + row[TARGET])} for row in rows if int(row["source_id"]) >= 200]
    put_experiment(lake, gaps, target="band_gap_ev")
    ensemble = model("mp-fe.2", n_members=4, calibration_json=calibrated())
    put(lake, "models", [ensemble, model("mp-fe.1", subset_version=2, created_at=NOW - timedelta(3))])
    predicted = predictions([row for row in rows if row["source"] == "mp"], 0.05, 11, knows=("mp",))
    put(lake, "evaluations", evaluate(predicted, model_id="mp-fe.2", unit="eV/atom", target=TARGET, replicates=20))
    put(lake, "learning_curves", curve("mp-fe.2", 0.05))
    put(lake, "promotions", [
        promotion("mp-fe", 1, champion_id=None, challenger_id="mp-fe.1", champion_mae=None, difference=None,
                  difference_low=None, difference_high=None, reason="there was no champion"),
        promotion("mp-fe", 2),
    ])
    return lake
