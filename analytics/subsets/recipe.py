"""A recipe: everything that decides which calculations are in a subset, as one value that reads and writes JSON."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lake.errors import InputError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "functional_of": ("both", "energy", "gap"),
    "unknown_functional": ("keep", "drop"),
    "hubbard_u": ("any", "none", "same"),
    "unknown_hubbard_u": ("keep", "drop"),
    "key_kind": ("reduced_key", "cell_key"),
    "members": ("all", "one"),
    "per": ("material", "material-and-source"),
    "reference": ("converged", "medoid"),
    "unknown_settings": ("drop", "keep"),
}


@dataclass(frozen=True)
class Learn:
    """How a rule over settings is learned from similarities of densities of states.

    Attributes:
        grid: the grid of the fingerprints.
        similarity: from which Tanimoto coefficient a calculation counts as like its material's reference.
        reference: what a material's calculations are compared with: its most ``converged`` one, or its ``medoid``.
        share: a group of settings is kept if at least this share of its calculations is like the reference.
        depth: most conditions on the way to a group.
        smallest_group: fewest calculations that a group of settings is made of.
        unknown_settings: ``drop`` or ``keep`` rows that state none of the settings that the rule speaks of.
    """

    grid: str = "dos-reference"
    similarity: float = 0.75
    reference: str = "converged"
    share: float = 0.9
    depth: int = 3
    smallest_group: int = 5
    unknown_settings: str = "drop"

    def __post_init__(self) -> None:
        _check_choices(self, "learn.")
        _check_number("learn.similarity", self.similarity, 0, 1)
        _check_number("learn.share", self.share, 0, 1)
        _check_whole("learn.depth", self.depth, 1, 3)
        _check_whole("learn.smallest_group", self.smallest_group, 2, 1_000_000)


@dataclass(frozen=True)
class Recipe:
    """What a subset consists of.

    Attributes:
        name: of the subset.
        where: SQL conditions over `calculation_traits`; a row for which one is false or null is left out.
        functional: the functional that a known one must be; None = any.
        functional_of: whose functional is meant: of the energy, of the gap, or ``both``.
        unknown_functional: ``keep`` or ``drop`` rows whose functional is unknown (with ``both``: either).
        hubbard_u: ``any``; ``none``: without +U; ``same``: within a material, the rows of one +U.
        unknown_hubbard_u: ``keep`` or ``drop`` rows of which it is unknown.
        complete: columns that must have a value.
        sources: databases; empty = all.
        deprecated: whether rows stay that their source has withdrawn.
        learn: how a rule is learned from similarities; None = not.
        correct: the database to whose level the formation energies of the others are brought; None = not.
        correct_at_least: an element in fewer common materials is not fitted, and its materials are left out.
        members: ``all``, or ``one`` representative.
        per: of what it is representative.
        grid: fingerprints that help to choose it (the most typical one among equally converged); None = none.
        key_kind: what makes two rows the same material. Splits always go by the reduced key.
        split: shares of train, validation and test.
    """

    name: str
    where: tuple[str, ...] = ()
    functional: str | None = None
    functional_of: str = "both"
    unknown_functional: str = "keep"
    hubbard_u: str = "any"
    unknown_hubbard_u: str = "keep"
    complete: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    deprecated: bool = False
    learn: Learn | None = None
    correct: str | None = None
    correct_at_least: int = 5
    members: str = "all"
    per: str = "material"
    grid: str | None = None
    key_kind: str = "reduced_key"
    split: tuple[float, float, float] = (0.8, 0.1, 0.1)

    def __post_init__(self) -> None:
        check_name(self.name)
        _check_choices(self, "")
        _check_whole("correct_at_least", self.correct_at_least, 1, 1_000_000)
        if len(self.split) != 3 or min(self.split) < 0 or abs(sum(self.split) - 1) > 1e-9:
            raise InputError(f"split {list(self.split)}: three shares that add up to 1, such as [0.8, 0.1, 0.1].")

    def json(self) -> str:
        """All fields as JSON, always spelled the same way."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Recipe:
        """The recipe that plain values describe, such as those of a JSON or TOML file; the rest is default.

        Raises:
            InputError: a field is unknown, missing, or of the wrong form.
        """
        values = dict(given)
        learn = values.pop("learn", None)
        if learn is True:
            learn = {}
        if isinstance(learn, Mapping):
            values["learn"] = Learn(**_typed(Learn, learn, "learn."))
        elif learn not in (None, False):
            raise InputError(f"Recipe: learn is {learn!r:.80}; it is a table such as {{similarity = 0.8}}, or true.")
        if "name" not in values:
            raise InputError("Recipe: it needs a name.")
        return cls(**_typed(cls, values, ""))

    def but(self, given: Mapping[str, Any]) -> Recipe:
        """This recipe with other values in some fields."""
        return Recipe.of(asdict(self) | dict(given))

    def named(self, name: str) -> Recipe:
        """The same under another name."""
        return replace(self, name=name)


def read_recipe(path: Path) -> dict[str, Any]:
    """The fields that a recipe file (.toml or .json) gives.

    Raises:
        InputError: the file cannot be read, or is neither.
    """
    try:
        text = path.read_text("utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise InputError(f"Recipe {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InputError(f"Recipe {path} is no {'JSON' if path.suffix == '.json' else 'TOML'}: {error}.") from None
    if not isinstance(found, dict):
        raise InputError(f"Recipe {path}: one table of fields is needed, such as functional = \"pbe\".")
    return found


def check_name(name: str) -> str:
    """The name, if it can be one of a subset.

    Raises:
        InputError: it holds something else than a–z, 0–9, _ and -, or is too long.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InputError(
            f"{name!r:.80} is no name for a subset: use a–z, 0–9, _ and -, starting with a letter or digit, "
            "64 characters at most."
        )
    return name


def _typed(kind: type, given: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Values by field, lists as tuples; everything else must already have the field's type."""
    known = {field.name: str(field.type) for field in fields(kind)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            close = get_close_matches(str(name), known, n=1)
            hint = f" Is {close[0]} meant?" if close else ""
            raise InputError(f"Recipe: there is no field {place}{name!s:.80}.{hint} Fields: {', '.join(known)}.")
        values[name] = _value(place + name, known[name], value)
    return values


def _value(name: str, kind: str, value: Any) -> Any:
    if value is None and "None" in kind:
        return None
    if kind.startswith("tuple[str") and isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
        return tuple(v.strip() for v in value)
    if kind.startswith("tuple[float") and isinstance(value, list | tuple) and all(map(_is_number, value)):
        return tuple(map(float, value))
    if kind.startswith("str") and isinstance(value, str):
        return value.strip()
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == "float" and _is_number(value):
        return float(value)
    if kind.startswith("Learn") and isinstance(value, Learn):
        return value
    raise InputError(f"Recipe: {name} is {value!r:.80}, which is no {kind.replace(' | None', '')}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0


def _check_choices(recipe: object, place: str) -> None:
    for name, choices in CHOICES.items():
        value = getattr(recipe, name, choices[0])
        if value not in choices:
            raise InputError(f"Recipe: {place}{name} is {value!r:.80}; one of {', '.join(choices)}.")


def _check_number(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"Recipe: {name} is {value}; between {low} and {high}.")


def _check_whole(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InputError(f"Recipe: {name} is {value}; between {low} and {high}.")
