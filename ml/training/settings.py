"""What decides how a network is trained: plain values that read and write JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from lake.errors import InputError

OPTIMIZERS = ("adam", "adamw")
SCHEDULES = ("cosine", "exponential", "constant")
LOSSES = ("mse", "mae", "huber")
MACHINE = ("device", "threads", "checkpoint_seconds", "capture")
"""Settings that say where and how training runs, not what comes out."""


@dataclass(frozen=True)
class TrainSettings:
    """How a network is trained.

    The training of Speckhard et al. (Faraday Discuss. 256, 483 (2025)) is ``schedule="exponential"``,
    ``learning_rate=5e-4``, ``clip=None``, with steps in millions. The defaults suit budgets of some ten thousand steps:
    on 4,028 formation energies 3,000 steps of SchNet leave a test error of 119 meV/atom at a rate of 1e-3, 91 at 3e-3,
    83 at 6e-3 and 75 at 1.2e-2, the last two with ``clip=1.0``.

    Attributes:
        steps: gradient steps, at most.
        batch_size: graphs per step.
        learning_rate: the largest one.
        optimizer: adam (Kingma and Ba, arXiv 1412.6980) or adamw (Loshchilov and Hutter, arXiv 1711.05101).
        weight_decay: added to gradients (adam) or taken from weights (adamw).
        schedule: of the learning rate: ``cosine`` rises to it within ``warm_up_steps`` and falls to ``final_share`` of
            it at the last step; ``exponential`` falls by ``decay`` every ``decay_steps``; ``constant`` stays.
        warm_up_steps: steps in which the rate rises from 0; None: 2 % of all, 500 at most, for cosine; else 0.
        final_share: what is left of the rate at the end of ``cosine``.
        decay: factor of ``exponential``.
        decay_steps: steps after which it has applied once.
        loss: mse, mae or huber, of the standardised target.
        huber_delta: error, in standard deviations of the target, where huber turns from square to linear.
        clip: largest norm of a member's gradient; None: any.
        ema: share of the moving average of the weights that stays at every step, such as 0.999; 0: there is none.
            Where there is one, it is what is evaluated and kept.
        evaluate_every: steps between two evaluations on the validation rows.
        patience: steps without a better validation error after which training stops; None: it does not.
        most_validation_rows: how many validation rows are evaluated; None: as many as take about a quarter of the
            time of training, a thousand at least. The same rows each time.
        seed: of the order of rows and of dropout.
        device: auto, cpu, cuda or cuda:N.
        threads: of PyTorch on a CPU; None: as many as it has now.
        checkpoint_seconds: time between two checkpoints, more where writing one takes long; 0: as often as possible.
        capture: whether steps on a GPU are captured as CUDA graphs.
    """

    steps: int = 20_000
    batch_size: int = 32
    learning_rate: float = 5e-3
    optimizer: str = "adam"
    weight_decay: float = 0.0
    schedule: str = "cosine"
    warm_up_steps: int | None = None
    final_share: float = 0.01
    decay: float = 0.96
    decay_steps: int = 100_000
    loss: str = "mse"
    huber_delta: float = 1.0
    clip: float | None = 1.0
    ema: float = 0.0
    evaluate_every: int = 1_000
    patience: int | None = None
    most_validation_rows: int | None = None
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    checkpoint_seconds: float = 10.0
    capture: bool = True

    def __post_init__(self) -> None:
        for name, choices in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("loss", LOSSES)):
            if getattr(self, name) not in choices:
                raise InputError(f"There is no {name} {getattr(self, name)!r:.80} to train with; one of "
                                 f"{', '.join(choices)} is needed.")
        for name in ("steps", "batch_size", "decay_steps", "evaluate_every"):
            self._whole(name, 1)
        for name, least in (("warm_up_steps", 0), ("patience", 1), ("most_validation_rows", 1), ("threads", 1)):
            if getattr(self, name) is not None:
                self._whole(name, least)
        self._whole("seed", 0, 2**63 - 1)
        for name, low, high in (("learning_rate", 0.0, 10.0), ("huber_delta", 0.0, math.inf), ("decay", 0.0, 1.0),
                                ("clip", 0.0, math.inf)):
            if name != "clip" or self.clip is not None:
                self._number(name, low, high, above=True)
        for name, high in (("weight_decay", 1e3), ("final_share", 1.0), ("checkpoint_seconds", math.inf)):
            self._number(name, 0.0, high)
        self._number("ema", 0.0, 1.0, below=True)
        if type(self.capture) is not bool:
            raise InputError(f"capture of training is {self.capture!r:.40}; true or false is needed.")

    def _whole(self, name: str, least: int, most: int = 10**12) -> None:
        value = getattr(self, name)
        if type(value) is not int or not least <= value <= most:
            raise InputError(f"{name} of training is {value!r:.40}; a whole number from {least} is needed.")

    def _number(self, name: str, low: float, high: float, *, above: bool = False, below: bool = False) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high \
                or (above and value == low) or (below and value == high):
            least = f"{'above' if above else 'from'} {low:g}"
            most = "" if math.isinf(high) else f" {'to below' if below else 'to'} {high:g}"
            raise InputError(f"{name} of training is {value!r:.40}; a number {least}{most} is needed.")

    def plain(self) -> dict[str, Any]:
        """The fields as JSON can hold them."""
        return asdict(self)

    @property
    def recipe(self) -> dict[str, Any]:
        """The fields that decide what comes out."""
        return {name: value for name, value in asdict(self).items() if name not in MACHINE}

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> TrainSettings:
        """Settings from plain values by name; what is not given is default.

        Raises:
            InputError: a name is unknown, or a value is out of its bounds.
        """
        known = [one.name for one in fields(cls)]
        if unknown := sorted(set(given) - set(known)):
            raise InputError(f"Training has no setting {unknown[0]!r:.80}. Settings: {', '.join(known)}.")
        return cls(**given)
