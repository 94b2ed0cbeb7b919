"""Homogeneous subsets: recipes, the rules learned from similarities, saved versions, and what they bought."""
