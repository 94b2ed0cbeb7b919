"""Steps on a GPU that never wait for it: recorded as CUDA graphs, one per size of a batch, read back now and then."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ml.training.learner import Learner
from ml.training.recording import WARM_UP, Body, Recorder
from ml.training.sampler import Sampler
from ml.training.schedule import learning_rates
from ml.training.sources import PaddedSource, Places
from ml.training.step import NotFiniteError, Steps, Totals, add_gradients, begin_random_numbers

MOST_STEPS = 1_000
"""Steps between two readings."""


class CapturedSteps(Steps):
    """Steps whose batches, learning rates and sums lie on the device, which counts them itself.

    Where recording fails, or a batch is larger than all recorded sizes, operations are started one by one; still
    nothing waits for the device but the reading of the sums after the last step of a call.

    Args:
        learner: what learns.
        graphs: on its device.
        targets: standardised, on the device, (n,).
        sampler: of batches.
        parts: in how many parts a batch goes through the network.
        note: told what a person should know.
        recorder: makes the piece of work that is repeated; None: operations are started one by one.
    """

    graphs: PaddedSource

    def __init__(
        self, learner: Learner, graphs: PaddedSource, targets: Tensor, sampler: Sampler, *, parts: int = 1,
        note: Callable[[str], None] = lambda _: None, recorder: Recorder | None = None,
    ) -> None:
        super().__init__(learner, graphs, targets, sampler, parts=parts, note=note)
        self.recorder = recorder if parts == 1 else None
        if self.recorder is not None and not graphs.resident:
            note(f"The graphs do not fit into the memory of {self.device}: batches are made in the computer's memory, "
                 "and steps are not captured.")
            self.recorder = None
        self.buckets = [] if self.recorder is None else list(graphs.bucket_sizes(
            sampler.batch_size, places=sampler.places))
        self.replays: dict[int, Body] = {}
        # Recording runs ahead by a few steps, which are then forgotten.
        n = MOST_STEPS + WARM_UP
        self.batches = torch.zeros((n, sampler.batch_size), dtype=torch.int64, device=self.device)
        self.rates = torch.zeros(n, device=self.device)
        self.count = torch.zeros((), dtype=torch.int64, device=self.device)
        self.sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        self.bad = torch.full((), -1, dtype=torch.int64, device=self.device)

    def run(self, first: int, last: int, totals: Totals) -> Totals:
        """Do the steps from ``first`` to before ``last``; at most 1,000 of them.

        Args:
            first: counted from 0.
            last: one more than that of the last one.
            totals: sums so far.

        Raises:
            NotFiniteError: a loss is no number.
            TrainingError: not even one graph at a time fits into memory.
        """
        before = {name: one.detach().clone() for name, one in self.learner.tensors().items()}
        batches = self.sampler.batches(first, last)
        self._begin(first, batches, totals)
        buckets = self.graphs.bucket_of(batches, self.buckets).tolist() if self.buckets else [-1] * len(batches)
        for place, bucket in enumerate(buckets):
            if bucket >= 0 and self.recorder is not None:
                self._replay(bucket, first + place, batches[place])
            else:
                self._one_by_one(first + place, batches[place])
        loss, error, bad = torch.cat((self.sums, self.bad.double()[None])).tolist()
        if bad >= 0:
            self.learner.restore(before)
            # One after the other, to see which materials are to blame.
            super().run(first, first + int(bad) + 1, totals)
            raise NotFiniteError(first + int(bad), batches[int(bad)])
        return Totals(loss, error)

    def _begin(self, first: int, batches: Places, totals: Totals) -> None:
        """Lay out what the steps read and write."""
        n = len(batches)
        self.batches[:n].copy_(torch.from_numpy(batches))
        self.rates[:n].copy_(torch.from_numpy(learning_rates(self.learner.settings, first, first + n)))
        self.sums.copy_(torch.tensor((totals.loss, totals.error), dtype=torch.float64))
        self.count.zero_()
        self.bad.fill_(-1)
        begin_random_numbers(self.device, self.learner.settings.seed, first)

    def _replay(self, bucket: int, step: int, places: Places) -> None:
        if bucket not in self.replays:
            assert self.recorder is not None
            changed = [*self.learner.tensors().values(), self.count, self.sums, self.bad]
            try:
                self.replays[bucket] = self.recorder(partial(self.body, self.buckets[bucket]), changed)
            except (RuntimeError, MemoryError) as error:
                self.recorder = None
                self.replays.clear()
                self.note(f"Steps on {self.device} cannot be captured as a CUDA graph: their operations are started "
                          f"one by one, which is slower. ({str(error).partition(chr(10))[0][:200]})")
        if self.recorder is None:
            self._one_by_one(step, places)
        else:
            self.replays[bucket]()

    def body(self, sizes: Any) -> None:
        """A step with a batch filled up to some sizes; nothing in it waits for the device."""
        self.learner.forget_gradients()
        places = self.batches.index_select(0, self.count.view(1))[0]
        batch, target = self.graphs.padded(places, sizes), self.targets.index_select(0, places)
        self._learn(*add_gradients(self.learner.network, batch, target, self.loss, len(places)))

    def _one_by_one(self, step: int, places: Places) -> None:
        self._learn(*self.gradients(step, places))

    @torch.no_grad()
    def _learn(self, loss: Tensor, errors: Tensor) -> None:
        """Follow the gradients, and add the step to the sums; the first with a bad loss is remembered."""
        self.learner.update(self.rates.index_select(0, self.count.view(1))[0])
        self.sums += torch.stack((loss / len(errors), errors.abs().mean()))
        self.bad.copy_(torch.where((self.bad < 0) & ~torch.isfinite(loss), self.count, self.bad))
        self.count += 1
