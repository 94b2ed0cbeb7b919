"""Which of two models is better, and whether that is as in the paper, from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml.complexity.compare import Difference

WORDS = {"forest": "forest", "mlp": "network", "sisso": "formula", "expansion": "expansion"}


def verdict(
    left: Mapping[str, Any], right: Mapping[str, Any], errors: Difference, paper: Mapping[str, float], unit: str | None
) -> list[str]:
    """Sentences on a comparison.

    Args:
        left: row of `complexities` of the one model.
        right: of the other.
        errors: of both.
        paper: what the paper gives for each kind, in the same unit.
        unit: of the errors; None = they have none.
    """
    names = [WORDS.get(row["kind"], row["kind"]) for row in (left, right)]
    of = f" {unit}" if unit else ""
    better, worse = (0, 1) if errors.value > 0 else (1, 0)
    known = [paper[left["kind"]], paper[right["kind"]]]
    ranked_as_there = (known[1] > known[0]) == (errors.value > 0)
    found = [errors.left, errors.right]
    interval = "no interval (fewer than 4 materials)" if errors.low is None or errors.high is None else (
        f"95 % interval {errors.low:+.3f} to {errors.high:+.3f}")
    said = (f"Here the {names[better]} is better, {found[better]:.3f} against {found[worse]:.3f}{of} of the "
            f"{names[worse]}; {names[1]} minus {names[0]} {errors.value:+.3f}{of}, {interval}.")
    gap = known[1] - known[0]
    if not errors.is_clear:
        said += (f" That does not decide which of them is better: {errors.n:,} rows of {errors.n_materials:,} "
                 f"materials resolve no difference of this size; the paper's was {gap:+.3f}{of}.")
    elif ranked_as_there:
        said += f" The order is that of the paper, whose difference was {gap:+.3f}{of}."
    else:
        said += f" The order is the opposite of the paper's, whose difference was {gap:+.3f}{of}."
    sizes = (f"Complexity: {left['n_parameters']:,} parameters of the {names[0]} (A {left['n_additive']:,}, L "
             f"{left['n_linear']:,}, N {left['n_nonlinear']:,}) against {right['n_parameters']:,} of the {names[1]} "
             f"(A {right['n_additive']:,}, L {right['n_linear']:,}, N {right['n_nonlinear']:,}).")
    return [said, sizes]
