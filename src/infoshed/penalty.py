"""The mutual information penalty: a critic kept at its optimum, a balanced gradient in z.

    minimise over the model   task loss + strength * I(Z;C)   (arXiv 2003.06430)

`update` fits the critic on features of the current encoder; `term` gives what to add to the task
loss. The information gradient g_I is scaled at z, where it is one small matrix:

    term's gradient in z  =  strength * g_I * min(|g_task|, |g_I|) / |g_I|

so it never outweighs the task gradient, one backward pass through the encoder serves both, and
any optimiser keeps `strength` meaningful (the paper balances every parameter tensor and gives the
information gradient an Adam of its own, which undoes the scale; see methods/mi_published.py).

In somebody else's loop:

    shed = MutualInformationPenalty(dim, attribute, c_train, y_train, pressure=FixedStrength(1.0))
    ...
    shed.update(encoder(x_pool).detach(), c_pool, y_pool)
    loss = loss + shed.term(loss, z, c, y)
"""

from typing import Any

import torch
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.checks import check_number, check_same_length
from infoshed.estimators import build_estimator
from infoshed.optim import adam, restore
from infoshed.pressure import Pressure
from infoshed.seeds import seeded, torch_generator


class MutualInformationPenalty:
    """See the module.

    Args:
        dim: columns of z.
        attribute: the specification of c.
        c: training codes (n, columns), for the marginal p(c).
        y: training classes (n,); given, the penalty is I(Z;C|Y) instead of I(Z;C).
        pressure: `FixedStrength` or `Budget`.
        critic: a name in `ESTIMATORS`, or "auto".
        lr: learning rate of the critic's Adam.
        steps: critic steps per `update`.
        seed: of the critic's weights and shuffles.
    """

    def __init__(
        self,
        dim: int,
        attribute: Attribute,
        c: Tensor,
        y: Tensor | None = None,
        *,
        pressure: Pressure,
        critic: str = "auto",
        lr: float = 1e-3,
        steps: int = 2,
        seed: int = 0,
    ):
        check_number("critic_lr", lr, 0)
        check_number("critic_steps", steps, 1, integer=True)
        with seeded(seed, "critic"):
            self.estimator = build_estimator(critic, dim, attribute, c, y)
        self.pressure = pressure
        self.steps = steps
        self.conditional = y is not None
        self.generator = torch_generator(seed, "critic")
        self.optimizer = adam(self.estimator.parameters(), lr)

    def update(self, z: Tensor, c: Tensor, y: Tensor | None = None) -> None:
        """Fit the critic on fresh features, in `steps` equal batches.

        Args:
            z: features (n, dim) of the *current* encoder, detached; stale ones give estimates of
                the wrong distribution. c: codes (n, columns). y: classes (n,).
        """
        check_same_length(z=z, c=c, y=y)
        if self.estimator.standardize is not None:
            self.estimator.standardize.update(z)
        for rows in torch.arange(len(z)).chunk(self.steps):
            loss = self.estimator.loss(
                z[rows], c[rows], None if y is None else y[rows], generator=self.generator
            )
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def term(self, task_loss: Tensor, z: Tensor, c: Tensor, y: Tensor | None = None) -> Tensor:
        """A scalar to add to `task_loss`; its value is strength * estimate, its gradient in z the
        balanced one of the module. Reads z's graph once and keeps it.

        Args:
            task_loss: scalar, computed from z.
            z: (n, dim) with its graph. c: codes (n, columns). y: classes (n,).
        """
        (task_gradient,) = torch.autograd.grad(task_loss, z, retain_graph=True)
        leaf = z.detach().requires_grad_()
        estimate = self.estimator(leaf, c, y, generator=self.generator)
        (gradient,) = torch.autograd.grad(estimate, leaf)
        self.estimate = estimate.detach()
        self.pressure.observe(self.estimate)
        strength = self.pressure.strength.to(z.device)
        surrogate = (z * (strength * balance(gradient, task_gradient))).sum()
        return surrogate + (strength * self.estimate - surrogate).detach()

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on bit for bit."""
        return {
            "estimator": self.estimator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "pressure": self.pressure.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.estimator.load_state_dict(state["estimator"])
        restore(self.optimizer, state["optimizer"])
        self.pressure.load_state_dict(state["pressure"])
        self.generator.set_state(state["generator"])


def balance(gradient: Tensor, task_gradient: Tensor) -> Tensor:
    """`gradient` scaled to the L2 norm of `task_gradient` where it is longer: g min(|t|,|g|)/|g|,
    and 0 where g is 0. Both of any one shape."""
    norm, limit = gradient.norm(), task_gradient.norm()
    scale = torch.where(norm > limit, limit / norm.clamp_min(torch.finfo(norm.dtype).tiny), 1.0)
    return gradient * scale
