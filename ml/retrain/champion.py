"""Champions: which model of a name is the one to use, as `promotions` tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml.registry import rows

if TYPE_CHECKING:
    from lake.store.lake import Lake


def history(lake: Lake, name: str | None = None) -> list[dict[str, Any]]:
    """The decisions on one name or all, by name and number, as rows of `promotions`."""
    where = None if name is None else f"name = '{rows.check_name(name)}'"
    found: list[dict[str, Any]] = lake.read("promotions", where=where).to_pylist()
    return sorted(found, key=lambda row: (row["name"], row["decision"]))


def champion_id(lake: Lake, name: str) -> str | None:
    """The model that was promoted last; None where the name was never under retraining."""
    promoted = [row for row in history(lake, name) if row["promoted"]]
    return str(promoted[-1]["challenger_id"]) if promoted else None


def enrolled(lake: Lake) -> list[str]:
    """The names under retraining, alphabetical."""
    return sorted({row["name"] for row in history(lake)})
