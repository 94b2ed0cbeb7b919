"""One transfer experiment as the report shows it: its models, its databases, and every model's errors on each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from analytics.report.ask import Asker
from analytics.report.section import Sources

ROADS = ("own", "combined", "settings", "corrected")
ROAD_WORDS = {"settings": "settings as inputs", "corrected": "corrected targets"}
TOGETHER = "*"
SPELLED_OUT = 2
"""So many databases are named; of more it is said that they are all."""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Trained:
    """One model of an experiment: how several databases were brought together, which, and whether these are all."""

    model_id: str
    road: str
    trained_on: tuple[str, ...]
    on_all: bool

    def words(self, sources: Sources) -> str:
        """The model in a figure, as in `AFLOW + MP, settings as inputs`."""
        names = " + ".join(sources.short(name) for name in self.trained_on)
        if self.on_all and len(self.trained_on) > SPELLED_OUT:
            names = f"all {len(self.trained_on)} databases"
        return f"{names}, {ROAD_WORDS.get(self.road, self.road)}" if self.road not in ("own", "combined") else names


@dataclass(frozen=True)
class Experiment:
    """The newest experiment of a target; ``errors`` are those on test rows by (model, database or *)."""

    transfer_id: str
    target: str
    unit: str
    databases: tuple[str, ...]
    models: tuple[Trained, ...]
    errors: Mapping[tuple[str, str], Row]
    slices: tuple[Row, ...]
    first: Row
    n_others: int

    def own(self, database: str) -> Trained | None:
        """The model of one database alone."""
        return next((m for m in self.models if m.road == "own" and m.trained_on == (database,)), None)


def experiments(asker: Asker) -> list[Experiment]:
    """The newest experiment of every target, the newest first."""
    rows = asker.select("select * from transfers order by created_at desc, transfer_id, road, trained_on")
    newest: dict[str, str] = {}
    for row in rows:
        newest.setdefault(row["target"], row["transfer_id"])
    found = []
    for target, transfer_id in newest.items():
        ids = {row["transfer_id"] for row in rows if row["target"] == target}
        found.append(_experiment(asker, [row for row in rows if row["transfer_id"] == transfer_id], len(ids) - 1))
    return found


def _experiment(asker: Asker, rows: list[dict[str, Any]], n_others: int) -> Experiment:
    databases = {name for row in rows for name in row["sources"]}
    models = sorted({_trained(row, databases) for row in rows}, key=_order)
    judged = errors_on_test(asker, [model.model_id for model in models])
    whole = {(row["model_id"], row["evaluated_on"]): row for row in judged if row["slice_kind"] == "all"}
    unit = next((row["unit"] for row in judged), "")
    return Experiment(
        rows[0]["transfer_id"], rows[0]["target"], unit, tuple(sorted(databases)), tuple(models), whole,
        tuple(row for row in judged if row["slice_kind"] != "all"), rows[0], n_others,
    )


def _trained(row: Row, databases: set[str]) -> Trained:
    trained_on = tuple(row["trained_on"].split("+"))
    return Trained(row["model_id"], row["road"], trained_on, set(trained_on) == databases)


def errors_on_test(asker: Asker, model_ids: Iterable[str]) -> list[dict[str, Any]]:
    """The evaluations of models on test rows: in all and by slices, each model's in the order of the table's key."""
    names = {f"m{place}": model_id for place, model_id in enumerate(dict.fromkeys(model_ids))}
    if not names:
        return []
    # Named one by one: files of other models are then not even opened.
    listed = ", ".join(f"${name}" for name in names)
    return asker.select(
        f"select * from evaluations where model_id in ({listed}) and split = 'test' "  # noqa: S608 - names made here
        "order by model_id, evaluated_on, slice_kind, slice", **names,
    )


def _order(model: Trained) -> tuple[int, int, tuple[str, ...], str]:
    road = ROADS.index(model.road) if model.road in ROADS else len(ROADS)
    return road, len(model.trained_on), model.trained_on, model.model_id
