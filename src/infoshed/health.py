"""The record of an estimate in training: what it is, and whether it can be believed.

    estimate   running average over critic batches, each read before it was fitted to, in [0, H]
    held out   the same over batches of rows that the critic is never fitted on; a budget holds this
    gap        running average - held out: what the critic knows of its rows by heart

H is H(C), or H(C|Y) for I(Z;C|Y). A gap of the order of the estimate says that the critic learns
rows by heart; an estimate at the ceiling, that it cannot rise further; skipped batches, that
features or scores overflow. All are tensors: nothing waits for a GPU until they are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SATURATED = 0.98


@dataclass(frozen=True)
class Health:
    """Scalars; in nats where the estimator measures in nats.

    Args:
        estimate: within [0, ceiling]. share: of the ceiling, in [0, 1], None without one.
        held_out, gap: None before any held-out batch was measured.
        gradient: L2 norm of the critic's gradient, mean over the newest batches; 0 where one of
            them was skipped.
        skipped: share of the newest critic batches that were skipped, non-finite.
        saturated: 1 where the estimate is within 2% of the ceiling, else 0.
        ceiling: H(C) or H(C|Y); None for continuous c, or another unit.
    """

    estimate: Tensor
    share: Tensor | None
    held_out: Tensor | None
    gap: Tensor | None
    gradient: Tensor
    skipped: Tensor
    saturated: Tensor
    ceiling: float | None

    @classmethod
    def of(
        cls,
        running: Tensor,
        held_out: Tensor | None,
        gradient: Tensor,
        skipped: Tensor,
        ceiling: float | None,
    ) -> "Health":
        """The record of raw averages, which may lie outside [0, ceiling]."""
        estimate = running.clamp(0, ceiling)
        return cls(
            estimate=estimate,
            share=estimate / ceiling if ceiling else None,
            held_out=None if held_out is None else held_out.clamp(0, ceiling),
            gap=None if held_out is None else running - held_out,
            gradient=gradient,
            skipped=skipped,
            saturated=(running >= SATURATED * ceiling).float() if ceiling else 0 * running,
            ceiling=ceiling,
        )

    @classmethod
    def of_parts(cls, parts: "Sequence[Health]") -> "Health":
        """The record of a sum of estimates: saturated where one of them is, the share skipped that
        of the worst."""

        def total(values: list[Tensor | None]) -> Tensor | None:
            known = [value for value in values if value is not None]
            return torch.stack(known).sum() if len(known) == len(values) else None

        ceilings = [part.ceiling for part in parts if part.ceiling is not None]
        ceiling = sum(ceilings) if len(ceilings) == len(parts) else None
        estimate = torch.stack([part.estimate for part in parts]).sum()
        return cls(
            estimate=estimate,
            share=estimate / ceiling if ceiling else None,
            held_out=total([part.held_out for part in parts]),
            gap=total([part.gap for part in parts]),
            gradient=torch.stack([part.gradient for part in parts]).norm(),
            skipped=torch.stack([part.skipped for part in parts]).max(),
            saturated=torch.stack([part.saturated for part in parts]).max(),
            ceiling=ceiling,
        )

    def metrics(self) -> dict[str, Tensor]:
        """Under the names of the per-epoch metrics, without what is not known."""
        values = {
            "mi": self.estimate,
            "mi_held_out": self.held_out,
            "mi_gap": self.gap,
            "mi_saturated": self.saturated,
            "critic_gradient": self.gradient,
            "skipped": self.skipped,
        }
        return {name: value for name, value in values.items() if value is not None}


class RunningMean:
    """An exponential average of scalars: the plain mean of the first 1/weight, then weight for the
    newest. Values that are not finite are left out.

    Args:
        weight: of the newest value.
    """

    def __init__(self, weight: float):
        self.weight, self.begun = weight, False
        self.mean, self.count = torch.zeros(2)

    @property
    def value(self) -> Tensor | None:
        """The average, None before the first value."""
        return self.mean if self.begun else None

    def add(self, value: Tensor, times: int = 1) -> None:
        """Take in one scalar, which stands for so many."""
        value = value.detach()
        good = value - value == 0
        # Of a GPU nothing is asked, which would be to wait for it.
        self.begun = self.begun or value.device.type != "cpu" or bool(good)
        self.count = self.count.to(value) + times * good
        least = 1 - (1 - self.weight) ** times
        rate = (times / self.count.clamp_min(times)).clamp_min(least)
        mean = self.mean.to(value)
        self.mean = torch.where(good, torch.lerp(mean, value, rate), mean)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on from here."""
        return {"mean": self.mean, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.mean, self.count = state["mean"], torch.as_tensor(state["count"], dtype=torch.float32)
        self.begun = bool(self.count > 0)
