"""One step of training: batch, forward, backward, Adam; in parts where memory is short."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lake.errors import TrainingError
from ml.training.learner import Learner
from ml.training.losses import Loss, loss_of
from ml.training.memory import is_out_of_memory, release
from ml.training.sampler import Sampler
from ml.training.schedule import learning_rate
from ml.training.sources import Places, Source

MASK = 2**64 - 1


@dataclass(frozen=True)
class Totals:
    """Sums over steps.

    Attributes:
        loss: of the batches' losses, averaged over members.
        error: of the batches' mean absolute errors, averaged over members, in standard deviations.
    """

    loss: float = 0.0
    error: float = 0.0


class NotFiniteError(Exception):
    """A loss is no number.

    Args:
        step: whose batch is to blame.
        places: that batch, or those of it whose prediction is no number.
    """

    def __init__(self, step: int, places: Places) -> None:
        super().__init__(step)
        self.step, self.places = step, places


def seed_of(seed: int, step: int) -> int:
    """The seed of the random numbers (dropout) of a step: so nothing of them needs to be kept (SplitMix64)."""
    z = (seed * 0x9E3779B97F4A7C15 + step + 0x9E3779B97F4A7C15) & MASK
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def begin_random_numbers(device: torch.device, seed: int, step: int) -> None:
    """Begin the random numbers of a step (torch.manual_seed takes milliseconds where CUDA is not in use)."""
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed_of(seed, step))
    else:
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(seed_of(seed, step))


def add_gradients(network: nn.Module, batch: Any, target: Tensor, loss: Loss, n: int) -> tuple[Tensor, Tensor]:
    """Add the gradients of a batch, or of a part of it, to those of the parameters.

    The loss is the mean over the batch and the sum over members, so that every member learns as if it were alone.

    Args:
        network: gives (n_members, n_graphs).
        batch: what it takes.
        target: standardised, (n_graphs,).
        loss: of single errors.
        n: graphs of the whole batch.

    Returns:
        Loss, summed over members, and the errors (n_members, n_graphs).
    """
    errors = network(batch) - target
    value = loss(errors).sum() / n
    value.backward()  # type: ignore[no-untyped-call]
    return value.detach(), errors.detach()


class Steps:
    """Steps whose operations are started one by one, each looked at before the next.

    Args:
        learner: what learns.
        graphs: on its device.
        targets: standardised, on the device, (n,).
        sampler: of batches.
        parts: in how many parts a batch goes through the network.
        note: told what a person should know.
    """

    def __init__(self, learner: Learner, graphs: Source, targets: Tensor, sampler: Sampler, *, parts: int = 1,
                 note: Callable[[str], None] = lambda _: None) -> None:
        self.learner, self.graphs, self.targets, self.sampler = learner, graphs, targets, sampler
        self.parts, self.note = parts, note
        self.loss, self.device = loss_of(learner.settings), targets.device

    def run(self, first: int, last: int, totals: Totals) -> Totals:
        """Do the steps from ``first`` to before ``last``.

        Args:
            first: counted from 0.
            last: one more than that of the last one.
            totals: sums so far; one step after the other is added, so that they do not depend on how many are done
                in one call.

        Raises:
            NotFiniteError: a loss is no number; the weights are those before that step.
            TrainingError: not even one graph at a time fits into memory.
        """
        loss, error = totals.loss, totals.error
        for step, places in zip(range(first, last), self.sampler.batches(first, last), strict=True):
            begin_random_numbers(self.device, self.learner.settings.seed, step)
            found = self.gradients(step, places)
            value = found[0].item()
            if not math.isfinite(value):
                raise self._not_finite(step, places, found[1])
            self.learner.update(learning_rate(self.learner.settings, step))
            loss, error = loss + value / len(found[1]), error + found[1].abs().mean().item()
        return Totals(loss, error)

    def gradients(self, step: int, places: Places) -> tuple[Tensor, Tensor]:
        """Gradients of a batch, in as many parts as memory asks for; its loss and errors.

        Raises:
            TrainingError: not even one graph at a time fits into memory.
        """
        while True:
            try:
                return self._gradients_in_parts(places)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error).partition("\n")[0][:200]
            # Here the error is gone, and with it what the failed pass had made.
            self._halve(step, places, reason)
            begin_random_numbers(self.device, self.learner.settings.seed, step)

    def _gradients_in_parts(self, places: Places) -> tuple[Tensor, Tensor]:
        self.learner.forget_gradients()
        value, errors = None, []
        for part in np.array_split(places, self.parts) if self.parts > 1 else (places,):
            at = torch.from_numpy(part)
            batch, target = self.graphs.batch(at), self.targets[at.to(self.device, non_blocking=True)]
            found = add_gradients(self.learner.network, batch, target, self.loss, len(places))
            value = found[0] if value is None else value + found[0]
            errors.append(found[1])
        assert value is not None
        return value, errors[0] if len(errors) == 1 else torch.cat(errors, dim=1)

    def _halve(self, step: int, places: Places, reason: str) -> None:
        """Let a batch go through the network in twice as many parts from now on."""
        self.learner.forget_gradients()
        release(self.device)
        if self.parts >= len(places):
            raise TrainingError(
                f"Memory of {self.device} is used up at step {step:,} even with one graph at a time: train with fewer "
                f"channels or members, or where there is more memory. ({reason})"
            )
        self.parts = min(2 * self.parts, len(places))
        self.note(f"Memory of {self.device} is used up: batches of {len(places)} now go through the network in "
                  f"{self.parts} parts of {-(-len(places) // self.parts)} graphs at most; the optimiser still sees "
                  "whole batches.")

    def _not_finite(self, step: int, places: Places, errors: Tensor) -> NotFiniteError:
        """Which batch is to blame: the one before where its gradient had spoilt the weights."""
        if step and not all(bool(torch.isfinite(one).all()) for one in self.learner.parameters):
            return NotFiniteError(step - 1, self.sampler.batch(step - 1))
        bad = (~torch.isfinite(errors)).any(dim=0).cpu().numpy()
        return NotFiniteError(step, places[bad] if bad.any() else places)
