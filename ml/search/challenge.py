"""The ensemble that a search found, as challenger of a champion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lake.errors import InputError
from ml.registry import rows
from ml.registry.champion import champion_id, history
from ml.retrain.challenge import decided, enrol

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml.data.dataset import Dataset
    from ml.train import Trained


@dataclass(frozen=True)
class Offered:
    """What became of a challenger: whether it was promoted, why, and the row of `promotions`."""

    promoted: bool
    reason: str
    row: dict[str, Any]


def check_offer(lake: Lake, name: str, dataset: Dataset) -> dict[str, Any]:
    """The model that would be challenged: the champion of a name, or its newest version where it has none yet.

    Args:
        lake: where models are.
        name: of the models.
        dataset: what the challenger will learn from.

    Raises:
        InputError: there is no model of the name, or it predicts something else.
    """
    champion = rows.find(lake, champion_id(lake, name) or name)
    target = dataset.target
    if (champion["target"], champion["unit"]) != (target.column, target.unit):
        raise InputError(f"{champion['model_id']} predicts {champion['target']} ({champion['unit']}), and the search "
                         f"is for {target.column} ({target.unit}): it cannot be challenged.")
    return champion


def offer(lake: Lake, dataset: Dataset, challenger: Trained, name: str, margin: float) -> Offered:
    """Compare an ensemble with the champion of its name; the better one, or one not worse, is the champion then.

    The same challenger meets the same decision again.

    Args:
        lake: where models and decisions are.
        dataset: what the challenger learned from; its test rows decide.
        challenger: saved as a version of the name.
        name: of the models.
        margin: how much worse it may be, as a share of the champion's mean absolute error.

    Raises:
        InputError: as :func:`check_offer`.
    """
    model_id = challenger.model.model_id
    before = [row for row in history(lake, name) if row["challenger_id"] == model_id]
    if before:
        row = before[-1]
    else:
        champion = _champion(lake, name, model_id, dataset)
        row = decided(lake, dataset, champion, challenger.model, margin)
    return Offered(bool(row["promoted"]), str(row["reason"]), row)


def _champion(lake: Lake, name: str, challenger_id: str, dataset: Dataset) -> dict[str, Any]:
    if champion_id(lake, name) is None:
        # The challenger is the newest version already: the one before it is who it has to beat.
        others = [row for row in rows.saved(lake, name) if row["model_id"] != challenger_id]
        if not others:
            raise InputError(f"There is no other model of the name {name} that could be challenged.")
        enrol(lake, dict(others[-1]))
    return check_offer(lake, name, dataset)
