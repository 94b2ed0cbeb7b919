"""A model's card as Markdown: what it is, what it learned from, how good it is, what it is not for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from analytics.report.ask import Asker
from analytics.report.formats import count
from analytics.report.models.facts import Facts, Pairs, facts_of
from analytics.report.sections.contents import sources_of
from lake.errors import InputError

if TYPE_CHECKING:
    from lake.store.lake import Lake

SPECIAL = re.compile(r"([\\`*\[\]<|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
"""What could become markup inside a line; an underscore within a word is none."""


def card(lake: Lake, model_id: str) -> str:
    """The card of a model as Markdown; it reads the lake's tables alone, not the model's files.

    Args:
        lake: where the model is.
        model_id: ``name.version``, or a name: its champion, without one its newest version.

    Raises:
        InputError: there is no such model.
    """
    with Asker.of(lake) as asker:
        rows = asker.select(
            "select models.* from models left join promotions on models.model_id = promotions.challenger_id "
            "and promotions.promoted where models.model_id = $model or models.name = $model "
            "order by promotions.decision desc nulls last, models.version desc limit 1", model=model_id,
        )
        if not rows:
            raise InputError(f"There is no model {model_id!r:.80} in this lake: matlake models lists those that are.")
        return markdown(facts_of(asker, rows[0], sources_of(asker.rows("sources"))))


def markdown(facts: Facts) -> str:
    """Facts as Markdown; values from outside cannot leave their line or become markup."""
    parts = [
        f"# {plain(facts.model_id)}", plain(facts.summary), _list(facts.about),
        "## Data", _list(facts.data),
        "## Licence", _list(facts.licence),
        "## To be cited", _list(facts.citations) if facts.citations else "Nothing is declared for its databases.",
        f"## Errors ({plain(facts.unit)})", _metrics(facts),
        "## Limits", "\n".join(f"- {plain(text)}" for text in facts.limits),
        "## Use", "\n".join(["```bash", *(_line(one).replace("`", "") for one in facts.commands), "```"]),
        "## Training", _list(facts.training),
        *(["## Settings", _list(facts.settings)] if facts.settings else []),
    ]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """A text in one line that reads as it is spelled."""
    return SPECIAL.sub(r"\\\1", _line(text))


def _line(text: str) -> str:
    return " ".join(str(text).split())


def _list(pairs: Pairs) -> str:
    return "\n".join(f"- **{plain(term)}**: {plain(text)}" for term, text in pairs)


def _metrics(facts: Facts) -> str:
    if not facts.metrics:
        return "It was not evaluated in this lake."
    lines = ["| on | split | rows | MAE | 95 % interval | RMSE | bias | R² |", "|---|---|--:|--:|--:|--:|--:|--:|"]
    for one in facts.metrics:
        cells = (one.on, one.split, count(one.n), one.mae, one.interval.strip("[]") or "–", one.rmse, one.bias, one.r2)
        lines.append(f"| {' | '.join(plain(cell) for cell in cells)} |")
    return "\n".join(lines)
