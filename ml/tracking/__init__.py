"""Runs, curves and artifacts in MLflow, where it is installed."""
