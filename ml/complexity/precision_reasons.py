"""What differs from the paper's second example, said with what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.complexity.compare import Difference
from ml.complexity.verdict import verdict
from ml.complexity.worth import Answers, rmsle

if TYPE_CHECKING:
    from ml.complexity.class_study import Reasons
    from ml.complexity.precision_data import PrecisionData

AS_IS = "-as-is"
"""End of the name of a network that learns the error itself."""
THOUSAND = 1000.0
"""meV in an eV: RMSLE hangs on the unit."""


def precision_reasons(
    data: PrecisionData, n_folds: int, rows: Sequence[Mapping[str, Any]], answers: Mapping[str, Answers],
    paper: Mapping[str, float],
) -> Reasons:
    """Sentences on a comparison of this study.

    Args:
        data: what was learned.
        n_folds: of the cross-validation.
        rows: of `complexities`, all candidates of the study.
        answers: what each says.
        paper: what the paper gives, by kind.
    """
    facts = [_data(data), _split(data, n_folds), *_as_is(rows), *_formulas(rows)]

    def reasons(left: Mapping[str, Any], right: Mapping[str, Any], errors: Difference) -> list[str]:
        pair = [answers[row["model_id"]] for row in (left, right)]
        small = [rmsle(one.actual * THOUSAND, one.predicted * THOUSAND) or 0.0 for one in pair]
        unit = (f"Unit: RMSLE hangs on the unit of the errors. With values a thousand times as large (meV in the place "
                f"of eV) it is {small[0]:.3f} of {left['model_id']} and {small[1]:.3f} of {right['model_id']}.")
        return [*verdict(left, right, errors, paper, None), *facts, unit]

    return reasons


def _data(data: PrecisionData) -> str:
    low, middle, high = np.percentile(data.errors, [5, 50, 95])
    guess = float(np.sqrt(np.mean((data.logarithms - data.logarithms.mean()) ** 2)))
    return (f"Data: {len(data.errors):,} errors {data.target}, 90 % of them from {low:.2g} to {high:.2g}, median "
            f"{middle:.2g}; {data.n_reference:,} rows whose error is 0, which the others are measured against, are "
            f"left out, and {data.n_incomplete:,} that are not complete. Always saying the mean logarithm gives an "
            f"RMSLE of {guess:.3f}.")


def _split(data: PrecisionData, n_folds: int) -> str:
    return (f"Split: cross-validation in {n_folds} folds of whole materials ({data.n_groups:,} values of "
            f"{data.group}); screening, search and training are repeated without each fold. The best of either kind is "
            "chosen by the errors that it is judged by, which flatters both a little. Both classes learn the logarithm "
            f"of 1 + error from the same {len(data.features)} columns; formulas of rung 2 and more from fewer of them.")


def _as_is(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """How much learning the logarithm helps a network."""
    networks = {str(row["model_id"]): row["rmsle"] for row in rows if row["kind"] == "mlp"}
    pairs = [(networks[name], networks.get(name.removesuffix(AS_IS))) for name in networks if name.endswith(AS_IS)]
    return [
        f"Target: a network that learns the error itself and not its logarithm has an RMSLE of {error:.3f}, against "
        f"{other:.3f} of one of the same size that learns the logarithm."
        for error, other in pairs if error is not None and other is not None
    ]


def _formulas(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whether more terms help on rows that were not seen."""
    found = [row for row in rows if row["kind"] == "sisso" and row["rmsle"] is not None]
    listed = [f"{row['rmsle']:.3f} (rung {row['rung']}, {row['dimension']} "
              f"{'term' if row['dimension'] == 1 else 'terms'}, {row['n_operators']} operators)" for row in found]
    return [f"Formulas: RMSLE {'; '.join(listed)}."] if listed else []
