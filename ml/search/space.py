"""What a search varies: settings of network, training and graphs, each with choices or a range."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lake.errors import InputError
from ml.search.parameter import Parameter

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from ml.spec import ModelSpec

PAPER = "paper"
SHORT = "short"
MOST_BYTES = 2**20
FORM: dict[str, Any] = {
    "model.steps": [2, 3, 4, 5], "model.channels": [128, 256, 512], "model.depth": [2, 3, 4],
    "model.global_readout": [0, 2], "model.activation": ["ssp", "relu", "swish"], "model.norm": [False, True],
    "model.dropout": [0.0, 0.01, 0.05],
}
SPACES: Mapping[str, Mapping[str, Any]] = {
    PAPER: FORM | {
        "training.learning_rate": [2e-5, 1e-4], "training.decay": [0.96, 0.98, 1.0], "training.batch_size": [32, 64],
    },
    SHORT: FORM | {
        "model.channels": [32, 64, 128],
        "training.learning_rate": {"low": 5e-4, "high": 2e-2, "log": True}, "training.batch_size": [32, 64],
    },
}
"""``paper``: that of Speckhard et al., for millions of steps; ``short``: rates and widths for some ten thousand."""
BASES: Mapping[str, Mapping[str, Any]] = {
    PAPER: {"training.schedule": "exponential", "training.clip": None},
    SHORT: {},
}
"""What all candidates of a named space have in common: the paper's training falls exponentially."""
FIXED = ("training.steps", "training.evaluate_every", "training.seed", "training.device", "training.threads",
         "training.checkpoint_seconds", "training.capture", "training.most_validation_rows", "model.kind",
         "model.elements", "model.n_members", "model.inputs", "graph.kind", "n_members", "seed")
"""Settings that cannot differ between candidates: they would not be comparable, or matlake sets them."""


@dataclass(frozen=True)
class Space:
    """Settings that are varied.

    Attributes:
        name: of the space, or of its file.
        parameters: by path, in the order of the space.
    """

    name: str
    parameters: tuple[Parameter, ...]

    @classmethod
    def of(cls, name: str, given: Any) -> Space:
        """The space that plain values describe: path → choices or range.

        Raises:
            InputError: a path or its values are impossible, or nothing is varied.
        """
        if not isinstance(given, Mapping) or not given:
            raise InputError(f"The space {name} names no settings. It looks like "
                             '{"model.channels": [64, 128], "training.learning_rate": {"low": 1e-4, "high": 1e-2, '
                             '"log": true}}.')
        for path in given:
            if path in FIXED or not isinstance(path, str):
                raise InputError(f"The space {name} cannot vary {path!r:.60}: it must be the same for all candidates.")
        space = cls(name, tuple(Parameter.of(path, values) for path, values in given.items()))
        if space.size == 1:
            raise InputError(f"The space {name} holds one candidate: there is nothing to search. `matlake train` "
                             "trains it.")
        return space

    @classmethod
    def named(cls, name: str) -> Space:
        """A space that matlake knows, or the one in a file (JSON or TOML).

        Raises:
            InputError: there is no such space or file, or the file holds none.
        """
        if name in SPACES:
            return cls.of(name, SPACES[name])
        path = Path(name)
        if not path.suffix:
            raise InputError(f"There is no space {name!r:.80}. Spaces: {', '.join(SPACES)}, or a file in JSON or TOML.")
        return cls.of(path.name, _read(path))

    @property
    def plain(self) -> dict[str, Any]:
        """Path → choices or range."""
        return {one.path: one.plain for one in self.parameters}

    @property
    def base(self) -> Mapping[str, Any]:
        """Settings that all candidates have, by path, where a person does not say otherwise."""
        return BASES.get(self.name, {})

    @property
    def size(self) -> float:
        """Candidates that there are; infinite with a range of any numbers."""
        return math.prod(one.n_values for one in self.parameters)

    def distributions(self) -> dict[str, BaseDistribution]:
        """As Optuna draws from them, by path."""
        return {one.path: one.distribution() for one in self.parameters}

    def check(self, base: ModelSpec) -> None:
        """Refuse values that are impossible for all candidates alike.

        Args:
            base: what the candidates have in common.

        Raises:
            InputError: a setting does not exist, or a value is out of its bounds; the message names both.
        """
        for one in self.parameters:
            for value in one.ends:
                try:
                    check_settings(base.setting(one.path, value))
                except InputError as error:
                    raise InputError(f"The space {self.name} cannot hold {one.path} = {value!r:.60}: {error}") from None


def check_settings(spec: ModelSpec) -> None:
    """Refuse settings that no network can have.

    Raises:
        InputError: a name is unknown, or a value is out of its bounds.
    """
    from ml.graphs.settings import GraphSettings
    from ml.models import ModelSettings
    from ml.models.settings import QUOTIENT_KINDS
    from ml.training.settings import TrainSettings

    ModelSettings.of({**spec.model, "kind": spec.kind, "elements": (1,)})
    TrainSettings.of(dict(spec.training))
    GraphSettings.of({"kind": "quotient" if spec.kind in QUOTIENT_KINDS else "full"} | dict(spec.graph))


def with_parameters(base: ModelSpec, parameters: Mapping[str, Any]) -> ModelSpec:
    """The spec of a candidate.

    Args:
        base: what all have in common.
        parameters: values of the space by path.

    Raises:
        InputError: they are impossible.
    """
    for path, value in parameters.items():
        base = base.setting(path, value)
    return base


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"The space {path} cannot be read: {error.strerror}. Spaces that need no file: "
                         f"{', '.join(SPACES)}.") from None
    if len(content) > MOST_BYTES:
        raise InputError(f"{path} is larger than {MOST_BYTES // 2**20} MB: it is no space.")
    try:
        if path.suffix.lower() == ".toml":
            return _flat(tomllib.loads(content.decode()))
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The space {path} cannot be read as {path.suffix[1:].upper()}: {error}.") from None


def _flat(given: Mapping[str, Any]) -> dict[str, Any]:
    """A table per section, as TOML is written by hand, to paths: ``[model] channels`` is ``model.channels``."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, Mapping) and "low" not in value:
            found |= {f"{name}.{inner}": values for inner, values in value.items()}
        else:
            found[name] = value
    return found
