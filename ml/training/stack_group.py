"""Members of a stack that go through one pass together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml.training.learner import BETAS, EPSILON, Learner
from ml.training.sampler import Sampler
from ml.training.schedule import learning_rate, learning_rates
from ml.training.settings import TrainSettings
from ml.training.sources import Places
from ml.training.stack_members import MemberDropout, set_dropout, taken
from ml.training.stack_result import Candidate
from ml.training.stack_shared import Shared
from ml.training.step import Steps


class MembersLearner(Learner):
    """A network and its optimiser, with a learning rate per member."""

    @torch.no_grad()
    def update(self, rate: float | Tensor) -> None:
        """One step of Adam along the gradients.

        Args:
            rate: learning rates (n_members,), on the device.
        """
        assert isinstance(rate, Tensor)
        if self.settings.clip is not None:
            self._clip(self.settings.clip)
        places = [place for place, one in enumerate(self.parameters) if one.grad is not None]
        counts = [self.counts[place] for place in places]
        torch._foreach_add_(counts, 1)
        gradients_of: list[Any] = [one.grad for one in self.parameters]
        of_members: Any = zip(*(zip(*(tensors[place].unbind(0) for place in places), strict=True) for tensors in
                           (self.parameters, gradients_of, self.first, self.second)),
                         strict=True)
        # What torch.optim calls, but one after the other: the count is the same for all, the learning rate is not.
        adam = torch._fused_adamw_ if self.settings.optimizer == "adamw" else torch._fused_adam_
        for own, (parameters, gradients, first, second) in zip(self._rates(rate), of_members, strict=True):
            adam(parameters, gradients, first, second, [], counts, lr=own, beta1=BETAS[0], beta2=BETAS[1],
                 weight_decay=self.settings.weight_decay, eps=EPSILON, amsgrad=False, maximize=False)
        if self.average:
            torch._foreach_lerp_(self.average, self.parameters, 1 - self.settings.ema)

    @staticmethod
    def _rates(rates: Tensor) -> Sequence[Any]:
        """By member: numbers on a CPU, on a GPU tensors there, so that nothing waits for them."""
        return rates.tolist() if rates.device.type == "cpu" else rates.float().unbind(0)


class SplitError(Exception):
    """Memory does not suffice for all members of a group at once."""


class _GroupSteps(Steps):
    def _halve(self, step: int, places: Places, reason: str) -> None:
        if self.learner.n_members > 1:
            raise SplitError(reason)
        super()._halve(step, places, reason)


class Group:
    """Members that learn in one pass; several groups learn from the same batches.

    Args:
        network: with the members of this group alone, on the device.
        numbers: of its members among the candidates.
        candidates: of its members.
        settings: of training, shared.
        graphs: that groups share.
        targets: standardised, on the device.
        sampler: of batches.
        note: told what a person should know.
    """

    def __init__(self, network: nn.Module, numbers: Sequence[int], candidates: Sequence[Candidate],
                 settings: TrainSettings, graphs: Shared, targets: Tensor, sampler: Sampler,
                 note: Callable[[str], None]) -> None:
        self.network, self.numbers, self.candidates = network, list(numbers), list(candidates)
        self.settings, self.own = settings, [one.settings(settings) for one in candidates]
        self._given = settings, graphs, targets, sampler, note
        self.dropout = MemberDropout(candidates, targets.device)
        set_dropout(network, self.dropout)
        graphs.joined_by(network)
        network.train()
        self.learner = (Learner if len(candidates) == 1 else MembersLearner)(network, self.own[0])
        self.steps = _GroupSteps(self.learner, graphs, targets, sampler, note=note)
        self.sums = torch.zeros((2, len(candidates)), dtype=torch.float64, device=targets.device)
        self.bad = torch.full((len(candidates),), -1, dtype=torch.int64, device=targets.device)
        self.rates: Any = None
        self.first = 0

    def begin(self, first: int, last: int) -> None:
        """Lay out the learning rates of the steps from ``first`` to before ``last``."""
        self.first = first
        if len(self.own) == 1:
            self.rates = [learning_rate(self.own[0], step) for step in range(first, last)]
        else:
            rates = np.stack([learning_rates(one, first, last) for one in self.own], axis=1)
            self.rates = torch.from_numpy(rates).to(self.sums.device)

    def step(self, step: int, places: Places) -> None:
        """Learn from a batch; nothing waits for the device.

        Raises:
            SplitError: memory suffices for fewer members only; nothing was learned.
            TrainingError: not even one graph at a time fits into memory for one member.
        """
        self.dropout.begin(step)
        errors = self.steps.gradients(step, places)[1]
        self.learner.update(self.rates[step - self.first])
        with torch.no_grad():
            losses = self.steps.loss(errors).mean(1)
            self.sums += torch.stack((losses, errors.abs().mean(1)))
            self.bad.copy_(torch.where((self.bad < 0) & ~torch.isfinite(losses), step, self.bad))

    def read(self) -> tuple[list[list[float]], list[int]]:
        """Sums of losses and errors since the last evaluation, and the step of each member's first bad loss or −1."""
        return self.sums.tolist(), self.bad.tolist()

    def part(self, places: Sequence[int]) -> Group:
        """A group with some of the members, as they are now."""
        settings, graphs, targets, sampler, note = self._given
        group = Group(taken(self.network, places), [self.numbers[one] for one in places],
                      [self.candidates[one] for one in places], settings, graphs, targets, sampler, note)
        for place, member in enumerate(places):
            group.put(place, self.get(member))
        group.sums.copy_(self.sums[:, list(places)])
        group.bad.copy_(self.bad[list(places)])
        group.first, group.steps.parts = self.first, self.steps.parts
        return group

    def get(self, place: int) -> dict[str, Tensor]:
        """All that training changed of one member."""
        return {name: one if name.startswith("count/") else one[place:place + 1]
                for name, one in self.learner.tensors().items() if self._is_kept(name)}

    @torch.no_grad()
    def put(self, place: int, tensors: dict[str, Tensor]) -> None:
        """Take over what :meth:`get` gave."""
        for name, one in self.get(place).items():
            one.copy_(tensors[name])

    def weights(self, place: int) -> dict[str, Tensor]:
        """State of a network with one member, on the CPU, as it is now."""
        named = dict(self.network.named_parameters())
        return {name: (one[place:place + 1] if name in named else one).detach().cpu().clone()
                for name, one in self.network.state_dict().items()}

    def _is_kept(self, name: str) -> bool:
        kind, _, rest = name.partition("/")
        return kind != "weights" or rest in self.learner.names
