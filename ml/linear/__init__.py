"""Linear models of chosen features: matching pursuit, LASSO, ridge, monomials, and grouped cross-validation."""
