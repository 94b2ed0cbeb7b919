"""What a tracker is told of a training: settings, the learning curve while it grows, errors and the model's files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ml.progress import Progress, State

if TYPE_CHECKING:
    from ml.data.dataset import Dataset
    from ml.learned import Learned
    from ml.registry.model import Model
    from ml.spec import ModelSpec
    from ml.tracking import Tracker

MAE = "validation_mae"


@dataclass
class Telling:
    """One training being told of.

    Attributes:
        tracker: who is told.
        progress: is told as well.
        told: steps of which the tracker knows the validation error.
    """

    tracker: Tracker
    progress: Progress | None
    told: set[int] = field(default_factory=set)
    last_mae: float | None = None

    def show(self, state: State) -> None:
        """Pass progress on; an error that is new goes to the tracker, those of single members of an ensemble do not."""
        if state.doing == "training" and state.validation_mae is not None and state.validation_mae != self.last_mae:
            self.last_mae = state.validation_mae
            self.told.add(state.done)
            self.tracker.point(state.done, {MAE: state.validation_mae})
        if self.progress:
            self.progress(state)

    def curve(self, learned: Learned) -> None:
        """The learning curve, but for what was told while it grew."""
        for point in learned.curve:
            step = int(point["step"])
            values = {name: value for name, value in point.items() if name != "step"}
            if step in self.told:
                values.pop(MAE)
            self.tracker.point(step, values)


@contextmanager
def telling(
    tracker: Tracker, name: str, dataset: Dataset, spec: ModelSpec, road: str, progress: Progress | None
) -> Iterator[Telling]:
    """Tell of the beginning of a training, and of its end where it fails."""
    selection = json.loads(dataset.selection.json())
    tracker.start(name, {"spec": json.loads(spec.json()), "selection": selection},
                  {"road": road, "target": dataset.target.column, "data_sha256": dataset.sha256,
                   **{f"table_version.{table}": str(version) for table, version in dataset.table_versions.items()}})
    try:
        yield Telling(tracker, progress)
    except BaseException:
        tracker.finish(failed=True)
        raise


def finished(tracker: Tracker, model: Model) -> None:
    """Tell of the errors of a model that was saved, and of its description."""
    tracker.finish(
        metrics=_flat(json.loads(model.row["metrics_json"])),
        tags={"model_id": model.model_id, "weights_sha256": str(model.row.get("weights_sha256"))},
        artifacts={"model.json": model.document.content()},
    )


def _flat(errors: Mapping[str, Any], prefix: str = "") -> dict[str, float | int | None]:
    found: dict[str, float | int | None] = {}
    for name, value in errors.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found
