"""Candidates of equal shape trained together on shared batches, each as if it were alone."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lake.errors import InputError
from ml.progress import State
from ml.training.checkpoint import Checkpoints
from ml.training.device import computing, device_name
from ml.training.freed_memory import kept_freed_memory
from ml.training.identity import identity_of
from ml.training.loop import WRITING_SHARE, check_rows, chunk_of
from ml.training.predict import predict_each
from ml.training.result import Point
from ml.training.sampler import Sampler
from ml.training.schedule import learning_rate
from ml.training.settings import TrainSettings
from ml.training.sources import Places, Source
from ml.training.stack_group import Group, SplitError
from ml.training.stack_members import default_width, taken
from ml.training.stack_result import Candidate, Member, Stacked
from ml.training.stack_shared import Shared
from ml.training.standard import Standard
from ml.training.validation import errors, evaluated_rows

if TYPE_CHECKING:
    from ml.progress import Progress


def fit_stack(
    network: nn.Module, graphs: Source, targets: npt.NDArray[np.float64], train: Places, validation: Places,
    settings: TrainSettings, candidates: Sequence[Candidate], *, until: int, keep: Sequence[int] | None = None,
    folder: Path | None = None, progress: Progress | None = None, names: Sequence[str] | None = None,
    width: int | None = None,
) -> Stacked:
    """Train candidates up to a step, or go on with them up to a later one.

    What comes of a candidate does not depend on the others: the order of batches follows from the seed of the
    settings, first weights and dropout from that of the candidate. On a CPU with ``width`` 1 it is what ``fit`` gives
    for it alone, bit for bit, where both seeds are the same; wider, up to rounding.

    Args:
        network: with the first weights of all candidates, as of ``build_stack``; it is left as it is.
        graphs: on their device.
        targets: of every graph, (n,), in the unit of the target.
        train: places of the graphs to learn from.
        validation: places of the graphs that decide which weights are best; at least one.
        settings: that all share; ``steps`` is where the longest training would end, and schedules with it.
        candidates: one per member of the network.
        until: step to train up to; settings.steps at most.
        keep: candidates that go on, by place; None: all that can. Others cost nothing from here on, and cannot go on
            later.
        folder: where checkpoints are kept; without it nothing can be gone on with.
        progress: called some times a second.
        names: of the materials, (n,), for messages.
        width: members in one pass; None: as of ``default_width``. Where memory does not suffice, groups are split. A
            training that is gone on with keeps its groups, so that a kill changes no bit.

    Raises:
        InputError: there are no rows, or candidates, steps and network do not fit each other.
        TrainingError: memory does not suffice for one graph of one member, or a checkpoint cannot be written.
    """
    targets = np.asarray(targets, dtype=np.float64)
    train, validation = (np.asarray(places, dtype=np.int64) for places in (train, validation))
    check_rows(targets, train, validation, names)
    _check(network, validation, settings, candidates, until, keep, width)
    gpus = [graphs.device] if graphs.device.type == "cuda" else []
    with kept_freed_memory(), computing(graphs.device, settings.threads), torch.random.fork_rng(gpus):
        stack = _Stack(network, graphs, targets, train, validation, settings, candidates, folder, progress, width)
        stack.prune(keep)
        return stack.run(until)


class _Stack:
    """One call of :func:`fit_stack`."""

    def __init__(
        self, network: nn.Module, graphs: Source, targets: npt.NDArray[np.float64], train: Places, validation: Places,
        settings: TrainSettings, candidates: Sequence[Candidate], folder: Path | None, progress: Progress | None,
        width: int | None,
    ) -> None:
        self.graphs, self.targets, self.settings, self.progress = graphs, targets, settings, progress
        self.candidates, self.notes = list(candidates), list[str]()
        self.own = [one.settings(settings) for one in candidates]
        self.standard = Standard.of(targets[train])
        self.validation = evaluated_rows(validation, settings)
        self.sampler = Sampler(train, settings.batch_size, settings.seed)
        self.members = [Member() for _ in candidates]
        self.step = 0
        self.grouping: dict[str, Any] = {}
        self.resumed_from: int | None = None
        self.checkpoints: Checkpoints | None = None
        found: dict[str, Tensor] | None = None
        self.due = time.perf_counter() + settings.checkpoint_seconds
        if folder is not None:
            identity = identity_of(network, graphs, targets, train, validation, settings)
            of_candidates = json.dumps([asdict(one) for one in candidates])
            identity = replace(identity, settings=f"{identity.settings} {of_candidates}")
            self.checkpoints = Checkpoints(folder, identity)
            found = self._found(self.checkpoints)
        self.groups = self._groups(network, width, found)

    def _found(self, checkpoints: Checkpoints) -> dict[str, Tensor] | None:
        found = checkpoints.newest(self._note)
        if found is None:
            return None
        tensors, state = found
        self.step, self.grouping = state["step"], state.get("groups", {})
        self.resumed_from = self.step or None
        self.notes = [*state["notes"], *self.notes]
        self.members = [Member.of(plain, _under(tensors, f"best/{place}/"))
                        for place, plain in enumerate(state["members"])]
        return tensors

    def _groups(self, network: nn.Module, width: int | None, found: dict[str, Tensor] | None) -> list[Group]:
        device = self.graphs.device
        alive = [place for place, member in enumerate(self.members) if member.stopped is None]
        self.width = width or default_width(network, device, len(self.members))
        grouping = [alive[first:first + self.width] for first in range(0, len(alive), self.width)]
        if self.grouping.get("width") == self.width:
            # Those that others have left since: sums in other shapes are rounded otherwise.
            grouping = [[one for one in numbers if one in alive] for numbers in self.grouping["members"]]
        dtype = next(network.parameters()).dtype
        targets = torch.from_numpy(self.standard.standardised(self.targets)).to(device, dtype)
        graphs = Shared(self.graphs)
        groups = []
        for numbers in filter(None, grouping):
            group = Group(taken(network, numbers).to(device), numbers, [self.candidates[one] for one in numbers],
                          self.settings, graphs, targets, self.sampler, self._note)
            for place, number in enumerate(numbers):
                if found is not None:
                    group.put(place, _under(found, f"member/{number}/"))
                group.sums[:, place] = torch.tensor(
                    [self.members[number].loss, self.members[number].error], dtype=torch.float64)
            groups.append(group)
        return groups

    def prune(self, keep: Sequence[int] | None) -> None:
        """Take out all but some candidates."""
        if keep is None:
            return
        gone = [place for place in keep if self.members[place].stopped == "pruned"]
        if gone:
            raise InputError(f"Candidate {gone[0]} was taken out after step {self.members[gone[0]].steps:,} and cannot "
                             "go on: train it anew, in another folder.")
        for place, member in enumerate(self.members):
            if place not in set(keep) and member.stopped is None:
                member.stopped = "pruned"
        self._shrink()

    def run(self, until: int) -> Stacked:
        """Train up to a step."""
        self._write()
        chunk = 1
        while self.step < until and self.groups:
            began = time.perf_counter()
            every = self.settings.evaluate_every
            first, last = self.step, min(self.step + chunk, (self.step // every + 1) * every, until)
            self._learn(first, last)
            seconds = time.perf_counter() - began
            if self.groups and (last % every == 0 or last == self.settings.steps):
                self._evaluate()
            self._share(time.perf_counter() - began)
            self._tell((last - first) / max(seconds, 1e-9))
            chunk = chunk_of(last - first, seconds)
            if self.step >= until or not self.groups or time.perf_counter() >= self.due:
                self._write()
        return Stacked(tuple(self.members), self.standard.mean, self.standard.scale, self.step,
                       device_name(self.graphs.device), self.resumed_from, tuple(self.notes))

    def _learn(self, first: int, last: int) -> None:
        for group in self.groups:
            group.begin(first, last)
        for step, places in zip(range(first, last), self.sampler.batches(first, last), strict=True):
            waiting, done = self.groups, list[Group]()
            while waiting:
                try:
                    waiting[0].step(step, places)
                    done, waiting = [*done, waiting[0]], waiting[1:]
                except SplitError as error:
                    reason = str(error)
                    waiting = [*self._halves(waiting[0], step, last, reason), *waiting[1:]]
            self.groups = done
        self.step = last
        for group in self.groups:
            sums, bad = group.read()
            for place, number in enumerate(group.numbers):
                member = self.members[number]
                member.steps, member.loss, member.error = last, sums[0][place], sums[1][place]
                if bad[place] >= 0:
                    self._fail(number, bad[place], f"The loss is no number at step {bad[place]:,}.")
        self._shrink()

    def _halves(self, group: Group, step: int, last: int, reason: str) -> list[Group]:
        n = len(group.numbers)
        halves = [group.part(range(n // 2)), group.part(range(n // 2, n))]
        for half in halves:
            half.begin(step, last)
        self._note(f"Memory of {self.graphs.device} is used up at step {step:,} with {n} candidates at once: they are "
                   f"trained {n // 2} and {n - n // 2} at a time. ({reason})")
        return halves

    def _fail(self, number: int, step: int, reason: str) -> None:
        member = self.members[number]
        member.stopped, member.steps, member.loss, member.error = "failed", step, 0.0, 0.0
        member.failed = (f"{reason} Its learning_rate is {self.candidates[number].learning_rate:g}: a lower one, or "
                         "clip, the largest norm of a gradient, would help.")

    def _shrink(self) -> None:
        """Leave those out that do not go on."""
        groups = []
        for group in self.groups:
            alive = [place for place, number in enumerate(group.numbers) if self.members[number].stopped is None]
            if len(alive) == len(group.numbers):
                groups.append(group)
            elif alive:
                groups.append(group.part(alive))
        self.groups = groups

    def _evaluate(self) -> None:
        """A point of every learning curve; weights are kept where they are a candidate's best so far."""
        with ExitStack() as judged:
            for group in self.groups:
                judged.enter_context(group.learner.evaluated(self.step))
            said = predict_each([group.network for group in self.groups], self.graphs, self.validation,
                                mean=self.standard.mean, scale=self.standard.scale)
            for group, of_members in zip(self.groups, said, strict=True):
                for place, number in enumerate(group.numbers):
                    mae, rmse = errors(of_members[place:place + 1], self.targets[self.validation])
                    self._point(group, place, number, mae, rmse)
                group.sums.zero_()
        self._shrink()

    def _point(self, group: Group, place: int, number: int, mae: float, rmse: float) -> None:
        member, own = self.members[number], self.own[number]
        if not np.isfinite(rmse):
            self._fail(number, self.step, f"After step {self.step:,} it gives no numbers for validation rows.")
            return
        if mae < member.best_mae:
            member.best_mae, member.best_rmse, member.best_step = mae, rmse, self.step
            member.weights = group.weights(place)
        steps = self.step - (member.curve[-1].step if member.curve else 0)
        member.curve.append(Point(self.step, member.loss / steps, member.error / steps * self.standard.scale, mae, rmse,
                                  learning_rate(own, self.step - 1), member.seconds))
        member.loss = member.error = 0.0
        if self.step >= self.settings.steps:
            member.stopped = "steps"
        elif own.patience is not None and self.step - member.best_step >= own.patience:
            member.stopped = "patience"

    def _share(self, seconds: float) -> None:
        """Divide the time among those that took it."""
        at_work = [one for one in self.members if one.steps == self.step]
        for member in at_work:
            member.seconds += seconds / len(at_work)

    def _write(self) -> None:
        if self.checkpoints is None:
            return
        began = time.perf_counter()
        tensors = {f"best/{place}/{name}": one for place, member in enumerate(self.members)
                   for name, one in member.weights.items()}
        for group in self.groups:
            for place, number in enumerate(group.numbers):
                tensors |= {f"member/{number}/{name}": one.detach().cpu().clone()
                            for name, one in group.get(place).items()}
        state = {"step": self.step, "members": [one.plain() for one in self.members], "notes": self.notes,
                 "groups": {"width": self.width, "members": [one.numbers for one in self.groups]}}
        self.checkpoints.write(self.step, tensors, state)
        now = time.perf_counter()
        pause = self.settings.checkpoint_seconds
        self.due = now + (max(pause, (now - began) / WRITING_SHARE) if pause else 0.0)

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self._tell(None, text)

    def _tell(self, rate: float | None, note: str | None = None) -> None:
        if self.progress is not None:
            best = min((one.best_mae for one in self.members), default=np.inf)
            self.progress(State("training", self.step, self.settings.steps, best if np.isfinite(best) else None, rate,
                                self.resumed_from, note))


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}


def _check(network: nn.Module, validation: Places, settings: TrainSettings, candidates: Sequence[Candidate],
           until: int, keep: Sequence[int] | None, width: int | None) -> None:
    n, form = len(candidates), getattr(network, "settings", None)
    n_members = int(getattr(form, "n_members", 1))
    if n != n_members or not n:
        raise InputError(f"{n} candidates do not fit a network of {n_members} members: one each is needed.")
    if not len(validation):
        raise InputError("Candidates cannot be told apart without validation rows: at least one is needed.")
    if not 1 <= until <= settings.steps:
        raise InputError(f"Training up to step {until:,} is not possible: 1 to {settings.steps:,} is needed.")
    if width is not None and width < 1:
        raise InputError(f"{width} candidates in one pass are not possible: at least 1 is needed.")
    if keep is not None and any(not 0 <= place < n for place in keep):
        raise InputError(f"Candidates to keep are {list(keep)!r:.80}: places from 0 to {n - 1} are needed.")
    if any(one.dropout for one in candidates) and not getattr(form, "dropout", 0.0):
        raise InputError("The network was built without dropout, and candidates have some: make it with build_stack.")
