"""The one training loop, for all networks and devices."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from lake.errors import InputError, TrainingError
from ml.progress import State
from ml.training.captured import MOST_STEPS, CapturedSteps
from ml.training.checkpoint import Checkpoints
from ml.training.counters import Counters
from ml.training.device import computing, device_name
from ml.training.freed_memory import kept_freed_memory
from ml.training.identity import identity_of
from ml.training.learner import Learner
from ml.training.predict import predict
from ml.training.recording import GraphRecorder
from ml.training.result import Fitted, Point
from ml.training.sampler import Sampler
from ml.training.schedule import learning_rate
from ml.training.settings import TrainSettings
from ml.training.sources import PaddedSource, Places, Source
from ml.training.standard import Standard
from ml.training.step import NotFiniteError, Steps
from ml.training.validation import errors, evaluated_rows

if TYPE_CHECKING:
    from ml.progress import Progress

SECONDS_PER_CHUNK = 0.25
WRITING_SHARE = 0.05
"""Of the time, that checkpoints may take: those of large networks are written less often."""
MOST_NAMES = 10


def fit(
    network: nn.Module, graphs: Source, targets: npt.NDArray[np.float64], train: Places, validation: Places,
    settings: TrainSettings, *, folder: Path | None = None, progress: Progress | None = None,
    names: Sequence[str] | None = None,
) -> Fitted:
    """Train a network; on a CPU the same call gives the same weights, bit for bit, killed in between or not.

    That holds for the same number of threads; on a GPU sums are taken in an order that is not always the same.

    Args:
        network: ``forward(batch)`` gives (n_members, n_graphs) in standard deviations of the target. It is moved to
            the device of the graphs, and has the best weights at the end. If its members have different weights,
            they learn independently of each other from the same batches.
        graphs: on their device.
        targets: of every graph, (n,), in the unit of the target; NaN where it is neither trained nor validated on.
        train: places of the graphs to learn from.
        validation: places of the graphs that decide which weights are best, and when to stop; may be empty: then the
            last weights are taken.
        settings: how.
        folder: where checkpoints are kept; one of the same training found there is gone on from.
        progress: called some times a second, and with a note where a person should know something.
        names: of the materials, (n,), for messages.

    Raises:
        InputError: nothing to learn from, a target that is no number, or places that are not there.
        TrainingError: a loss is no number, memory does not suffice for a single graph, or a checkpoint cannot be
            written; the last checkpoint remains.
    """
    targets = np.asarray(targets, dtype=np.float64)
    train, validation = (np.asarray(places, dtype=np.int64) for places in (train, validation))
    check_rows(targets, train, validation, names)
    gpus = [graphs.device] if graphs.device.type == "cuda" else []
    with kept_freed_memory(), computing(graphs.device, settings.threads), torch.random.fork_rng(gpus):
        network.to(graphs.device)
        return _Training(network, graphs, targets, train, validation, settings, folder, progress, names).run()


class _Training:
    """One call of :func:`fit`."""

    def __init__(
        self, network: nn.Module, graphs: Source, targets: npt.NDArray[np.float64], train: Places, validation: Places,
        settings: TrainSettings, folder: Path | None, progress: Progress | None, names: Sequence[str] | None,
    ) -> None:
        self.network, self.graphs, self.targets, self.settings = network, graphs, targets, settings
        self.names, self.progress = names, progress
        self.standard = Standard.of(targets[train])
        self.validation = evaluated_rows(validation, settings)
        self.learner = Learner(network, settings)
        self.counters = Counters()
        self.best: dict[str, torch.Tensor] = {}
        self.resumed_from: int | None = None
        self.due = time.perf_counter() + settings.checkpoint_seconds
        self.checkpoints = None
        if folder is not None:
            identity = identity_of(network, graphs, targets, train, validation, settings)
            self.checkpoints = Checkpoints(folder, identity)
            self._resume(self.checkpoints)
        dtype = self.learner.parameters[0].dtype
        standardised = torch.from_numpy(self.standard.standardised(targets)).to(graphs.device, dtype)
        sampler = Sampler(train, settings.batch_size, settings.seed)
        parts, note = self.counters.parts, self._note
        self.steps: Steps
        if graphs.device.type == "cpu":
            self.steps = Steps(self.learner, graphs, standardised, sampler, parts=parts, note=note)
        else:
            self.steps = CapturedSteps(self.learner, cast(PaddedSource, graphs), standardised, sampler, parts=parts,
                                       note=note, recorder=GraphRecorder() if settings.capture else None)

    def run(self) -> Fitted:
        """Train to the end."""
        self.network.train()
        if self.resumed_from is None:
            # Whether the folder can be written to is found out before any long work.
            self._write()
        chunk = 1
        while self.counters.stopped is None:
            began = time.perf_counter()
            first = self.counters.step
            last = min(first + chunk, self._next_evaluation(), self.settings.steps)
            self._learn(first, last)
            seconds = time.perf_counter() - began
            if last % self.settings.evaluate_every == 0 or last == self.settings.steps:
                self._evaluate(began)
            else:
                self.counters.seconds += seconds
            self._tell(last, (last - first) / max(seconds, 1e-9))
            chunk = chunk_of(last - first, seconds)
            if time.perf_counter() >= self.due or self.counters.stopped is not None:
                self._write()
        return self._fitted()

    def _learn(self, first: int, last: int) -> None:
        try:
            totals = self.steps.run(first, last, self.counters.totals)
        except NotFiniteError as error:
            raise self._not_finite(error) from None
        self.counters.reach(last, totals)
        self.counters.parts = self.steps.parts

    def _next_evaluation(self) -> int:
        every = self.settings.evaluate_every
        return (self.counters.step // every + 1) * every

    def _evaluate(self, began: float) -> None:
        """A point of the learning curve; the weights are kept where they are the best so far."""
        counters, step = self.counters, self.counters.step
        with self.learner.evaluated(step):
            members = predict(self.network, self.graphs, self.validation, mean=self.standard.mean,
                              scale=self.standard.scale)
            mae, rmse = errors(members, self.targets[self.validation])
            if len(self.validation) and not np.isfinite(mae):
                bad = self.validation[~np.isfinite(members).all(axis=0)]
                raise TrainingError(f"After step {step:,} the network gives no numbers for materials of the "
                                    f"validation rows: {self._named(bad)}. {self._advice()}")
            if not len(self.validation) or mae < counters.best_mae:
                counters.best_mae, counters.best_step = mae, step
                self.best = {name: one.detach().clone() for name, one in self.network.state_dict().items()}
        counters.seconds += time.perf_counter() - began
        loss, error = counters.means()
        counters.curve.append(Point(step, loss, error * self.standard.scale, mae, rmse,
                                    learning_rate(self.settings, step - 1), counters.seconds))
        if step >= self.settings.steps:
            counters.stopped = "steps"
        elif self.settings.patience is not None and step - counters.best_step >= self.settings.patience:
            counters.stopped = "patience"

    def _resume(self, checkpoints: Checkpoints) -> None:
        found = checkpoints.newest(self._note)
        if found is None:
            return
        tensors, state = found
        notes = self.counters.notes
        self.counters = Counters.of(state)
        self.counters.notes.extend(notes)
        self.learner.restore({name: one for name, one in tensors.items() if not name.startswith("best/")})
        self.best = {name.removeprefix("best/"): one.to(self.graphs.device) for name, one in tensors.items()
                     if name.startswith("best/")}
        self.resumed_from = self.counters.step or None

    def _write(self) -> None:
        if self.checkpoints is not None:
            began = time.perf_counter()
            tensors = self.learner.tensors() | {f"best/{name}": one for name, one in self.best.items()}
            self.checkpoints.write(self.counters.step, tensors, self.counters.plain())
            pause, now = self.settings.checkpoint_seconds, time.perf_counter()
            self.due = now + (max(pause, (now - began) / WRITING_SHARE) if pause else 0.0)

    def _fitted(self) -> Fitted:
        self.network.load_state_dict(self.best)
        self.network.eval()
        weights = {name: one.detach().cpu().clone() for name, one in self.best.items()}
        counters = self.counters
        return Fitted(
            weights, self.standard.mean, self.standard.scale, counters.curve, counters.step, counters.best_step,
            counters.stopped or "steps", counters.seconds, device_name(self.graphs.device), self.resumed_from,
            tuple(counters.notes),
        )

    def _note(self, text: str) -> None:
        self.counters.notes.append(text)
        self._tell(self.counters.step, None, text)

    def _tell(self, step: int, rate: float | None, note: str | None = None) -> None:
        if self.progress is None:
            return
        mae = self.counters.curve[-1].validation_mae if self.counters.curve else None
        self.progress(State("training", step, self.settings.steps, mae, rate, self.resumed_from, note))

    def _not_finite(self, error: NotFiniteError) -> TrainingError:
        return TrainingError(f"The loss is no number at step {error.step:,}, in the batch of these materials: "
                             f"{self._named(error.places)}. {self._advice()}")

    def _advice(self) -> str:
        kept = "" if self.checkpoints is None else f" The last checkpoint is kept in {self.checkpoints.folder}."
        return ("Look at their structures and targets, or train with a lower learning_rate or with clip, the largest "
                f"norm of a gradient.{kept}")

    def _named(self, places: Places) -> str:
        shown = [self.names[place] if self.names is not None else f"row {place}" for place in places[:MOST_NAMES]]
        more = f" and {len(places) - MOST_NAMES:,} more" if len(places) > MOST_NAMES else ""
        return ", ".join(shown) + more


def chunk_of(steps: int, seconds: float) -> int:
    """How many steps until the next look at the clock; what comes out does not depend on it."""
    return max(1, min(MOST_STEPS, 2 * steps, int(steps * SECONDS_PER_CHUNK / max(seconds, 1e-9))))


def check_rows(targets: npt.NDArray[np.float64], train: Places, validation: Places,
               names: Sequence[str] | None) -> None:
    """Refuse rows that cannot be learned from.

    Raises:
        InputError: there are none to learn from, a target is no number, or places are not there.
    """
    if not len(train):
        raise InputError("There is nothing to learn from: no row is in the training split.")
    used = np.concatenate((train, validation))
    if used.min() < 0 or used.max() >= len(targets):
        raise InputError(f"There are {len(targets):,} targets: places from 0 to {len(targets) - 1:,} are needed.")
    if names is not None and len(names) != len(targets):
        raise InputError(f"{len(names):,} names do not fit {len(targets):,} targets.")
    bad = used[~np.isfinite(targets[used])]
    if len(bad):
        first = f"row {bad[0]}" if names is None else names[bad[0]]
        raise InputError(f"{len(bad):,} targets to train or validate on are no finite numbers, that of {first} first: "
                         "leave such rows out.")
