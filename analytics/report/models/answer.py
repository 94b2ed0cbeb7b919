"""The answer in words: does a model of the combined data do at least as well as each database's own?"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from analytics.report.formats import count, number, percent, signed
from analytics.report.models.experiment import Experiment, Row
from analytics.report.section import Sources

QUESTION = "Does a model of all databases do at least as well on each of them as the database's own?"


@dataclass(frozen=True)
class Answer:
    """One model of several databases: yes, no or open, and a sentence per database."""

    words: str
    verdict: str
    kind: str
    sentences: tuple[str, ...]


def answers(experiment: Experiment, compared: list[dict[str, Any]], sources: Sources) -> list[Answer]:
    """The answers for the models that learned from several databases.

    Args:
        experiment: the experiment.
        compared: rows of the query `transfer_against_own`.
        sources: the names that figures use.
    """
    by_model: dict[str, list[Row]] = defaultdict(list)
    for row in compared:
        if len(row["trained_on"].split("+")) > 1 and row["evaluated_on"] in row["trained_on"].split("+"):
            by_model[row["model_id"]].append(row)
    found = []
    for model in experiment.models:
        rows = by_model.get(model.model_id, [])
        if rows:
            verdict, kind = _verdict(rows, sources)
            sentences = tuple(_sentence(row, experiment.unit, sources) for row in rows)
            found.append(Answer(model.words(sources), verdict, kind, sentences))
    return found


def _verdict(rows: list[Row], sources: Sources) -> tuple[str, str]:
    def on(chosen: list[Row]) -> str:
        return " and ".join(sources.short(row["evaluated_on"]) for row in chosen)

    if worse := [row for row in rows if (row["difference_low"] or 0) > 0]:
        return f"no, it is worse on {on(worse)}", "plus"
    if few := [row for row in rows if row["difference_low"] is None]:
        return f"open, there are too few test materials of {on(few)}", "open"
    if unsure := [row for row in rows if row["difference_high"] > 0]:
        return f"yes, as far as can be told: on {on(unsure)} there is no difference beyond the interval", "minus"
    return "yes, it is better on each", "minus"


def _sentence(row: Row, unit: str, sources: Sources) -> str:
    change = 100 * abs(row["difference"]) / row["own_mae"] if row["own_mae"] else None
    ends = ""
    if row["difference_low"] is not None:
        ends = f", 95 % interval {signed(row['difference_low'])} … {signed(row['difference_high'])}"
    word = "larger" if row["difference"] > 0 else "smaller"
    clear = row["difference_low"] is not None and (row["difference_low"] > 0 or row["difference_high"] < 0)
    return (
        f"{sources.short(row['evaluated_on'])}: MAE {number(row['mae'], 3)} against {number(row['own_mae'], 3)} {unit} "
        f"of its own, {percent(change)} {word}{'' if clear else ' (within the interval)'}: "
        f"{signed(row['difference'])}{ends}, over {count(row['n_materials'])} test materials."
    )
