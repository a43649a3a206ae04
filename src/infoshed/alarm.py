"""The collapse alarm: signs that a budget is held at the price of the label, or on paper only.

    label lost     task loss >= 0.95 of its chance level (the loss of logits that say p(y) alone)
    z collapsed    rms deviation of z from its mean <= 1e-3 of the rms length of z
    critic blind   a fresh probe finds more than twice what the critic reads on held-out rows, and
                   more by three standard errors of the probe's figure, two epochs in a row: a
                   critic that lags behind a turn of the encoder soon catches up

The probe is the discriminant of the critics in closed form (`estimators.discriminant`), linear in
z, cross-fitted on held-out rows: each row is scored by one that was fitted without it. It is a
quick look, not an audit: silence proves nothing (see `infoshed.auditing`).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from infoshed.checks import check_same_length
from infoshed.estimators.many_values import make_discriminant

CHANCE = 0.95  # of the chance loss
SPREAD = 1e-3  # of the length of z
FACTOR, ERRORS = 2.0, 3.0
FOLDS = 4
LEAST_PROBED = 2 * FOLDS  # rows
GRACE, IN_A_ROW = 5, 2  # epochs
ON_ALARM = {
    "warn": "training goes on",
    "stop": "training stops here",
    "back-off": "the budget is raised until the signs are gone",
}


class CollapseWarning(UserWarning):
    """A budget is not held as it should be; the text says by what sign."""


class Probed(NamedTuple):
    """What a fresh probe finds, in nats, and the standard error of that."""

    nats: float
    error: float


def probe(
    z: Tensor, c: Tensor, y: Tensor | None, heads: tuple[int, ...], log_prior: Tensor
) -> Probed:
    """Cross-fitted mean of log q(c|z) / p(c), or of log q(c|z,y) / p(c|y) where y is given, summed
    over parts: a lower bound of the information, up to sampling.

    Args:
        z: held-out features (n, dim), rows in random order. c: codes (n, parts). y: classes (n,).
        heads: number of values of each part.
        log_prior: log p(c), shape (sum of heads,), or log p(c|y), shape (classes, sum of heads).

    Raises `InfoshedError` for arrays of different lengths.
    """
    check_same_length(z=z, c=c, y=y)
    z = (z - z.mean(0)) * torch.rsqrt(z.var(0, correction=0) + 1e-6 * (1 + z.mean(0).square()))
    fold = torch.arange(len(z), device=z.device) % FOLDS
    values = z.new_zeros(len(z))
    for k in range(FOLDS):
        fit, judged = fold != k, fold == k
        discriminant = make_discriminant(z.shape[1], heads, log_prior).to(z.device)
        discriminant.update(z[fit], c[fit], None if y is None else y[fit], None)
        ratios = discriminant(z[judged], None if y is None else y[judged])
        at = c[judged] + (discriminant.first - discriminant.dim)
        values[judged] = ratios.gather(1, at).sum(1)
    return Probed(float(values.mean()), float(values.std() / len(values) ** 0.5))


class CollapseAlarm:
    """See the module.

    Args:
        chance: task loss of logits that say p(y) alone, in nats.
        heads, log_prior: as in `probe`; without a prior (c is continuous) there is no probe.
    """

    def __init__(self, chance: float, heads: tuple[int, ...], log_prior: Tensor | None):
        self.chance, self.heads, self.log_prior = chance, heads, log_prior
        self.epochs = self.beaten = 0

    def signs(
        self, task_loss: float, z: Tensor, c: Tensor, y: Tensor | None, critic: float
    ) -> list[str]:
        """The signs of collapse after an epoch, in words; empty where there are none. The task
        loss is given `GRACE` epochs to leave chance.

        Args:
            task_loss: mean of the epoch, in nats.
            z: held-out features (n, dim), rows in random order; of fewer than `LEAST_PROBED` only
                the label is looked at. c: codes (n, columns).
            y: classes (n,), where the information is that given y.
            critic: its estimate on held-out rows, in nats.
        """
        self.epochs += 1
        found = []
        if self.epochs > GRACE and task_loss >= CHANCE * self.chance:
            found.append(
                f"the label is lost (task loss {task_loss:.3g}, at chance {self.chance:.3g})"
            )
        if len(z) < LEAST_PROBED:
            return found
        if (z - z.mean(0)).norm() <= SPREAD * z.norm():
            found.append("z has collapsed (it is the same for all rows)")
        elif self.log_prior is not None:
            fresh = probe(z, c, y, self.heads, self.log_prior)
            floor = max(critic, 0.0)
            better = fresh.nats > FACTOR * floor and fresh.nats - floor > ERRORS * fresh.error
            self.beaten = self.beaten + 1 if better else 0
            if self.beaten >= IN_A_ROW:
                found.append(
                    f"the critic is blind (it reads {floor:.3g} nats on held-out rows, a fresh "
                    f"linear probe {fresh.nats:.3g})"
                )
        return found

    def state_dict(self) -> dict[str, int]:
        """What `load_state_dict` needs to go on from here."""
        return {"epochs": self.epochs, "beaten": self.beaten}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from a saved state."""
        self.epochs, self.beaten = state["epochs"], state["beaten"]
