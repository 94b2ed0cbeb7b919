"""One training loop for all networks and devices."""
