"""A small network as a judge: stopped early on rows it was not fitted on.

A linear path beside two hidden layers, added to the log prior: at the start it *is* the prior, so
where nothing can be learned it stays there.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infoshed.nn import mlp
from infoshed.offline.stopping import fit_stopped

PATIENCE = 4


class ResidualNet(nn.Module):
    """x (n, d) -> scores (n, m): linear path + MLP, both zero at the start."""

    def __init__(self, d: int, m: int, hidden: int, dropout: float):
        super().__init__()
        self.linear = nn.Linear(d, m)
        self.network = mlp(
            (d, hidden, hidden, m), lambda: nn.Sequential(nn.ReLU(), nn.Dropout(dropout))
        )
        last = self.network[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            self.linear.weight.zero_()
            self.linear.bias.zero_()
            last.weight.mul_(0.1)
            last.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.network(x)


def net_scores(
    x: np.ndarray,
    log_prior: np.ndarray,
    c: np.ndarray,
    weights: np.ndarray,
    held_out: np.ndarray,
    test: np.ndarray,
    columns: np.ndarray | None,
    m: int,
    seed: int,
    *,
    hidden: int = 96,
    dropout: float = 0.2,
    lr: float = 3e-3,
    decay: float = 1e-2,
    epochs: int = 25,
    batch: int = 512,
    steps: int = 800,
) -> np.ndarray:
    """Scores of the test rows for m values: fit on x (n, d), judge `test` (k, d).

    Args:
        log_prior: (n, values) of the training rows. c: position of the true value in it (n,).
        weights: (n,) of mean 1. held_out: which training rows only serve for stopping (n,) bool.
        columns: which of the m outputs are the values a row can have (n, values); None for all.
        batch: rows of a step. epochs, steps: whichever ends first.

    Returns (k, m); zeros where the net never beat the prior on the held-out rows.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = ResidualNet(x.shape[1], m, hidden, dropout)
        inputs, prior = torch.from_numpy(x).float(), torch.from_numpy(log_prior).float()
        codes, w = torch.from_numpy(c), torch.from_numpy(weights).float()
        cells = None if columns is None else torch.from_numpy(columns)

        def loss(rows: Tensor) -> Tensor:
            scores = net(inputs[rows])
            scores = scores if cells is None else scores.gather(1, cells[rows])
            each = F.cross_entropy(scores + prior[rows], codes[rows], reduction="none")
            return (each * w[rows]).sum() / w[rows].sum().clamp_min(1e-12)

        keep, fit = (torch.from_numpy(np.flatnonzero(mask)) for mask in (held_out, ~held_out))
        if not len(keep) or not len(fit):
            return np.zeros((len(test), m), np.float32)
        optimizer = torch.optim.AdamW(net.parameters(), lr, weight_decay=decay, fused=True)
        best = float((F.cross_entropy(prior[keep], codes[keep], reduction="none") * w[keep]).sum())
        best = best / max(float(w[keep].sum()), 1e-12)
        learned = fit_stopped(
            net,
            optimizer,
            lambda: fit[torch.randperm(len(fit))].split(batch),
            loss,
            lambda: float(loss(keep)),
            epochs=epochs,
            patience=PATIENCE,
            steps=steps,
            best=best,
        )
        if not learned:
            return np.zeros((len(test), m), np.float32)
        with torch.no_grad():
            return net(torch.from_numpy(test).float()).numpy()
