"""What decides the form of a graph network: plain values that read and write JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from lake.errors import InputError

KINDS = ("schnet", "mpeu", "painn")
QUOTIENT_KINDS = ("schnet", "mpeu")
"""Kinds that see only elements and distances: exact on quotient graphs."""
ACTIVATIONS = ("ssp", "relu", "swish")
AGGREGATIONS = ("mean", "sum")
MOST_MEMBERS = 64
LARGEST_ATOMIC_NUMBER = 118
OF_KIND: Mapping[str, Mapping[str, Any]] = {
    "schnet": {"n_rbf": 150, "activation": "ssp"},
    "mpeu": {"n_rbf": 150, "activation": "ssp"},
    "painn": {"n_rbf": 20, "activation": "swish"},
}


@dataclass(frozen=True)
class InputSizes:
    """How many numbers an encoding of calculation settings has, and of what kind (``ml.models.inputs``).

    Attributes:
        categories: values of every category, the unknown one included.
        n_numbers: scaled numbers; each comes with a flag that says whether it is missing.
    """

    categories: tuple[int, ...] = ()
    n_numbers: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", tuple(self.categories))
        if not all(type(n) is int and n >= 1 for n in self.categories) or type(self.n_numbers) is not int \
                or self.n_numbers < 0:
            raise InputError(f"Inputs of a network: {self.categories!r:.80} categories and {self.n_numbers!r:.40} "
                             "numbers; whole numbers are needed, from 1 and from 0.")

    @property
    def width(self) -> int:
        """Columns of an encoded row: one per category, two per number."""
        return len(self.categories) + 2 * self.n_numbers


@dataclass(frozen=True)
class ModelSettings:
    """The form of a graph network (search space of Speckhard et al., Faraday Discuss. 256, 483 (2025)).

    Attributes:
        kind: schnet, mpeu (SchNet with edge updates) or painn.
        elements: atomic numbers that the network knows, ascending.
        channels: C, the width of node features.
        steps: message-passing steps.
        n_members: networks trained together on the same batches; each has weights of its own.
        aggregation: mean over neighbours (solids) or sum (molecules).
        n_rbf: Gaussians that spread a distance; None: 150, PaiNN 20.
        activation: ssp (shifted softplus), relu or swish; None: ssp, PaiNN swish.
        depth: linear layers in every perceptron.
        global_readout: layers after pooling; 0: every atom's contribution is read out and then averaged.
        norm: LayerNorm on what a step adds to nodes and makes of edges.
        dropout: share of hidden values dropped in training.
        cutoff_angstrom: where PaiNN's filters have fallen to zero; the other kinds have no cutoff function.
        inputs: sizes of the settings of calculations that enter beside the crystal; None: none do.
    """

    kind: str
    elements: tuple[int, ...]
    channels: int = 64
    steps: int = 3
    n_members: int = 1
    aggregation: str = "mean"
    n_rbf: int | None = None
    activation: str | None = None
    depth: int = 2
    global_readout: int = 0
    norm: bool = False
    dropout: float = 0.0
    cutoff_angstrom: float = 6.0
    inputs: InputSizes | None = field(default=None)

    def __post_init__(self) -> None:
        one_of("kind of network", self.kind, KINDS)
        for name, value in OF_KIND[self.kind].items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        one_of("activation", self.activation, ACTIVATIONS)
        one_of("aggregation", self.aggregation, AGGREGATIONS)
        for name, least, most in (("channels", 2, 4096), ("steps", 1, 32), ("n_members", 1, MOST_MEMBERS),
                                  ("n_rbf", 2, 4096), ("depth", 1, 16), ("global_readout", 0, 16)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise InputError(f"{name} of a network is {value!r:.40}; a whole number from {least} to {most} is "
                                 "needed.")
        if type(self.norm) is not bool:
            raise InputError(f"norm of a network is {self.norm!r:.40}; true or false is needed.")
        if not is_number(self.dropout) or not 0 <= self.dropout < 1:
            raise InputError(f"dropout of a network is {self.dropout!r:.40}; a number from 0 to below 1 is needed.")
        if not is_number(self.cutoff_angstrom) or not 0.5 <= self.cutoff_angstrom <= 50:
            raise InputError(f"cutoff_angstrom of a network is {self.cutoff_angstrom!r:.40}; 0.5 to 50 is needed.")
        object.__setattr__(self, "elements", tuple(self.elements))
        known = set(range(1, LARGEST_ATOMIC_NUMBER + 1))
        if not self.elements or list(self.elements) != sorted(known & set(self.elements)):
            raise InputError(f"The elements of a network are {self.elements!r:.80}; atomic numbers from 1 to "
                             f"{LARGEST_ATOMIC_NUMBER} are needed, at least one, ascending.")

    def plain(self) -> dict[str, Any]:
        """The fields as JSON can hold them."""
        values = asdict(self)
        values["elements"] = list(self.elements)
        if self.inputs is not None:
            values["inputs"] = {"categories": list(self.inputs.categories), "n_numbers": self.inputs.n_numbers}
        return values

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> ModelSettings:
        """The settings that plain values describe, such as those of :meth:`plain`.

        Raises:
            InputError: a field is unknown or missing, or a value is not what it should be.
        """
        known = [one.name for one in fields(cls)]
        if unknown := sorted(set(given) - set(known)):
            raise InputError(f"A network has no setting {unknown[0]!r:.80}. Settings: {', '.join(known)}.")
        inputs = given.get("inputs")
        try:
            sizes = InputSizes(**inputs) if isinstance(inputs, Mapping) else inputs
            if not isinstance(sizes, InputSizes | None):
                raise TypeError(f"inputs is {inputs!r:.40}, no sizes by name")
            return cls(**dict(given) | {"inputs": sizes})
        except TypeError as error:
            raise InputError(f"The settings of a network are incomplete or of the wrong form: {error}.") from None


def one_of(what: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        InputError: with the choices.
    """
    if value not in choices:
        raise InputError(f"There is no {what} {value!r:.80}; one of {', '.join(choices)} is needed.")


def is_number(value: object) -> bool:
    """Whether it is a number and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)
