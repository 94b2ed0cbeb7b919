"""A network with all that its training changes: weights, Adam's moments, the moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from ml.training.settings import TrainSettings

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class Learner:
    """A network and its optimiser, all in tensors that stay where they are.

    Args:
        network: on its device; its parameters have one row per member.
        settings: of training.
    """

    def __init__(self, network: nn.Module, settings: TrainSettings) -> None:
        named = [(name, one) for name, one in network.named_parameters() if one.requires_grad]
        self.network, self.settings = network, settings
        self.names = [name for name, _ in named]
        self.parameters: list[Tensor] = [parameter for _, parameter in named]
        self.n_members = int(getattr(getattr(network, "settings", None), "n_members", 1))
        self.first = [torch.zeros_like(one, requires_grad=False) for one in self.parameters]
        self.second = [torch.zeros_like(one, requires_grad=False) for one in self.parameters]
        self.counts = [torch.zeros((), device=one.device) for one in self.parameters]
        self.average = [torch.zeros_like(one, requires_grad=False) for one in self.parameters] if settings.ema else []

    def forget_gradients(self) -> None:
        """As before a step."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def update(self, rate: float | Tensor) -> None:
        """One step of Adam along the gradients.

        Args:
            rate: learning rate; on a GPU a tensor there, so that a captured step follows it.
        """
        if self.settings.clip is not None:
            self._clip(self.settings.clip)
        places = [place for place, one in enumerate(self.parameters) if one.grad is not None]
        chosen = ([tensors[place] for place in places] for tensors in
                  (self.parameters, self.first, self.second, self.counts))
        parameters, first, second, counts = chosen
        gradients = [one.grad for one in parameters if one.grad is not None]
        adam(
            parameters, gradients, first, second, [], counts, fused=True, amsgrad=False, maximize=False,
            capturable=isinstance(rate, Tensor), lr=rate, beta1=BETAS[0], beta2=BETAS[1], eps=EPSILON,
            weight_decay=self.settings.weight_decay, decoupled_weight_decay=self.settings.optimizer == "adamw",
        )
        if self.average:
            torch._foreach_lerp_(self.average, self.parameters, 1 - self.settings.ema)

    def _clip(self, most: float) -> None:
        """Shorten each member's gradient to a norm: members must not know of each other."""
        gradients = [one.grad for one in self.parameters if one.grad is not None]
        if self.n_members == 1:
            norm = nn.utils.get_total_norm(gradients, foreach=True)
            nn.utils.clip_grads_with_norm_(self.parameters, most, norm, foreach=True)
            return
        squares = torch.stack([one.reshape(self.n_members, -1).square().sum(1) for one in gradients]).sum(0)
        factor = (most / (squares.sqrt() + 1e-6)).clamp(max=1.0)
        for one in gradients:
            one.mul_(factor.view(-1, *[1] * (one.dim() - 1)))

    @contextmanager
    def evaluated(self, steps: int) -> Iterator[None]:
        """The network as it is judged: in evaluation mode, with the average of its weights where there is one.

        Args:
            steps: done so far: the average started from 0, and is divided by what its weights sum to, as Adam's
                moments are.
        """
        training = self.network.training
        self.network.eval()
        kept = [one.detach().clone() for one in self.parameters] if self.average and steps else []
        try:
            if kept:
                weight = 1 - self.settings.ema**steps
                with torch.no_grad():
                    torch._foreach_copy_(self.parameters, torch._foreach_div(self.average, weight))
            yield
        finally:
            if kept:
                with torch.no_grad():
                    torch._foreach_copy_(self.parameters, kept)
            self.network.train(training)

    def tensors(self) -> dict[str, Tensor]:
        """All of it by name; the tensors themselves."""
        named = {f"weights/{name}": one for name, one in self.network.state_dict().items()}
        for part, tensors in (("first", self.first), ("second", self.second), ("average", self.average)):
            named |= {f"{part}/{name}": one for name, one in zip(self.names, tensors, strict=False)}
        return named | {f"count/{name}": one for name, one in zip(self.names, self.counts, strict=True)}

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take over what :meth:`tensors` gave.

        Raises:
            KeyError: one of them is missing.
            RuntimeError: one has another shape.
        """
        for name, one in self.tensors().items():
            one.copy_(tensors[name])
