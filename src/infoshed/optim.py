"""The optimiser of every model and critic here: Adam in one fused kernel for all its tensors.

A critic is so small that calls cost more than arithmetic, and fusing halves its step. The fused
kernel on a CPU walks through memory: it pairs a weight with its gradient and moments by address,
not by index, so all of them must be laid out alike (channels-last weights of convolutions!).
`backward()` sees to that; saved moments and gradients from `torch.autograd.grad` need `like`.
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
