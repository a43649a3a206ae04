"""A mutual information penalty for every part of c, with a pressure and a critic of its own.

    added to the task's gradient in z  =  sum_k strength_k * g_k * min(|g_task|, |g_k|) / |g_k|

g_k is the gradient of I(Z;C_k), each balanced by itself, so that neither the order of the parts nor
their number changes what a strength means (see `infoshed.pressure_parts`). The sum may be up to
sum_k strength_k times as long as g_task. Parts under a budget enter as they are, and g_task is then
the gradient of the task and of those parts: once a task is learned its own is short, and a strength
measured by it would be idle beside a budget that goes on moving z.

Every part is estimated on the rows in which that part is known: a row without an age still tells
about sex.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.health import Health
from infoshed.penalty import MutualInformationPenalty
from infoshed.pressure import Pressure
from infoshed.pressure_parts import check_parts
from infoshed.seeds import stream
from infoshed.sequences import as_rows, training_rows


class PartPenalties(MutualInformationPenalty):
    """What `MutualInformationPenalty` is where `pressure` is a dict; see the module.

    Args:
        pressure: `FixedStrength`, `Ramp`, `Budget` or the number of a fixed strength by the name
            of each part of the attribute. Others as in `MutualInformationPenalty`.
    """

    def __init__(
        self,
        dim: int,
        attribute: Attribute,
        c: Tensor | None = None,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
        pressure: Mapping[str, Pressure | float],
        seed: int = 0,
        **options: Any,
    ):
        check_parts(attribute, pressure)
        codes = [None] * len(attribute.parts)
        if c is not None:
            c, y, weights = training_rows(attribute, c, y, weights)
            codes = attribute.split(c)
        self.attribute, self.conditional = attribute, y is not None
        self._parts = {
            part.name: MutualInformationPenalty(
                dim, part, code, y, weights=weights, pressure=pressure[part.name],
                seed=stream(seed, part.name), **options,
            )
            for part, code in zip(attribute.parts, codes, strict=True)
        }  # fmt: skip

    @property
    def parts(self) -> dict[str, MutualInformationPenalty]:
        return self._parts

    def codes(self, c: Tensor) -> dict[str, Tensor]:
        return dict(zip(self._parts, self.attribute.split(c), strict=True))

    def hold_out(
        self, z: Tensor, c: Tensor, y: Tensor | None = None, *, weights: Tensor | None = None
    ) -> Tensor:
        """The sum of the parts' raw estimates; see `MutualInformationPenalty.hold_out`."""
        z, c, y, weights = as_rows(self.attribute, z, c, y, weights)
        codes = self.codes(c).items()
        return torch.stack(
            [self._parts[name].hold_out(z, code, y, weights=weights) for name, code in codes]
        ).sum()

    def _rows(self, z: Tensor, c: Tensor, y: Tensor | None, weights: Tensor | None) -> Any:
        z, c, y, weights = as_rows(self.attribute, z, c, y, weights)
        codes = self.codes(c).items()
        return {name: self._parts[name]._rows(z, code, y, weights) for name, code in codes}

    def _read(self, rows: Any) -> Any:
        readings = {name: self._parts[name]._read(rows[name]) for name in rows}
        return {name: reading for name, reading in readings.items() if reading} or None

    def _fit(self, rows: Any) -> None:
        for name in rows:
            self._parts[name]._fit(rows[name])

    def _pressed(self, read: Any, arriving: Tensor, scale: Tensor | float) -> Tensor:
        # Those without balance first, as they belong to what the others are balanced against.
        order = sorted(read, key=lambda name: self._parts[name].pressure.balanced)
        total = held = torch.zeros_like(arriving, dtype=read[order[0]].gradient.dtype)
        for name in order:
            part = self._parts[name]
            extra = part._pressed(read[name], arriving + held * scale, scale)
            total = total + extra
            held = held if part.pressure.balanced else total
        return total

    def _value(self, read: Any) -> Tensor:
        return torch.stack([self._parts[name]._value(one) for name, one in read.items()]).sum()

    @property
    def health(self) -> Health:
        """Of the sum. That of a part is `parts[name].health`."""
        return Health.of_parts([part.health for part in self._parts.values()])

    def state_dict(self) -> dict[str, Any]:
        return {"parts": {name: part.state_dict() for name, part in self._parts.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, part in self._parts.items():
            part.load_state_dict(state["parts"][name])
