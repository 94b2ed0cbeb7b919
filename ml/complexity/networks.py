"""Weights and biases of a network, by what the output does with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy.typing as npt

from lake.errors import InputError
from ml.complexity.counts import Counts

Arrays = Mapping[str, npt.NDArray[Any]]

BIAS = re.compile(r"(^|\.)(bias|offset)$")
"""What is added: biases of linear layers, offsets of LayerNorm."""
LAST = re.compile(r"^readout\.(weight|(?P<part>graphs|nodes)\.layers\.(?P<number>\d+)\.weight)$")
READOUT = re.compile(r"^(?P<prefix>.*?)readout\.(weight|graphs|nodes)")
OFFSETS = re.compile(r"^conditions\.offsets\.\d+$")
"""A number per value of a setting and element, averaged over atoms and added at the end: the output is linear in it."""
STATISTICS = frozenset({"feature_mean", "feature_scale"})
"""Arrays that are no parameters: how features are standardised."""


def network_counts(arrays: Arrays) -> Counts:
    """Counts of SchNet, MPEU, PaiNN or a perceptron, of all members together.

    A: biases and offsets. L: weights of the last linear layer, and numbers per element that are added at the end.
    N: all other weights; even where no activation follows, such as in the embedding of elements, their result is
    multiplied by the weights of later layers.

    Args:
        arrays: the weights by name, members first, as they are stored.

    Raises:
        InputError: there is no last layer among them.
    """
    sizes = {name: int(array.size) for name, array in arrays.items() if name not in STATISTICS}
    last = _last_layer(sizes)
    biases = sum(size for name, size in sizes.items() if BIAS.search(name))
    linear = sum(size for name, size in sizes.items() if name == last or OFFSETS.match(name))
    weights = sum(sizes.values()) - biases
    return Counts(n_additive=biases, n_linear=linear, n_nonlinear=weights - linear, n_weights=weights, n_biases=biases)


def ensemble_counts(arrays: Arrays) -> Counts:
    """Counts of several networks that answer together, whose arrays have a prefix each: the sum over them.

    Raises:
        InputError: there is no last layer among the arrays.
    """
    prefixes = {match["prefix"] for name in arrays if (match := READOUT.match(name))}
    if not prefixes:
        raise InputError("The weights hold no last layer (readout): they are not those of networks of matlake's.")
    return Counts.sum(
        network_counts({name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)})
        for prefix in sorted(prefixes))


def _last_layer(names: Iterable[str]) -> str:
    """The name of the last layer's weights: after pooling where layers follow it, else before."""
    found = [(match["part"] != "nodes", int(match["number"] or 0), name) for name in names
             if (match := LAST.match(name))]
    if not found:
        raise InputError("The weights hold no last layer (readout): they are not those of a network of matlake's.")
    return max(found)[2]
