"""From description and arrays to what computes, by kind of model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from ml.predict.domain import without
from ml.spec import ENSEMBLE

if TYPE_CHECKING:
    from ml.registry.document import Document
    from ml.registry.model import Predictor


def predictor_of(document: Document, arrays: Mapping[str, npt.NDArray[Any]], device: str, where: str) -> Predictor:
    """What computes a model's predictions.

    Args:
        document: the model's description.
        arrays: its weights by name; those that tell what it has seen may be among them.
        device: cpu, cuda, or auto.
        where: which model it is, for messages.

    Raises:
        InputError: settings or arrays are not those of such a model, or do not fit each other.
    """
    arrays = without(arrays)
    if document.spec.is_graph:
        from ml.graph_model import GraphModel

        return GraphModel.of(document, arrays, device, where)
    if document.spec.kind == ENSEMBLE:
        from ml.ensemble_model import EnsembleModel

        return EnsembleModel.of(document, arrays, device, where)
    if document.spec.kind == "expansion":
        from ml.expand.model import ExpansionModel

        return ExpansionModel.of(document, arrays, where)
    if document.spec.kind == "sisso":
        from ml.sisso.model import FormulaModel

        return FormulaModel.of(document, arrays, where)
    from ml.tabular_model import TabularModel

    return TabularModel.of(document, arrays, where)
