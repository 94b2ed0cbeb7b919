"""Rows to learn from: which ones, on which side of the split, with which target and settings."""
