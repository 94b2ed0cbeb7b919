"""The counts of a model in the lake, whatever kind it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from lake.errors import InputError
from ml.complexity.counts import Counts
from ml.predict.domain import without
from ml.spec import ENSEMBLE, GRAPH_KINDS

if TYPE_CHECKING:
    from ml.registry.document import Document

Arrays = Mapping[str, npt.NDArray[Any]]
EXPANSION = "expansion"
"""Part of the settings of an expansion that its terms are counted from."""
CLASSES = {**dict.fromkeys((*GRAPH_KINDS, "mlp", ENSEMBLE), "network"), "forest": "forest", "sisso": "formula",
           "expansion": "expansion"}
"""Kind of model → class; models of one class are measured alike."""


def class_of(kind: str) -> str:
    """The class of a kind of model: network, forest, formula or expansion.

    Raises:
        InputError: there is no such kind.
    """
    if kind not in CLASSES:
        raise InputError(f"There is no measure for models of kind {kind!r:.80}; there are some for "
                         f"{', '.join(CLASSES)}.")
    return CLASSES[kind]


def measured(document: Document, arrays: Arrays, where: str = "The model") -> Counts:
    """The counts of a model, from what is stored of it.

    The sum over elements that is taken off the target before a network learns was fitted too: its numbers are linear.

    Args:
        document: what it is beside its weights.
        arrays: its weights by name.
        where: which model, for messages.

    Raises:
        InputError: the weights are not those of such a model.
    """
    kind = document.spec.kind
    class_of(kind)
    try:
        counts = MEASURES.get(kind, _network)(document, without(arrays))
    except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{where} cannot be measured, as {kind}: {error}") from None
    return replace(counts, n_linear=counts.n_linear + len(document.baseline))


def _network(_: Document, arrays: Arrays) -> Counts:
    from ml.complexity.networks import network_counts

    return network_counts(arrays)


def _ensemble(_: Document, arrays: Arrays) -> Counts:
    from ml.complexity.networks import ensemble_counts

    return ensemble_counts(arrays)


def _forest(document: Document, arrays: Arrays) -> Counts:
    from ml.complexity.forests import forest_counts
    from ml.tabular.features import FeatureSpace
    from ml.tabular.trees import Trees

    n_features = len(FeatureSpace.from_json(document.settings["features"]).names)
    return forest_counts(Trees.of_weights(arrays, n_features))


def _formula(document: Document, _: Arrays) -> Counts:
    from ml.complexity.formula_path import counts_of_formula
    from ml.sisso.formula import Formula
    from ml.sisso.model import PART

    return counts_of_formula(Formula.of(document.settings[PART]))


def _expansion(document: Document, _: Arrays) -> Counts:
    """From ``terms_by_degree`` (degree → terms) and ``n_constants`` (parent lattices) among the settings."""
    from ml.complexity.formulas import expansion_counts

    given = document.settings[EXPANSION]
    degrees = [int(degree) for degree, n in given["terms_by_degree"].items() for _ in range(int(n))]
    return expansion_counts(degrees, n_constants=int(given.get("n_constants", 1)))


MEASURES: dict[str, Callable[[Document, Arrays], Counts]] = {
    "forest": _forest, "sisso": _formula, "expansion": _expansion, ENSEMBLE: _ensemble,
}
