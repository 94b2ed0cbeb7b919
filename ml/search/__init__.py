"""Architecture search: candidates, pruning, what it found and cost."""
