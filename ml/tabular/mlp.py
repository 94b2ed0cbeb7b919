"""A multilayer perceptron on features, as a network of the same form as those on graphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lake.errors import InputError
from ml.models.layers import Linear, Perceptron, Seeds
from ml.models.settings import ACTIVATIONS, MOST_MEMBERS, is_number, one_of

if TYPE_CHECKING:
    from ml.tabular.rows import FeatureBatch

# A feature further from its mean than this many deviations is taken as that far: elements seen once, outliers.
FARTHEST = 10.0


@dataclass(frozen=True)
class MlpSettings:
    """The form of a perceptron.

    Attributes:
        n_features: features of a row.
        hidden: widths of the hidden layers.
        n_members: networks trained together, each with weights of its own.
        activation: ssp, relu or swish.
        dropout: share of hidden values dropped in training.
    """

    n_features: int
    hidden: tuple[int, ...] = (256, 256, 128)
    n_members: int = 1
    activation: str = "swish"
    dropout: float = 0.2

    def __post_init__(self) -> None:
        given: object = self.hidden
        if not isinstance(given, list | tuple):
            raise InputError(f"hidden of a perceptron is {given!r:.40}; a list of widths is needed.")
        object.__setattr__(self, "hidden", tuple(self.hidden))
        one_of("activation", self.activation, ACTIVATIONS)
        widths = (self.n_features, *self.hidden)
        if not self.hidden or not all(type(width) is int and 1 <= width <= 65_536 for width in widths):
            raise InputError(f"Widths of a perceptron are {widths!r:.80}; one hidden layer at least and whole numbers "
                             "from 1 to 65,536 are needed.")
        if type(self.n_members) is not int or not 1 <= self.n_members <= MOST_MEMBERS:
            raise InputError(f"n_members is {self.n_members!r:.40}; a whole number from 1 to {MOST_MEMBERS} is needed.")
        if not is_number(self.dropout) or not 0 <= self.dropout < 1:
            raise InputError(f"dropout is {self.dropout!r:.40}; a number from 0 to below 1 is needed.")

    def plain(self) -> dict[str, Any]:
        """The fields as JSON can hold them."""
        return asdict(self) | {"hidden": list(self.hidden)}

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> MlpSettings:
        """The settings that plain values describe.

        Raises:
            InputError: a field is unknown or missing, or a value is not what it should be.
        """
        known = [one.name for one in fields(cls)]
        if unknown := sorted(set(given) - set(known)):
            raise InputError(f"A perceptron has no setting {unknown[0]!r:.80}. Settings: {', '.join(known)}.")
        try:
            return cls(**given)
        except TypeError as error:
            raise InputError(f"The settings of a perceptron are incomplete: {error}.") from None


class Mlp(nn.Module):
    """Perceptrons of all members on standardised features; trained and asked as networks on graphs are.

    Args:
        settings: their form.
        seed: member i's weights depend on seed + i alone.
    """

    feature_mean: Tensor
    feature_scale: Tensor

    def __init__(self, settings: MlpSettings, seed: int = 0) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("feature_mean", torch.zeros(settings.n_features))
        self.register_buffer("feature_scale", torch.ones(settings.n_features))
        seeds = Seeds(seed, settings.n_members)
        self.trunk = Perceptron(seeds, [settings.n_features, *settings.hidden], settings.activation, last=True,
                                dropout=settings.dropout, bias=True)
        self.readout = Linear(seeds, settings.hidden[-1], 1, bias=True)

    def standardise_as(self, values: NDArray[np.float32]) -> None:
        """Take mean and spread of features from training rows.

        Args:
            values: (n, n_features) of the training rows alone.
        """
        exact = np.asarray(values, np.float64)
        mean, scale = exact.mean(axis=0), exact.std(axis=0)
        # What does not vary says nothing: its deviation from the mean is rounding.
        scale[scale <= 1e-6 * np.maximum(1.0, np.abs(mean))] = 1.0
        self.feature_mean.copy_(torch.from_numpy(mean))
        self.feature_scale.copy_(torch.from_numpy(scale))

    @property
    def n_parameters(self) -> int:
        """Parameters of one member."""
        return sum(parameter.numel() for parameter in self.parameters()) // self.settings.n_members

    def forward(self, batch: FeatureBatch) -> Tensor:
        """Predictions in units of the standardised target, ``(n_members, n_graphs)``."""
        value: Tensor = self.readout(self._hidden(batch))
        return value.reshape(self.settings.n_members, batch.n_graphs)

    def latents(self, batch: FeatureBatch) -> Tensor:
        """Values of the last hidden layer, ``(n_members, n_graphs, width)``."""
        return self._hidden(batch).reshape(self.settings.n_members, batch.n_graphs, self.settings.hidden[-1])

    def both(self, batch: FeatureBatch) -> tuple[Tensor, Tensor]:
        """Predictions and latents of one pass."""
        hidden = self._hidden(batch)
        members, n = self.settings.n_members, batch.n_graphs
        return self.readout(hidden).reshape(members, n), hidden.reshape(members, n, self.settings.hidden[-1])

    def _hidden(self, batch: FeatureBatch) -> Tensor:
        x = (batch.features - self.feature_mean) / self.feature_scale
        hidden: Tensor = self.trunk(x.clamp(-FARTHEST, FARTHEST))
        return hidden
