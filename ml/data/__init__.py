"""Rows to learn from: which ones, on which side of the split, with which target and settings."""

from ml.data.dataset import Dataset, dataset
from ml.data.selection import Selection
from ml.data.target import Target, target_of

__all__ = ["Dataset", "Selection", "Target", "dataset", "target_of"]
