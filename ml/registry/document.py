"""`model.json`: all that a model computes with but its weights, as plain values that are checked when they are read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

from lake.crystal.formula import SYMBOLS
from lake.errors import InputError
from ml.data.target import Target
from ml.spec import ModelSpec

FORMAT = "matlake model"
SCHEMA = 1
MOST_BYTES = 64 * 2**20
MOST_DEPTH = 40
FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "format": str, "schema": int, "target": dict, "spec": dict, "settings": dict, "elements": list,
    "encoding": (dict, type(None)), "mean": (int, float), "scale": (int, float),
    "baseline": dict,
}


@dataclass(frozen=True)
class Document:
    """What a model is, beside its weights.

    Attributes:
        target: what it predicts.
        spec: what was asked: how to make it again.
        settings: what that became: all settings of model, graph, features and training, by part.
        elements: atomic numbers that it has seen, ascending.
        encoding: how settings of calculations become inputs; None = it takes none.
        mean: of the target over the training rows, in its unit.
        scale: its standard deviation, in the same unit.
        baseline: atomic number → what it adds to the mean over atoms, in the unit of the target; mean and scale are
            those of what is left. Empty = nothing is added.
    """

    target: Target
    spec: ModelSpec
    settings: dict[str, Any]
    elements: tuple[int, ...]
    encoding: dict[str, Any] | None
    mean: float
    scale: float
    baseline: dict[int, float] = field(default_factory=dict)

    def content(self) -> bytes:
        """The file, always spelled the same way."""
        values = {
            "format": FORMAT, "schema": SCHEMA, "target": asdict(self.target), "spec": asdict(self.spec),
            "settings": self.settings, "elements": list(self.elements), "encoding": self.encoding, "mean": self.mean,
            "scale": self.scale, "baseline": {str(z): value for z, value in sorted(self.baseline.items())},
        }
        return json.dumps(values, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n"

    @classmethod
    def of(cls, content: bytes, where: str) -> Document:
        """The document that a file holds.

        Args:
            content: the file.
            where: its name, for messages.

        Raises:
            InputError: it is no such file, of a later schema, or a value in it is not what it should be.
        """
        values = _values(content, where)
        try:
            target, spec = Target(**values["target"]), ModelSpec.of(values["spec"])
        except (InputError, TypeError) as error:
            raise InputError(f"{where} describes no model of matlake's: {error}") from None
        if not all(isinstance(v, str) for v in (target.column, target.unit, target.label)):
            raise InputError(f"{where}: the target is not named by texts.")
        elements = values["elements"]
        if not all(type(z) is int and 1 <= z <= len(SYMBOLS) for z in elements) or elements != sorted(set(elements)):
            raise InputError(f"{where}: its elements are no ascending atomic numbers.")
        if not (math.isfinite(values["mean"]) and math.isfinite(values["scale"]) and values["scale"] > 0):
            raise InputError(f"{where}: mean and scale of the target are no finite numbers, or the scale is not above "
                             "0: nothing can be predicted.")
        return cls(
            target, spec, values["settings"], tuple(elements), values["encoding"], float(values["mean"]),
            float(values["scale"]), _baseline(values["baseline"], where),
        )


def _baseline(values: dict[str, Any], where: str) -> dict[int, float]:
    try:
        found = {int(number): float(value) for number, value in values.items()}
    except (TypeError, ValueError):
        found = {0: math.nan}
    if not all(1 <= number <= len(SYMBOLS) and math.isfinite(value) for number, value in found.items()):
        raise InputError(f"{where}: its baseline is not one finite number per element.")
    return found


def read_json(content: bytes, where: str) -> Any:
    """Plain values from a file that may be from anywhere.

    Raises:
        InputError: it is too large, no JSON, or nested deeper than anything that a model needs.
    """
    if len(content) > MOST_BYTES:
        raise InputError(f"{where} has {len(content) / 2**20:,.0f} MB; what is said of a model has at most "
                         f"{MOST_BYTES // 2**20}. It is not one of matlake's.")
    try:
        values = json.loads(content.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} cannot be read as JSON: {error}. Is the file cut or damaged?") from None
    if _depth(values) > MOST_DEPTH:
        raise InputError(f"{where} is nested deeper than any model's description.")
    return values


def _values(content: bytes, where: str) -> dict[str, Any]:
    values = read_json(content, where)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise InputError(f"{where} is not the description of a model: its format is not {FORMAT!r}.")
    schema = values.get("schema")
    if type(schema) is not int or schema < 1:
        raise InputError(f"{where}: its schema {schema!r:.40} is no number.")
    if schema > SCHEMA:
        raise InputError(f"{where} has schema {schema}, and this matlake reads up to {SCHEMA}: install a newer one.")
    for name, kinds in FIELDS.items():
        if name not in values or not isinstance(values[name], kinds) or isinstance(values[name], bool):
            raise InputError(f"{where}: {name} is missing or of the wrong form.")
    return dict(values)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0
