"""Training networks of several shapes one after the other, and putting them together to one model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lake.errors import InputError
from ml import learn_graphs
from ml.ensemble_model import EnsembleModel, plain_member
from ml.graph_model import GraphModel
from ml.learned import Learned, Places
from ml.progress import Progress, State
from ml.registry.document import Document
from ml.spec import MEMBERS

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml.data.dataset import Dataset
    from ml.registry.model import Floats
    from ml.spec import ModelSpec


def learn(lake: Lake, dataset: Dataset, spec: ModelSpec, folder: Path, progress: Progress | None) -> Learned:
    """Train the members of an ensemble.

    Args:
        lake: where the graphs are kept.
        dataset: what to learn.
        spec: of the ensemble.
        folder: of checkpoints, one folder per member: members that were trained to their end are not trained again.
        progress: called now and then.

    Raises:
        InputError: a setting is unknown or impossible.
        TrainingError: a training failed; the message names the member.
    """
    parts = [
        learn_graphs.learn(lake, dataset, one, folder / f"member-{place}", _of(progress, place, len(spec.members)))
        for place, one in enumerate(spec.members)
    ]
    return joined(parts, spec)


def joined(parts: Sequence[Learned], spec: ModelSpec) -> Learned:
    """Networks that were trained on the same data, as one model.

    The learning curve is the mean over the members at the steps that all of them were evaluated at. Steps and seconds
    are sums, the number of parameters is the mean over networks; the step that was kept is that of the first.

    Args:
        parts: at least one.
        spec: of the ensemble.

    Raises:
        InputError: no row is left that all of them can say something of.
    """
    places = reduce(np.intersect1d, [part.places for part in parts])
    if not len(places):
        raise InputError("There is no row that all networks of the ensemble can say something of.")
    elements = sorted(set.intersection(*(set(part.document.elements) for part in parts)))
    first = parts[0].document
    document = Document(first.target, spec.for_any_machine(), {MEMBERS: [plain_member(one.document) for one in parts]},
                        tuple(elements), None, first.mean, first.scale)
    predictors = [part.predictor for part in parts]
    assert all(isinstance(one, GraphModel) for one in predictors)
    weights = {f"{place}.{name}": array for place, part in enumerate(parts) for name, array in part.weights.items()}
    stops = sorted({part.stopped for part in parts})
    resumed = [part.resumed_from for part in parts if part.resumed_from is not None]
    return Learned(
        document, weights, EnsembleModel(tuple(predictors)), places,  # type: ignore[arg-type]
        np.concatenate([_at(part, places) for part in parts]), _mean_curve([part.curve for part in parts]),
        round(sum(part.n_parameters * len(part.members) for part in parts) / sum(len(p.members) for p in parts)),
        sum(part.steps for part in parts), parts[0].best_step, ", ".join(stops), sum(part.seconds for part in parts),
        parts[0].device, sum(resumed) if resumed else None,
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _at(part: Learned, places: Places) -> Floats:
    """What a member says of some of its rows."""
    return part.members[:, np.searchsorted(part.places, places)]


def _mean_curve(curves: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    by_step = [{point["step"]: point for point in curve} for curve in curves]
    common = sorted(set.intersection(*(set(one) for one in by_step)))
    return [{name: step if name == "step" else _mean([one[step][name] for one in by_step]) for name in by_step[0][step]}
            for step in common]


def _mean(values: Sequence[Any]) -> float | None:
    return None if any(value is None for value in values) else float(np.mean(values))


def _of(progress: Progress | None, place: int, n: int) -> Progress | None:
    """The progress of a member, saying which one it is."""
    if progress is None:
        return None

    def show(state: State) -> None:
        progress(State(f"{state.doing} {place + 1} of {n}", state.done, state.total, state.validation_mae, state.rate,
                       state.resumed_from, state.note))

    return show
