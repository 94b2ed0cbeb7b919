"""Retraining: where the data of a champion changed, train a challenger the same way, and let the better one stay."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lake.errors import InputError
from ml.data.dataset import dataset as read_dataset
from ml.data.selection import Selection
from ml.registry import rows
from ml.registry.champion import champion_id, history
from ml.retrain.challenge import decided, enrol
from ml.retrain.decide import DEFAULT_MARGIN, check_margin
from ml.spec import ModelSpec

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml.data.dataset import Dataset
    from ml.progress import Progress


@dataclass(frozen=True)
class Outcome:
    """What became of one name.

    Attributes:
        name: of the models.
        champion_id: the champion now.
        decision: the row of `promotions` that this run wrote or finished; None = there was nothing to do.
        message: what was done, in words.
        warnings: of the challenger's training.
    """

    name: str
    champion_id: str
    decision: dict[str, Any] | None
    message: str
    warnings: tuple[str, ...] = field(default_factory=tuple)


def retrain(
    lake: Lake, name: str, *, margin: float = DEFAULT_MARGIN, progress: Progress | None = None,
) -> Outcome:
    """Train a challenger if the data of the champion changed, and promote it if it is not worse.

    The first time, the newest model of the name becomes the champion. A run that was interrupted is taken up by the
    next one. Nothing is trained where rows, splits, targets, structures and settings are those that the champion, or a
    challenger that was turned down, was trained on.

    Args:
        lake: where data and models are.
        name: of the models.
        margin: how much worse the challenger may be, as a share of the champion's mean absolute error.
        progress: called now and then by the training.

    Raises:
        InputError: there is no model of the name, or none that can be trained again from the lake.
        TableError: the lake could not be written to.
    """
    check_margin(margin)
    champion = rows.find(lake, champion_id(lake, name) or name)
    refuse_corrected(champion)
    enrolment = None if history(lake, name) else enrol(lake, champion)
    dataset = read_dataset(lake, selection_of(champion))
    tried = {row["challenger_id"] for row in history(lake, name)} | {champion["model_id"]}
    same = [row for row in rows.saved(lake, name)
            if row["model_id"] in tried and row["data_sha256"] == dataset.sha256]
    if same:
        return Outcome(name, str(champion["model_id"]), enrolment, _nothing_to_do(champion, same[-1], dataset))
    return _challenge(lake, champion, dataset, margin, progress)


def selection_of(row: dict[str, Any]) -> Selection:
    """What a model's rows were selected by, with the subset's newest version in the place of its own."""
    asked = json.loads(row["settings_json"])["selection"]
    shares = asked["split"] if asked["subset"] is None else None
    return Selection.of(asked | {"version": None, "split": shares})


def refuse_corrected(row: dict[str, Any]) -> None:
    """Refuse a model whose targets no selection gives.

    Raises:
        InputError: its targets were corrected by a transfer experiment.
    """
    if row["road"] == "corrected":
        raise InputError(
            f"The model {row['model_id']} learned targets that `matlake transfer` corrected, so it is not trained "
            "again by itself: curate a subset with --correct, and train on that."
        )


def _challenge(
    lake: Lake, champion: dict[str, Any], dataset: Dataset, margin: float, progress: Progress | None
) -> Outcome:
    from ml.train import train

    name = champion["name"]
    spec = ModelSpec.of(json.loads(champion["settings_json"])["spec"])
    trained = train(lake, dataset, spec, name=name, road=champion["road"], progress=progress)
    challenger = trained.model
    row = decided(lake, dataset, champion, challenger, margin)
    stays = row["challenger_id"] if row["promoted"] else champion["model_id"]
    word = "is the champion" if row["promoted"] else f"is turned down, {champion['model_id']} stays"
    return Outcome(name, str(stays), row, f"{challenger.model_id} {word}. {row['reason']}", trained.warnings)


def _nothing_to_do(champion: dict[str, Any], same: dict[str, Any], dataset: Dataset) -> str:
    data = str(dataset.selection)
    if same["model_id"] == champion["model_id"]:
        return f"Nothing to do: {data} is what the champion {champion['model_id']} was trained on."
    return (f"Nothing to do: on {data} the challenger {same['model_id']} was trained already and turned down; "
            f"{champion['model_id']} stays the champion.")
