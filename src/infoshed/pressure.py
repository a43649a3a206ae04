"""How hard to press: a fixed strength, or a budget for the estimate held by a controller.

The budget controller is dual ascent on the logarithm of the strength s, damped by averaging the
estimate I and by a bounded relative excess over the budget B:

    log s <- clip(log s + rate * clip((avg I - B) / max(B, floor), -1, 1), log s_min, log s_max)

It never falls to 0: an estimate that lags behind a moving encoder reads as a met budget.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError, check_number
from infoshed.information import label_information


class Pressure(ABC):
    """Gives the present strength; `observe` is told each new estimate in nats."""

    @property
    @abstractmethod
    def strength(self) -> Tensor:
        """The present strength, a scalar tensor, at least 0."""

    def observe(self, estimate: Tensor) -> None:  # noqa: B027  a fixed pressure does not care
        """Take note of a new estimate (scalar, nats)."""

    def state_dict(self) -> dict[str, Tensor]:
        """What `load_state_dict` needs to go on from here."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:  # noqa: B027
        """Go on from a saved state."""


class FixedStrength(Pressure):
    """The paper's lambda: constant."""

    def __init__(self, strength: float):
        check_number("strength", strength, 0)
        self.value = torch.tensor(float(strength))

    @property
    def strength(self) -> Tensor:
        return self.value


class Budget(Pressure):
    """Hold the estimate at `nats`.

    Args:
        nats: the budget for I, at least 0.
        start, low, high: initial, least and greatest strength.
        rate: largest change of log strength in a step.
        floor: nats by which the excess is measured when the budget is smaller than that.
        momentum: weight of the newest estimate in the average.
    """

    def __init__(
        self,
        nats: float,
        *,
        start: float = 0.3,
        low: float = 0.03,
        high: float = 3.0,
        rate: float = 0.02,
        floor: float = 0.02,
        momentum: float = 0.05,
    ):
        check_number("budget", nats, 0)
        self.nats, self.rate, self.momentum = nats, rate, momentum
        self.scale = max(nats, floor)
        self.limits = (math.log(low), math.log(high))
        self.log_strength = torch.tensor(math.log(start))
        self.average = torch.tensor(float(nats))

    @property
    def strength(self) -> Tensor:
        return self.log_strength.exp()

    def observe(self, estimate: Tensor) -> None:
        self.average = torch.lerp(self.average, estimate.detach().cpu(), self.momentum)
        excess = ((self.average - self.nats) / self.scale).clamp(-1, 1)
        self.log_strength = (self.log_strength + self.rate * excess).clamp(*self.limits)

    def state_dict(self) -> dict[str, Tensor]:
        return {"log_strength": self.log_strength, "average": self.average}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.log_strength, self.average = state["log_strength"], state["average"]


def budget_nats(budget: float | str, attribute: Attribute, y: Tensor, c: Tensor) -> float:
    """A budget in nats from what the user wrote.

    Args:
        budget: nats as a number; "5%" of H(C); or "label" for I(Y;C) of the training table.
        y: training classes (n,). c: training codes (n, columns).

    Raises `InfoshedError` for any other text, or a share of H(C) where c is continuous.
    """
    if isinstance(budget, str) and budget == "label":
        return label_information(y, c, attribute)
    try:
        if isinstance(budget, str) and budget.endswith("%"):
            share = float(budget[:-1]) / 100
            check_number("budget share", share, 0, 1)
            if attribute.entropy is None:
                raise InfoshedError(
                    f"a budget in % of H(C) needs a discrete attribute; '{attribute.name}' is "
                    "continuous: give it in nats"
                )
            return share * attribute.entropy
        nats = float(budget)
    except (TypeError, ValueError) as error:
        if isinstance(error, InfoshedError):
            raise
        raise InfoshedError(
            f'`budget` must be nats (0.05), a share of H(C) ("5%") or "label"; got {budget!r}'
        ) from None
    check_number("budget", nats, 0)
    return nats
