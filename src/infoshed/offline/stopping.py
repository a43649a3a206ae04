"""Fitting with early stopping: the one loop of everything here that is fitted by gradient.

After every epoch the loss on held-out rows is read; the state of the best epoch is kept, and
after `patience` epochs without a better one the fit ends.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

HELD_OUT = 8  # one row of so many is kept for stopping


def fit_stopped(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Callable[[], Iterable[Any]],
    loss: Callable[[Any], Tensor],
    held_out: Callable[[], float],
    *,
    epochs: int,
    patience: int,
    steps: int | None = None,
    best: float = float("inf"),
) -> bool:
    """Fit `module` and leave it at its best epoch; False if none was better than `best`.

    Args:
        batches: the batches of a new epoch. loss: of one batch, a scalar. held_out: the loss on
            rows that are not fitted, read without a gradient and in evaluation mode.
        epochs, steps: whichever is reached first ends the fit; `steps` is looked at per epoch.
    """
    kept, since, done = None, 0, 0
    for _ in range(epochs):
        module.train()
        for batch in batches():
            optimizer.zero_grad()
            loss(batch).backward()
            optimizer.step()
            done += 1
        module.eval()
        with torch.no_grad():
            now = held_out()
        if now < best:
            best, since, kept = now, 0, deepcopy(module.state_dict())
        else:
            since += 1
        if since >= patience or (steps is not None and done >= steps):
            break
    if kept is None:
        return False
    module.load_state_dict(kept)
    return True


def stopping_rows(order: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Which of the rows (n,) are kept for stopping, one in `HELD_OUT`.

    Args:
        order: the rows (n,) in random order, the first of which are kept.
        groups: of rows (n,) that are kept or fitted together, since a net that was fitted on a row
            knows its copies; or None.
    """
    groups = np.arange(len(order)) if groups is None else groups
    first = np.sort(np.unique(groups[order], return_index=True)[1])
    chosen = order[first[: len(first) // HELD_OUT]]
    return np.isin(groups, groups[chosen])
