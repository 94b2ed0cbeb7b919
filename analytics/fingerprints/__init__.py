"""Fingerprints: what describes a calculation as a vector of counts, ready to be compared."""
