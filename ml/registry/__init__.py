"""Trained models: saved with everything that repeats them, found again, and loaded as data only."""

from ml.registry.exchange import export_model, import_model, read_model
from ml.registry.model import Model, Predicted
from ml.registry.registry import load, save
from ml.registry.rows import find, saved, update

__all__ = [
    "Model", "Predicted", "export_model", "find", "import_model", "load", "read_model", "save", "saved", "update",
]
