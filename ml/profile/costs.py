"""What training costs: hours and money from the time of a step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lake.errors import SettingsError

MS_PER_HOUR = 3_600_000.0


@dataclass(frozen=True)
class Plan:
    """What is to be trained.

    Attributes:
        training_steps: gradient steps of one candidate.
        candidates: how many are trained.
        price_per_hour: of the device, in any currency; None = unknown.
    """

    training_steps: int = 2_000_000
    candidates: int = 1
    price_per_hour: float | None = None

    def __post_init__(self) -> None:
        for name in ("training_steps", "candidates"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise SettingsError(f"{name} is {value!r:.40}; a whole number from 1 is needed.")
        price = self.price_per_hour
        if price is not None and not (math.isfinite(price) and price >= 0):
            raise SettingsError(f"A price of {price!r:.40} per hour is none; a number from 0 is needed.")


@dataclass(frozen=True)
class Cost:
    """What a plan costs.

    Attributes:
        hours: of training one candidate.
        price: of that; None = unknown.
        all_hours: of training all candidates.
        all_price: of that.
    """

    hours: float
    price: float | None
    all_hours: float
    all_price: float | None


def cost_of(step_ms: float, plan: Plan, n_members: int = 1) -> Cost:
    """Steps × time of a step, for one candidate and for all.

    The paper's figures: 2,000,000 steps of 3.3 ms are 1.8 hours, and 2,000 candidates then about 3,700.

    Args:
        step_ms: time of a step in ms.
        plan: what is to be trained.
        n_members: candidates that one step trains together.

    Raises:
        SettingsError: the time of a step is not above 0.
    """
    if not (math.isfinite(step_ms) and step_ms > 0):
        raise SettingsError(f"A step of {step_ms!r:.40} ms: a number above 0 is needed.")
    hours = plan.training_steps * step_ms / MS_PER_HOUR
    all_hours = hours * math.ceil(plan.candidates / n_members)
    price = plan.price_per_hour
    return Cost(hours, None if price is None else hours * price, all_hours,
                None if price is None else all_hours * price)
