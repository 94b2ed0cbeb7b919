"""Which settings give a model so many parameters: to compare classes at the same size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from lake.errors import InputError
from ml.spec import GRAPH_KINDS

TOLERANCE = 0.1
"""Share by which a count may miss what was asked, to be called matched."""
FEWEST_TREES = 30
"""Trees that a forest has where their depth can be chosen: fewer are not much of a mean."""
LARGEST_WIDTH = 4096


@dataclass(frozen=True)
class Sized:
    """Settings of a model and how many parameters it gets by them.

    Attributes:
        settings: of the model, by name (``ModelSpec.model``; of formulas and expansions: what to ask for).
        n_parameters: of the model; of a forest what is to be expected.
        wanted: what was asked for.
    """

    settings: dict[str, Any]
    n_parameters: int
    wanted: int = field(default=0)

    @property
    def matches(self) -> bool:
        """Whether it misses what was asked by no more than :data:`TOLERANCE`."""
        return abs(self.n_parameters - self.wanted) <= TOLERANCE * self.wanted


def settings_for(
    kind: str, n_parameters: int, *, n_features: int | None = None, elements: Sequence[int] = (),
    tree_nodes: Sequence[float] = (), more: dict[str, Any] | None = None,
) -> Sized:
    """The settings that give a model a number of parameters, as near as they can.

    Args:
        kind: mlp (two hidden layers of one width, unless ``more`` names ``n_hidden``), schnet, mpeu, painn (their
            channels), forest (trees and their depth), sisso or expansion (terms).
        n_parameters: A + L + N of the model, see :mod:`ml.complexity.counts`.
        n_features: of a row; of an mlp.
        elements: atomic numbers; of networks on graphs.
        tree_nodes: nodes of a tree by its greatest depth, as :func:`ml.complexity.forests.nodes_by_depth` finds them
            in a few trees of the same rows; of a forest.
        more: other settings of the model, taken as they are.

    Raises:
        InputError: no such kind, no whole number from 1, or what the kind needs to know is missing.
    """
    if isinstance(n_parameters, bool) or not isinstance(n_parameters, int) or n_parameters < 1:
        raise InputError(f"{n_parameters!r:.40} parameters: a whole number from 1 is needed.")
    given = dict(more or {})
    if kind == "mlp":
        found = _perceptron(n_parameters, n_features, given)
    elif kind in GRAPH_KINDS:
        found = _graph_network(kind, n_parameters, elements, given)
    elif kind == "forest":
        found = _forest(n_parameters, tree_nodes, given)
    elif kind in ("sisso", "expansion"):
        terms = max(n_parameters - 1, 1)
        found = {"dimension" if kind == "sisso" else "n_features": terms}, terms + 1
    else:
        raise InputError(f"No settings are known that give a model of kind {kind!r:.80} a number of parameters.")
    return Sized(*found, n_parameters)


def perceptron_parameters(n_features: int, hidden: Sequence[int]) -> int:
    """Weights and biases of a perceptron with one output."""
    widths = [n_features, *hidden, 1]
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(widths))


def _perceptron(wanted: int, n_features: int | None, given: dict[str, Any]) -> tuple[dict[str, Any], int]:
    if n_features is None:
        raise InputError("The parameters of a perceptron depend on the number of features of a row: give n_features.")
    layers = int(given.pop("n_hidden", 2))

    def count(width: int) -> int:
        return perceptron_parameters(n_features, [width] * layers)

    width = _nearest(count, wanted)
    return given | {"hidden": [width] * layers}, count(width)


def _graph_network(
    kind: str, wanted: int, elements: Sequence[int], given: dict[str, Any]
) -> tuple[dict[str, Any], int]:
    import torch

    from ml.models import build
    from ml.models.settings import ModelSettings

    if not elements:
        raise InputError("The parameters of a network on graphs depend on the elements that it knows: give elements.")

    def count(channels: int) -> int:
        form = ModelSettings.of(given | {"kind": kind, "elements": tuple(elements), "channels": channels})
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in build(form, 0).parameters())

    channels = _nearest(count, wanted, least=2)
    return given | {"channels": channels}, count(channels)


def _forest(wanted: int, tree_nodes: Sequence[float], given: dict[str, Any]) -> tuple[dict[str, Any], int]:
    nodes = [float(n) for n in tree_nodes]
    if not nodes or nodes[0] < 1 or nodes != sorted(nodes):
        raise InputError("The parameters of a forest depend on how its trees grow: give tree_nodes, the nodes of a "
                         "tree by depth (nodes_by_depth).")
    fits = [depth for depth in range(1, len(nodes)) if nodes[depth] * FEWEST_TREES <= wanted]
    depth = max(fits, default=min(1, len(nodes) - 1))
    trees = max(1, round(wanted / nodes[depth]))
    settings: dict[str, Any] = {"n_estimators": trees}
    if depth < len(nodes) - 1:
        settings["max_depth"] = depth
    return given | settings, math.floor(trees * nodes[depth] + 0.5)


def _nearest(count: Callable[[int], int], wanted: int, least: int = 1) -> int:
    """The width whose count is nearest; counts grow with it."""
    low, high = least, least
    while count(high) < wanted and high < LARGEST_WIDTH:
        low, high = high, min(2 * high, LARGEST_WIDTH)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= wanted else (low, middle)
    return min((low, high), key=lambda width: abs(count(width) - wanted))
