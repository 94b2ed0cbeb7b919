"""What an expansion leaves in the tables `expansions`, `unmapped` and `selection_paths`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.tables import TABLES
from ml.expand.curves import TOGETHER, Curve
from ml.expand.mapping import Mapped
from ml.expand.settings import ExpandSettings
from ml.expansion.clusters import Clusters
from ml.linear.monomials import Monomials

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from lake.store.lake import Lake
    from ml.data.dataset import Dataset

Row = dict[str, Any]


def run_row(
    dataset: Dataset, settings_json: str, mapped: Mapped, pools: dict[str, list[Clusters]], curves: Sequence[Curve],
) -> Row:
    """The row of `expansions`, but for ids and times."""
    selection = dataset.selection
    n_mapped = int((mapped.parent >= 0).sum())
    return {
        "target": dataset.target.column, "unit": dataset.target.unit, "subset": selection.subset,
        "subset_version": selection.version if selection.subset else None,
        "where_sql": None if selection.subset else str(selection),
        "table_versions": sorted(dataset.table_versions.items()), "data_sha256": dataset.sha256,
        "parents_json": json.dumps(_parents(mapped, pools), ensure_ascii=False), "n_rows": len(mapped.parent),
        "n_mapped": n_mapped, "n_left_out": len(mapped.parent) - n_mapped,
        "turns_json": json.dumps([turn(curve) for curve in curves if curve.parent == TOGETHER], ensure_ascii=False),
        "settings_json": settings_json,
    }


def turn(curve: Curve) -> Row:
    """Where a curve is least under cross-validation, and the smallest model that is about as good."""
    found = curve.judged
    n = found.path.n_features
    best, simplest = found.best, found.simplest
    return {
        "feature_set": curve.feature_set, "pool": curve.pool, "n_features": int(n[best]),
        "fit_rmse": float(found.fit_rmse[best]), "cv_rmse": float(found.cv_rmse[best]),
        "simplest_n_features": int(n[simplest]), "simplest_cv_rmse": float(found.cv_rmse[simplest]),
        "last_n_features": int(n[-1]), "last_fit_rmse": float(found.fit_rmse[-1]),
        "turns": bool(best < len(n) - 1),
    }


def _parents(mapped: Mapped, pools: dict[str, list[Clusters]]) -> list[Row]:
    found = []
    for place, clusters in enumerate(next(iter(pools.values()))):
        parent, on_it = clusters.parent, mapped.parent == place
        found.append(parent.to_json() | {
            "species_of_sites": [list(one) for one in parent.species], "species": parent.species_words,
            "n_sites": len(parent.species), "n_mapped": int(on_it.sum()),
            "largest_rms_angstrom": float(mapped.rms_angstrom[on_it].max()) if on_it.any() else None,
            "pools": {pool: {"cutoffs_angstrom": list(of_pool[place].cutoffs), "n_correlations": len(of_pool[place])}
                      for pool, of_pool in pools.items()},
        })
    return found


def path_rows(
    curves: Sequence[Curve], settings: ExpandSettings, unit: str, clusters: dict[str, list[Clusters]],
) -> list[Row]:
    """The rows of `selection_paths`, without run_id."""
    names = {pool: [[one.name for one in of_parent.listed()] for of_parent in of_pool]
             for pool, of_pool in clusters.items()}
    several = len({curve.parent for curve in curves if curve.parent != TOGETHER}) > 0
    rows = []
    for curve in curves:
        found, path = curve.judged, curve.judged.path
        parent = "*" if curve.parent == TOGETHER else clusters[curve.pool][curve.parent].parent.name
        for place, n in enumerate(path.n_features):
            added = None
            if settings.method == "omp" and place:
                lattice, factors = curve.term(int(path.columns[place - 1]))
                added = Monomials((factors,)).names(names[curve.pool][lattice])[0]
                if several and curve.parent == TOGETHER:
                    added = f"{clusters[curve.pool][lattice].parent.name}: {added}"
            rows.append({
                "parent": parent, "feature_set": curve.feature_set, "degree": curve.degree, "pool": curve.pool,
                "method": settings.method, "n_features": int(n), "n_candidates": curve.n_candidates, "feature": added,
                "penalty": None if path.penalties is None else float(path.penalties[place]),
                "n_rows": curve.n_rows, "unit": unit, "fit_rmse": float(found.fit_rmse[place]),
                "fit_mae": float(found.fit_mae[place]), "cv_rmse": _plain(found.cv_rmse[place]),
                "cv_mae": _plain(found.cv_mae[place]), "cv_rmse_spread": _plain(found.cv_spread[place]),
                "n_folds": settings.n_folds, "group_key": settings.group,
            })
    return rows


def unmapped_rows(dataset: Dataset, mapped: Mapped, names: Sequence[str]) -> list[Row]:
    """The rows of `unmapped`, without run_id."""
    ids = dataset.rows["calculation_id"].to_pylist()
    return [
        {"calculation_id": ids[place], "reason": reason[0], "message": reason[1],
         "parent": names[mapped.nearest[place]] if mapped.nearest[place] >= 0 else None}
        for place, reason in enumerate(mapped.reasons) if reason is not None
    ]


def earlier(lake: Lake, name: str, data_sha256: str, settings_json: str) -> Row | None:
    """The newest run of the same name, data and settings."""
    rows = [row for row in lake.read("expansions").to_pylist()
            if (row["name"], row["data_sha256"], row["settings_json"]) == (name, data_sha256, settings_json)]
    return max(rows, key=lambda row: number_of(row["run_id"]), default=None)


def next_id(lake: Lake, name: str) -> str:
    """The next number of a name: counted over paths, which are written before their run."""
    there = set(lake.read("expansions", ["run_id"])["run_id"].to_pylist())
    there |= set(lake.read("selection_paths", ["run_id"])["run_id"].to_pylist())
    numbers = [number_of(one) for one in there if one.rpartition(".")[0] == name]
    return f"{name}.{max(numbers, default=0) + 1}"


def write(lake: Lake, run_id: str, run: Row, paths: list[Row], unmapped: list[Row]) -> Row:
    """Write a run: its points and what was left out first, so that a run in the table is whole.

    Raises:
        TableError: a commit failed.
    """
    for table, rows in (("selection_paths", paths), ("unmapped", unmapped)):
        if rows:
            schema = TABLES[table].schema
            empty = dict.fromkeys(schema.names)
            lake.replace(table, pa.Table.from_pylist([empty | row | {"run_id": run_id} for row in rows], schema=schema),
                         {"run_id": run_id})
    whole = dict.fromkeys(TABLES["expansions"].schema.names) | run | {
        "run_id": run_id, "name": run_id.rpartition(".")[0], "created_at": datetime.now(UTC)}
    ready = pa.Table.from_pylist([whole], schema=TABLES["expansions"].schema)

    def make(_: DeltaTable | None) -> pa.Table:
        return ready

    lake.append("expansions", make)
    return whole


def number_of(run_id: str) -> int:
    """The number at the end of an id."""
    return int(run_id.rpartition(".")[2])


def _plain(value: float) -> float | None:
    return None if value != value else float(value)
