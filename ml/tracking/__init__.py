"""Runs, curves and artifacts in MLflow, where it is installed."""

from ml.tracking.tracker import NullTracker, Tracker, tracker_for

__all__ = ["NullTracker", "Tracker", "tracker_for"]
