"""A challenger meets the champion: both on the same rows, and the decision is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml.registry.registry import load
from ml.retrain.compare import compare
from ml.retrain.decide import record, verdict

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml.data.dataset import Dataset
    from ml.registry.model import Model


def enrol(lake: Lake, champion: dict[str, Any]) -> dict[str, Any]:
    """Let a model be the first champion of its name.

    Args:
        lake: where decisions are.
        champion: its row of `models`.
    """
    return record(lake, champion["name"], {
        "challenger_id": champion["model_id"], "promoted": True, "unit": champion["unit"],
        "reason": "It is the first champion: there was none to compare it with.", "subset": champion["subset"],
        "challenger_subset_version": champion["subset_version"],
    })


def decided(
    lake: Lake, dataset: Dataset, champion: dict[str, Any], challenger: Model, margin: float
) -> dict[str, Any]:
    """Compare a challenger with the champion, and write down which of them is the champion from now on.

    Args:
        lake: where models and decisions are.
        dataset: what the challenger learned from; its test rows decide.
        champion: row of `models`.
        challenger: saved under the champion's name.
        margin: how much worse it may be, as a share of the champion's mean absolute error.

    Returns:
        The row of `promotions`.
    """
    if dataset.target.reference != champion["target_reference"]:
        found = None
        promoted, reason = False, (
            f"The target refers to {dataset.target.reference or 'nothing'} now, and to "
            f"{champion['target_reference'] or 'nothing'} when the champion was trained: errors cannot be compared."
        )
    else:
        found = compare(lake, dataset, load(lake, champion["model_id"]), challenger)
        promoted, reason = verdict(found, margin * found.champion_mae, dataset.target.unit)
    decision: dict[str, Any] = {
        "champion_id": champion["model_id"], "challenger_id": challenger.model_id, "promoted": promoted,
        "reason": reason, "unit": dataset.target.unit, "subset": dataset.selection.subset,
        "champion_subset_version": champion["subset_version"],
        "challenger_subset_version": dataset.selection.version,
    }
    if found is not None:
        decision |= {
            "n": found.n, "champion_mae": _plain(found.champion_mae), "challenger_mae": _plain(found.challenger_mae),
            "difference": _plain(found.difference), "difference_low": _plain(found.low),
            "difference_high": _plain(found.high), "margin": _plain(margin * found.champion_mae),
        }
    return record(lake, champion["name"], decision)


def _plain(value: float) -> float | None:
    return None if value != value else float(value)
