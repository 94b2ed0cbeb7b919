"""`matlake expand`: how far the correlations of clusters carry a linear model (Figure 5 of Speckhard et al.)."""
