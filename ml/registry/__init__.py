"""Trained models on disk and in the lake, read as data only."""
