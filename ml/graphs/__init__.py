"""Crystals as graphs: neighbours in full shells, the quotient graph, one flat store, batches by index."""
