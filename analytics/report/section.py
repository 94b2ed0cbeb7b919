"""The parts of the page: a section, and the caption that every figure and table carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Caption:
    """What is seen, from which rows, how many, and from which versions of the tables."""

    text: str
    made_from: tuple[str, ...]
    n: str
    filter: str = "none"


@dataclass(frozen=True)
class Section:
    """One section: ``content`` goes to the template of the same name; ``nothing`` says why there is none."""

    name: str
    title: str
    lead: str
    content: Mapping[str, Any] = field(default_factory=dict)
    nothing: str | None = None


@dataclass(frozen=True)
class Sources:
    """The databases of the lake in a fixed order, so that each keeps its colour on the whole page."""

    names: tuple[str, ...]
    titles: Mapping[str, str]

    COLOURS = 8

    def colour(self, name: str) -> str:
        """The CSS class of a source's colour: s0 … s7, used again from the ninth source on."""
        return f"s{self.names.index(name) % self.COLOURS}" if name in self.names else "s0"

    def short(self, name: str) -> str:
        """The name of a source as it stands in figures."""
        return self.titles.get(name, name)


def cut(rows: Sequence[Any], most: int) -> tuple[list[Any], int]:
    """The first rows of a table, and how many are not shown."""
    return list(rows[:most]), max(0, len(rows) - most)
