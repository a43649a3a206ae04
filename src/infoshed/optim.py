"""The optimisers of models and critics here: Adam in one fused kernel.

A critic is so small that calls cost more than arithmetic, and fusing halves its step. The fused
kernel on a CPU walks through memory: it pairs a weight with its gradient and moments by address,
not by index, so all of them must be laid out alike (channels-last weights of convolutions!).
`backward()` sees to that; saved moments and gradients from `torch.autograd.grad` need `like`.
`PackedAdam` goes further: all parameters of a critic lie end to end in one vector, a step is one
call, and a gradient that is not finite leaves everything as it was.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


def adam(parameters: Iterable[nn.Parameter], lr: float) -> torch.optim.Adam:
    """Adam with learning rate `lr` and otherwise its own defaults, as in the paper."""
    return torch.optim.Adam(parameters, lr, fused=True)


def like(parameter: Tensor, value: Tensor) -> Tensor:
    """`value` laid out in memory as `parameter`, of the same shape."""
    return torch.empty_like(parameter).copy_(value)


def restore(optimizer: torch.optim.Adam, state: dict[str, Any]) -> None:
    """Load a saved state, with the moments laid out as their parameters."""
    optimizer.load_state_dict(state)
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if value.shape == parameter.shape:
                moments[name] = like(parameter, value)


class PackedAdam:
    """Adam with decoupled decay (arXiv 1711.05101) on one vector that holds all parameters.

    The parameters and their gradients become views of `vector` and `gradient`, so their module
    loads, saves and is fitted as ever; only moving it to another device or type parts them, and
    the next step takes the moments along.

    Args:
        parameters: at least one, all of one type and on one device.
        lr: learning rate.
        decay: share of the parameters that every step takes away, in units of `lr`.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, decay: float = 0.0):
        self.parameters, self.lr, self.decay = list(parameters), lr, decay
        self._pack()

    def _pack(self) -> None:
        self.vector = torch.cat([p.detach().flatten() for p in self.parameters])
        self.gradient, self.first, self.second = torch.zeros_like(self.vector.expand(3, -1))
        self.count = torch.zeros((), device=self.vector.device)
        sizes = [p.numel() for p in self.parameters]
        parts = zip(self.vector.split(sizes), self.gradient.split(sizes), strict=True)
        for parameter, (value, gradient) in zip(self.parameters, parts, strict=True):
            parameter.data = value.view_as(parameter)
            parameter.grad = gradient.view_as(parameter)

    def zero_grad(self) -> None:
        """Set all gradients to 0, as `backward` adds to them. To be called before new ones."""
        if self.parameters[0].data_ptr() != self.vector.data_ptr():
            old = self.first, self.second, self.count
            self._pack()
            for new, known in zip((self.first, self.second, self.count), old, strict=True):
                new.copy_(known)
        self.gradient.zero_()

    @torch.no_grad()
    def step(self) -> Tensor:
        """One step down the gradient, none at all where it is not finite. Returns its L2 norm, a
        scalar; nothing waits for a GPU."""
        norm = self.gradient.norm()
        broken = (norm - norm).ne_(0).float()
        self.count += 1
        # The kernel of torch.optim.AdamW(fused=True), whose wrapper costs more than it. Where
        # `found_inf` is 1 (as after torch.amp's unscaling) it leaves everything as it was.
        torch._fused_adamw_(  # type: ignore[attr-defined]
            [self.vector],
            [self.gradient],
            [self.first],
            [self.second],
            [],
            [self.count],
            lr=self.lr,
            beta1=0.9,
            beta2=0.999,
            weight_decay=self.decay,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
            grad_scale=None,
            found_inf=broken,
        )
        self.count -= broken  # a step that was not taken corrects no bias
        return norm

    def state_dict(self) -> dict[str, Tensor]:
        """All but the parameters, which their module saves."""
        return {"first": self.first, "second": self.second, "count": self.count}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a saved state."""
        for name, value in self.state_dict().items():
            value.copy_(state[name])
