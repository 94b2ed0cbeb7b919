"""What becomes of the best few: trained anew, they answer together, and may challenge a champion."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lake.errors import InputError
from ml.search.candidate import COMPLETED, Candidate
from ml.spec import ModelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from lake.store.lake import Lake
    from ml.data.dataset import Dataset
    from ml.progress import Progress
    from ml.train import Trained


def finalists(lake: Lake, row: dict[str, Any], n: int) -> list[ModelSpec]:
    """How the best candidates of a search are trained anew, best first.

    They are those of the least validation error that were trained to the end. Each begins from other weights than in
    the search, and than the others: what is theirs by luck does not come back.

    Args:
        lake: where the search is.
        row: of `searches`.
        n: how many.

    Raises:
        InputError: fewer than two were trained to the end.
    """
    trials = [trial for trial in lake.read("trials", where=f"search_id = '{row['search_id']}'").to_pylist()
              if trial["state"] == COMPLETED]
    trials.sort(key=lambda trial: (trial["validation_rmse"], trial["trial"]))
    if len(trials) < 2:
        raise InputError(f"Of the {row['n_candidates']:,} candidates of {row['search_id']} {len(trials)} came to the "
                         "end: an ensemble needs two. Search with more candidates, or without an ensemble.")
    base = ModelSpec.of(json.loads(row["settings_json"])["base"])
    found = []
    for place, trial in enumerate(trials[:n], start=1):
        spec = Candidate(trial["trial"], 0, json.loads(trial["parameters_json"])).spec(base)
        seed = (spec.seed + place) % 2**31
        found.append(spec.but(seed=seed, training=dict(spec.training) | {"seed": seed}))
    return found


def train_finalists(
    lake: Lake, data: Dataset, specs: list[ModelSpec], *, name: str, road: str, folder: Path | None = None,
    device: str | None = None, progress: Progress | None = None,
) -> Trained:
    """Train them one after the other and save them as one model; the same call goes on after an interruption.

    Args:
        lake: where the model is saved.
        data: what they learn from.
        specs: of :func:`finalists`.
        name: of the model.
        road: how several databases were brought together.
        folder: where the training keeps what it needs to go on; default: one of its own.
        device: where; None = as the lake's settings say.
        progress: called now and then.
    """
    from ml.train import train

    if device is not None:
        specs = [spec.setting("training.device", device) for spec in specs]
    return train(lake, data, ModelSpec.ensemble(specs), name=name, road=road, folder=folder, progress=progress)
