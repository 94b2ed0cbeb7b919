"""What a model's complexity is, in the measures of its class and in one number, and what it is worth."""

from ml.complexity.counts import Coefficients, Counts
from ml.complexity.measure import class_of, measured

__all__ = ["Coefficients", "Counts", "class_of", "measured"]
