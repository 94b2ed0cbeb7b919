"""How alike calculations are: exact Tanimoto coefficients over thermometer counts, and what follows from them."""
