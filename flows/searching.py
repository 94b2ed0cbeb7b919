"""A search and what comes after it: the ensemble of the best few, and whether it replaces a champion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.training import road_of
from ml.search import rows
from ml.search.finalists import finalists, train_finalists
from ml.search.run import search

if TYPE_CHECKING:
    from flows.search_request import Asked
    from lake.store.lake import Lake
    from ml.data import Dataset
    from ml.progress import Progress as TrainingProgress
    from ml.search.run import Progress, Searched
    from ml.train import Trained


@dataclass(frozen=True)
class Finished:
    """What came of it.

    Attributes:
        searched: the search; its row holds what became of the ensemble.
        ensemble: of the best few; None = it was not asked for.
        decision: what became of it as challenger, in words; None = it was not offered.
    """

    searched: Searched
    ensemble: Trained | None = None
    decision: str | None = None

    @property
    def row(self) -> dict[str, Any]:
        """Of `searches`."""
        return self.searched.row


def search_and_finish(
    lake: Lake, data: Dataset, asked: Asked, *, where: str | None = None, again: bool = False,
    progress: Progress | None = None, train_progress: TrainingProgress | None = None,
    said: Callable[[str], None] = lambda _: None,
) -> Finished:
    """Search, train the best few anew as an ensemble, and offer it where that was asked for.

    The same call after an interruption goes on where it was, in whichever part.

    Args:
        lake: where everything is kept.
        data: the rows.
        asked: what for.
        where: see :func:`ml.search.run.search`.
        again: search also what was searched before.
        progress: told how far the search is.
        train_progress: told how far the training of the ensemble is.
        said: told what is being done next.
    """
    if asked.challenge is not None:
        from ml.search.challenge import check_offer

        check_offer(lake, asked.challenge, data)
    searched = search(lake, data, asked.request, name=asked.name, where=where, again=again, progress=progress)
    n = searched.request.ensemble or 0
    if n < 2:
        return Finished(searched)
    said(f"The best {n} candidates are trained anew, as an ensemble.")
    trained = train_finalists(
        lake, data, finalists(lake, searched.row, n), name=asked.challenge or asked.name, road=road_of_search(data),
        device=asked.request.base.training.get("device"), progress=train_progress,
    )
    searched.row["model_id"] = trained.model.model_id
    decision = None
    if asked.challenge is not None:
        from ml.search.challenge import offer

        offered = offer(lake, data, trained, asked.challenge, asked.margin)
        searched.row["promotion"] = "promoted" if offered.promoted else "turned down"
        decision = offered.reason
    rows.put(lake, searched.row)
    return Finished(searched, trained, decision)


def road_of_search(data: Dataset) -> str:
    """How the rows of several databases are brought together: candidates have no inputs but crystals."""
    from ml.spec import ModelSpec

    return road_of(data, ModelSpec())


def summary(finished: Finished) -> Iterator[str]:
    """What was found, gained and paid, in sentences."""
    row = finished.row
    unit = row["unit"]
    if finished.searched.was_there:
        yield (f"{row['search_id']} was made from the same data with the same settings on {row['created_at']:%Y-%m-%d}"
               ": nothing was searched. --again searches once more.")
    yield (f"{row['search_id']}: {row['n_candidates']:,} candidates, {row['n_completed']:,} trained to the end, "
           f"{row['n_pruned']:,} ended early, {row['n_failed']:,} failed.")
    if row["best_rmse"] is not None:
        yield (f"Validation RMSE of those trained to the end: best {row['best_rmse']:.4g} {unit} (candidate "
               f"{row['best_trial']}), mean {row['mean_rmse']:.4g}, median {row['median_rmse']:.4g}; gain "
               f"{row['gain']:.1%} of the mean.")
    yield _cost(row)
    if finished.ensemble is not None:
        trained = finished.ensemble
        word = "was there" if trained.was_there else "is new"
        test = _test_error(trained)
        yield f"The ensemble of the best {trained.model.row['n_members']} {word}: {trained.model.model_id}{test}."
    if finished.decision is not None:
        yield f"As challenger it is {row['promotion']}. {finished.decision}"
    yield (f"Try next: matlake sql search_figure --param search={row['search_id']} (error by steps and width); "
           f"matlake sql search_pareto --param search={row['search_id']} (error against speed)")


def _cost(row: dict[str, Any]) -> str:
    share = row["training_steps"] / row["full_training_steps"] if row["full_training_steps"] else 0.0
    text = (f"It took {row['training_steps']:,} gradient steps, {share:.0%} of the {row['full_training_steps']:,} that "
            f"training all of them to the end takes; {hours(row['device_hours'])}")
    if row["full_device_hours"] is not None:
        text += f" instead of {hours(row['full_device_hours'])}"
    if row["cost"] is not None:
        full = f" instead of {row['full_cost']:,.2f}" if row["full_cost"] is not None else ""
        text += f", at {row['price_per_hour']:g} an hour {row['cost']:,.2f}{full}"
    return f"{text}."


def hours(value: float) -> str:
    """A duration in words."""
    if value >= 1:
        return f"{value:,.1f} device hours"
    return f"{value * 60:.1f} device minutes" if value * 60 >= 1 else f"{value * 3600:.1f} device seconds"


def _test_error(trained: Trained) -> str:
    for entry in trained.evaluations.to_pylist():
        if entry["slice_kind"] == "all" and entry["split"] == "test" and entry["rmse"] is not None:
            return f", test RMSE {entry['rmse']:.4g} {entry['unit']}, MAE {entry['mae']:.4g}"
    return ""
