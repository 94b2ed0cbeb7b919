"""What a model's card says, as plain texts: the page and the Markdown both show these."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from analytics.report.ask import Asker
from analytics.report.formats import count, counted, moment, number, shortened, signed
from analytics.report.labels import label
from analytics.report.models.experiment import ROAD_WORDS, TOGETHER, Row
from analytics.report.models.kinds import TRAINED_ALONE, described
from analytics.report.models.limits import limits
from analytics.report.models.matrix import interval
from analytics.report.section import Sources
from analytics.report.sections.contents import declaration_of

MOST_SETTINGS = 60
SHOWN_APART = ("selection",)
DOMAIN = "domain"
SPLITS = ("test", "validation", "train")
Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class MetricLine:
    """Errors on one database and split."""

    on: str
    split: str
    n: int
    mae: str
    interval: str
    rmse: str
    bias: str
    r2: str


@dataclass(frozen=True)
class Facts:
    """The card of a model. Texts hold values from outside: whoever shows them escapes them."""

    model_id: str
    summary: str
    about: Pairs
    data: Pairs
    licence: Pairs
    citations: Pairs
    training: Pairs
    settings: Pairs
    metrics: list[MetricLine]
    limits: list[str]
    commands: list[str]
    unit: str


def facts_of(asker: Asker, row: Row, sources: Sources) -> Facts:
    """The facts of one model.

    Args:
        asker: the lake.
        row: its row of `models`.
        sources: the names that figures use.
    """
    model_id = row["model_id"]
    evaluated = asker.select(
        "select * from evaluations where model_id = $model and slice_kind = 'all' order by evaluated_on, split",
        model=model_id,
    )
    elements = asker.rows("model_elements", model=model_id)
    names = " + ".join(sources.short(name) for name in row["sources"])
    quantity = label(row["target"]).text
    summary = (
        f"Predicts the {quantity} ({row['unit']}) of a crystal; "
        f"{described(row['kind'], row['n_members'])}, trained on {counted(row['n_train'], 'row')} of {names}."
    )
    return Facts(
        model_id, summary, _about(row, quantity), _data(row, names), _licence(row), _citations(row, sources),
        _training(row), settings_of(row["settings_json"]),
        [_metric(one, sources) for one in _ordered(evaluated or errors_told(row), row)],
        limits(row, elements, evaluated, sources), _commands(row), row["unit"],
    )


def _about(row: Row, quantity: str) -> Pairs:
    road = ROAD_WORDS.get(row["road"], row["road"]) if len(row["sources"]) > 1 else None
    return [
        ("predicts", f"{quantity}, column {row['target']}, {row['unit']}"),
        ("refers to", shortened(row["target_reference"]) if row["target_reference"] else "nothing, or not known"),
        ("kind", row["kind"]),
        *([("several databases", str(road))] if road else []),
        ("saved", moment(row["created_at"])),
    ]


def _data(row: Row, names: str) -> Pairs:
    chosen = [f"subset {row['subset']}@{row['subset_version']}"] if row["subset"] else []
    chosen += [f"where {shortened(row['where_sql'], 2000)}"] if row["where_sql"] else []
    versions = [
        f"{table}@{version}" if version >= 0 else f"{table} (empty)" for table, version in row["table_versions"]
    ]
    return [
        ("databases", names),
        ("rows", ", ".join(chosen) or "all calculations with the target"),
        ("split", f"train {count(row['n_train'])}, validation {count(row['n_validation'])}, "
                  f"test {count(row['n_test'])}; by {row['split_key']}, seed {row['split_seed']}: all rows of one "
                  "material are in one split, in every database"),
        ("tables", ", ".join(versions) or "not recorded: the model comes from elsewhere"),
        ("digest of the data", row["data_sha256"]),
    ]


def _licence(row: Row) -> Pairs:
    allowed = row["redistributable"]
    return [
        ("licences of the rows", ", ".join(shortened(one, 80) for one in row["licenses"]) or "not known"),
        ("passing on", "every row's licence lets it be passed on, with the citations below" if allowed else
                       "not without asking: the licence of some of the rows does not let them be passed on, or is "
                       "not known"),
    ]


def _citations(row: Row, sources: Sources) -> Pairs:
    found = []
    for name in row["sources"]:
        declared = declaration_of(name)
        found += [(sources.short(name), text) for text in (declared.citations if declared else ())]
    return found


def _training(row: Row) -> Pairs:
    steps = f"{count(row['steps'])}, the best one {count(row['best_step'])}" if row["steps"] is not None else "–"
    steps += f"; stopped by {row['stopped']}" if row["stopped"] else ""
    alone = row["kind"] in TRAINED_ALONE
    members = "" if alone else f" × {counted(row['n_members'], 'member')}"
    libraries = _leaves("", _read(row["library_versions_json"]))
    return [
        ("parameters", f"{count(row['n_parameters'])}{members}"),
        ("seed", str(row["seed"])),
        *([] if alone else [("steps", steps)]),
        ("time", f"{number(row['seconds'], 0)} s on {row['device']}"),
        ("code", row["code_version"]),
        ("libraries", ", ".join(f"{name} {version}" for name, version in libraries) or "–"),
        ("digest of the weights", row["weights_sha256"]),
    ]


def settings_of(text: str | None) -> Pairs:
    """Settings as `part.name` and value, the first :data:`MOST_SETTINGS`; long lists are told by their length."""
    values = {name: value for name, value in _read(text).items() if name not in SHOWN_APART}
    if isinstance(inner := values.get("settings"), Mapping):
        # What it has seen is told under its limits.
        values["settings"] = {name: value for name, value in inner.items() if name != DOMAIN}
    found = list(_leaves("", values))
    more = len(found) - MOST_SETTINGS
    return found[:MOST_SETTINGS] + ([("more", f"{more:,} settings that are not shown")] if more > 0 else [])


def _read(text: str | None) -> Mapping[str, Any]:
    """A JSON object; empty where the text is none."""
    try:
        values = json.loads(text) if text else {}
    except ValueError:
        return {}
    return values if isinstance(values, Mapping) else {}


def _leaves(path: str, value: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and depth < 4:
        for name, inner in value.items():
            yield from _leaves(f"{path}.{name}" if path else str(name), inner, depth + 1)
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for place, one in enumerate(value):
            yield from _leaves(f"{path}.{place}", one, depth)
    elif isinstance(value, list) and len(value) > 8:
        yield path, f"{len(value):,} values"
    elif value not in (None, [], {}):
        yield path, shortened(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 120)


def _ordered(evaluated: list[dict[str, Any]], row: Row) -> list[dict[str, Any]]:
    """Test before validation before train; own databases first, all together last."""
    return sorted(evaluated, key=lambda one: (
        SPLITS.index(one["split"]) if one["split"] in SPLITS else 3, one["evaluated_on"] == TOGETHER,
        one["evaluated_on"] not in row["sources"], one["evaluated_on"]))


def errors_told(row: Row) -> list[dict[str, Any]]:
    """The errors that the row of a model carries along: all that is known of one that was evaluated elsewhere."""
    told = _read(row["metrics_json"])
    on = row["sources"][0] if len(row["sources"]) == 1 else TOGETHER
    groups = {on: told, **(by_source if isinstance(by_source := told.get("by_source"), Mapping) else {})}
    return [
        {"evaluated_on": name, "split": split, "mae_low": None, "mae_high": None, "n": one["n"],
         **{measure: one.get(measure) for measure in ("mae", "rmse", "bias", "r2")}}
        for name, of in groups.items() for split in SPLITS
        if isinstance(one := of.get(split), Mapping) and isinstance(one.get("n"), int)
    ]


def _metric(one: Row, sources: Sources) -> MetricLine:
    on = "all together" if one["evaluated_on"] == TOGETHER else sources.short(one["evaluated_on"])
    return MetricLine(on, one["split"], one["n"], number(one["mae"], 3), interval(one, "mae"), number(one["rmse"], 3),
                      signed(one["bias"]), number(one["r2"], 2))


def _commands(row: Row) -> list[str]:
    model_id = row["model_id"]
    subset = row["subset"] or "SUBSET"
    return [f"matlake predict {model_id} --on {subset}", f"matlake predict {model_id} --on structure.cif",
            f"matlake models {model_id}"]
