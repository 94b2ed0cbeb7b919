"""Retraining: the champions, and every decision with its reason."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from analytics.report.ask import Asker
from analytics.report.formats import counted, number, signed
from analytics.report.section import Caption, Section, Sources, cut

TITLE = "Retraining"
LEAD = (
    "When the rows of a model's subset have changed, a challenger is trained by the same recipe and both are judged on "
    "the same held-out materials. It becomes the champion only if the interval of the difference says that it is not "
    "worse by more than a margin declared before."
)
MOST_NAMES = 6
MOST_DECISIONS = 12


def section(asker: Asker, sources: Sources) -> Section:  # noqa: ARG001 - all sections are called alike
    """Per name the champion, and the newest decisions."""
    by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
    rows = asker.select("select * from promotions order by decided_at desc, name, decision desc")
    for row in rows:
        by_name[row["name"]].append(row)
    if not by_name:
        return Section("retraining", TITLE, LEAD, nothing=(
            "No model was retrained in this lake yet. Retrain one whose subset has changed: matlake retrain NAME."
        ))
    names, left_out = cut(list(by_name), MOST_NAMES)
    return Section("retraining", TITLE, LEAD, {
        "names": [_name(asker, name, by_name[name]) for name in names], "left_out": left_out,
    })


def _name(asker: Asker, name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    rows = sorted(rows, key=lambda row: -row["decision"])
    last = rows[0]
    shown, more = cut(rows, MOST_DECISIONS)
    unit = next((row["unit"] for row in rows if row["unit"]), "")
    return {
        "name": name, "champion": next((row["challenger_id"] for row in rows if row["promoted"]), None),
        "challenger": last["challenger_id"], "promoted": last["promoted"],
        "reason": last["reason"], "decided_at": last["decided_at"], "unit": unit, "more": more,
        "decisions": [row | {"interval": _interval(row), "versions": _versions(row)} for row in shown],
        "caption": Caption(
            f"Decisions, the newest first. MAE ({unit}) of both on rows that neither has seen; difference: challenger "
            "minus champion with its 95 % interval (paired bootstrap over materials); margin: how much larger it may "
            "be." if unit else "Decisions, the newest first.",
            asker.made_from("promotions"), counted(len(rows), "decision"),
            f"subset {last['subset']}" if last["subset"] else "none"),
    }


def _interval(row: dict[str, Any]) -> str:
    low, high = row["difference_low"], row["difference_high"]
    return "" if low is None or high is None else f"{signed(low)} … {signed(high)}"


def _versions(row: dict[str, Any]) -> str:
    before, after = row["champion_subset_version"], row["challenger_subset_version"]
    found = [str(version) for version in (before, after) if version is not None]
    return " → ".join(found) or number(None)
