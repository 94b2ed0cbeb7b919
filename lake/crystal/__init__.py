"""Crystals as columns: formulas, space groups, keys, and the round trip to pymatgen and ASE."""
