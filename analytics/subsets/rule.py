"""A rule over settings: any of several groups of conditions, as SQL, as a test of a row, and as a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analytics.subsets.steps import TITLES, text_literal

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Setting:
    """A setting that a rule may speak of.

    Attributes:
        name: its name in messages and in rows.
        sql: its expression over `calculation_traits`.
        words: what it is called in a sentence.
        unit: unit of a number; None for a text.
        places: words for a value's place in a sentence, ``{}`` being the value.
    """

    name: str
    sql: str
    words: str
    unit: str | None = None
    places: str = "{}"

    @property
    def is_number(self) -> bool:
        """Whether larger values are better ones: more k-points, a larger basis."""
        return self.unit is not None


SETTINGS = (
    Setting("functional", "lower(xc_functional)", "functional"),
    Setting("plus_u", "plus_u", "+U", places="+U {}"),
    Setting("basis_set", "basis_set", "basis"),
    Setting("cutoff_ev", "cutoff_ev", "cutoff", unit="eV"),
    Setting("basis_functions_per_atom", "case when cutoff_ev is null then n_basis_functions / n_sites end",
            "number of basis functions per atom", unit=""),
    Setting("k_point_density_angstrom", "k_point_density_angstrom", "k-point density", unit="Å"),
    Setting("settings_tier", "lower(settings_tier)", "tier", places="{} settings"),
    Setting("spin_polarized", "cast(spin_polarized as varchar)", "spin polarisation", places="spin polarisation {}"),
    Setting("core_treatment", "core_treatment", "core treatment"),
    Setting("relativity", "relativity", "relativity", places="relativity {}"),
    Setting("code", "lower(code)", "code", places="the code {}"),
)
"""In the order in which they are preferred where several tell the same apart. The number of basis functions is
looked at only where there is no cutoff: with plane waves it depends on the cell's volume."""


@dataclass(frozen=True)
class Condition:
    """One condition on one setting: a number of at least ``value``, a text equal to ``value``, or null.

    A null never reaches a number, and is no text. Every condition is true or false, never null.
    """

    setting: Setting
    value: float | str | None

    @property
    def sql(self) -> str:
        """The condition over `calculation_traits`."""
        expression = self.setting.sql
        if self.value is None:
            return f"({expression}) is null"
        if isinstance(self.value, str):
            return f"({expression}) is not distinct from {text_literal(self.value)}"
        return f"coalesce(({expression}) >= {number_literal(self.value)}, false)"

    def fits(self, row: Row) -> bool:
        """Whether a row, setting by name, fulfils it."""
        found = row[self.setting.name]
        if self.value is None:
            return found is None
        if isinstance(self.value, str):
            return bool(found == self.value)
        return bool(found is not None and found >= self.value)

    def __str__(self) -> str:
        words, unit = self.setting.words, f" {self.setting.unit}".rstrip() if self.setting.unit else ""
        if self.value is None:
            return f"unknown {words}"
        if isinstance(self.value, str):
            return self.setting.places.format(TITLES.get(self.value, self.value))
        return f"{words} of at least {repr(self.value).removesuffix('.0')}{unit}"


@dataclass(frozen=True)
class Rule:
    """Rows that fulfil all conditions of one of the groups; no group = no row, a group without any = all rows."""

    groups: tuple[tuple[Condition, ...], ...]

    @property
    def is_everything(self) -> bool:
        """Whether it lets every row pass."""
        return any(not group for group in self.groups)

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings that it speaks of, in their order."""
        named = {condition.setting.name for group in self.groups for condition in group}
        return tuple(setting for setting in SETTINGS if setting.name in named)

    @property
    def sql(self) -> str:
        """The rule as one condition over `calculation_traits`, true or false."""
        groups = [" and ".join(c.sql for c in group) or "true" for group in self.groups]
        return " or ".join(f"({group})" for group in groups) or "false"

    def fits(self, row: Row) -> bool:
        """Whether it lets a row pass; setting by name."""
        return any(all(condition.fits(row) for condition in group) for group in self.groups)

    def __str__(self) -> str:
        groups = [_sentence(group) for group in self.groups]
        return "; or ".join(groups) or "nothing"


def _sentence(group: tuple[Condition, ...]) -> str:
    return " and ".join(map(str, group)) or "everything"


def number_literal(value: float) -> str:
    """A number as DuckDB reads it to the last bit: with an exponent it is a double, without one a decimal."""
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"
