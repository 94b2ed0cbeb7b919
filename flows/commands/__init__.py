"""The commands that have a file of their own: one function each, registered in `flows/cli.py`."""
