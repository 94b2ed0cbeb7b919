"""Taking records in: saved replies or a live API, through one normaliser, into the tables."""
