"""What the sections on expansions, formulas, complexity and searches work out before they show it."""
