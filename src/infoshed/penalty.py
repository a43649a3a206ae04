"""The mutual information penalty: a critic kept at its optimum, a balanced gradient in z.

    minimise over the model   task loss + strength * I(Z;C)   (arXiv 2003.06430)

`update` fits the critic on features of the current encoder; `term` gives what to add to the task
loss. The information gradient g_I is scaled at z, where it is one small matrix:

    term's gradient in z  =  strength * g_I * min(|g_task|, |g_I|) / |g_I|

with norms in units of the standard deviations of z's columns. I(Z;C) does not care for the scale
of a column, so g_I grows as a column's deviation shrinks: in plain units nearly constant columns
would use up the norm and leave none for those that matter. It holds that the information gradient
never outweighs the task gradient, one backward pass through the encoder serves both, and
any optimiser keeps `strength` meaningful (the paper balances every parameter tensor and gives the
information gradient an Adam of its own, which undoes the scale; see methods/mi_published.py).
Under a `Budget` g_I is left as it is: the controller scales it (see `infoshed.pressure`).

In somebody else's loop:

    shed = MutualInformationPenalty(dim, attribute, c_train, y_train, pressure=FixedStrength(1.0))
    ...
    shed.update(encoder(x_pool).detach(), c_pool, y_pool)
    loss = loss + shed.term(loss, z, c, y)

Rows whose c is missing (code -1, NaN where c is continuous, in any column) carry weight 0 in the
critic, the estimate and its gradient, and g_task is compared over the other rows: the penalty is
that of the rows with a c, unbiased where c is missing at random given z and y. All rows count in
the task loss.

`shed.health` says what the estimate is and whether to believe it (see `infoshed.health`). A
`Budget` follows the estimates of `hold_out` from its first call on, and until then those of `term`.
"""

from typing import Any

import torch
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError, NonFiniteError, check_number, check_same_length
from infoshed.critic import Critic
from infoshed.estimators import ESTIMATORS, build_estimator, inputs
from infoshed.estimators.standardize import finite
from infoshed.health import Health, RunningMean
from infoshed.pressure import Pressure
from infoshed.seeds import seeded, torch_generator

RUNNING = 0.2  # weight of the newest critic batch in the running estimate
HELD_OUT = 0.3  # of the newest held-out batch; these are few
PATIENCE = 20  # updates in a row with nothing finite in them before it is an error


class MutualInformationPenalty:
    """See the module.

    Args:
        dim: columns of z.
        attribute: the specification of c.
        c: training codes (n, columns), for the marginal p(c); missing ones if later rows have any.
        y: training classes (n,); given, the penalty is I(Z;C|Y) instead of I(Z;C).
        weights: importance of the training rows (n,); given, the penalty is that of the weighted
            distribution, and `update` and `term` need weights too.
        pressure: `FixedStrength` or `Budget`.
        critic: a name in `ESTIMATORS`, or "auto".
        lr: learning rate of the critic's Adam.
        steps: critic steps per `update`.
        seed: of the critic's weights and shuffles.

    Raises `InfoshedError` for a critic without a gradient in z, or one that does not take c.
    """

    def __init__(
        self,
        dim: int,
        attribute: Attribute,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
        pressure: Pressure,
        critic: str = "auto",
        lr: float = 1e-3,
        steps: int = 2,
        seed: int = 0,
    ):
        check_number("critic_lr", lr, 0)
        self.attribute = attribute
        known = attribute.known(c)
        self.partly = not bool(known.all())
        if not bool(known.any()):
            raise InfoshedError(
                f"attribute '{attribute.name}' is missing in all rows; there is nothing to shed"
            )
        c, weights = self._known(c, weights)
        check_number("critic_steps", steps, 1, integer=True)
        if critic in ESTIMATORS:
            ESTIMATORS[critic].check_trainable()
        with seeded(seed, "critic"):
            self.estimator = build_estimator(critic, dim, attribute, c, y, weights=weights)
        self.pressure = pressure
        self.steps = steps
        self.conditional = y is not None
        self.generator = torch_generator(seed, "critic")
        self.critic = Critic(self.estimator, lr)
        self.ceiling = None
        if self.estimator.ceiling is not None:
            self.ceiling = entropy_given(attribute, c, y, weights)
        self.estimate = torch.zeros(())
        self.running, self.held = RunningMean(RUNNING), RunningMean(HELD_OUT)
        self.gradient, self.skipped, self.bad_updates = torch.zeros(3)
        self.updates = 0

    def update(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
    ) -> None:
        """Fit the critic on fresh features, in `steps` equal batches.

        Args:
            z: features (n, dim) of the *current* encoder, detached; stale ones give estimates of
                the wrong distribution. c: codes (n, columns). y: classes (n,).
            weights: importance of the rows (n,).

        A batch with a non-finite loss or gradient leaves the critic as it was and is counted.
        Raises `NonFiniteError` after many updates in a row without any other.
        """
        check_same_length(z=z, c=c, y=y, weights=weights)
        c, weights = self._known(c, weights)
        if nothing(weights):
            return
        if readable(z):
            fitted = self.critic.fit(z, c, y, weights, self.steps, self.generator)
            both = torch.stack(fitted)
            estimate, gradient = both.mean(1).unbind()  # non-finite if any is, and left out
            self.running.add(estimate, both.shape[1])
            self.gradient = torch.where(gradient - gradient == 0, gradient, 0)
            self.skipped = (both - both != 0).any(0).to(both.dtype).mean()
        else:
            self.skipped = torch.ones(())
        self.bad_updates = (self.bad_updates.to(self.skipped) + 1) * (self.skipped == 1)
        self.updates += 1
        # Not at every update: reading it waits for a GPU.
        if self.updates % PATIENCE == 0 and self.bad_updates >= PATIENCE:
            raise NonFiniteError(
                f"features or critic became non-finite (NaN or infinity) in the last "
                f"{int(self.bad_updates)} updates of the critic; lower `lr` and `critic_lr`, or "
                "check the inputs for NaN"
            )

    def term(
        self,
        task_loss: Tensor,
        z: Tensor,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
    ) -> Tensor:
        """A scalar to add to `task_loss`; its value is strength * estimate, its gradient in z the
        balanced one of the module. Reads z's graph once and keeps it. Where z or the gradient is
        not finite the term is 0, and so is its gradient.

        Args:
            task_loss: scalar, computed from z.
            z: (n, dim) with its graph. c: codes (n, columns). y: classes (n,).
            weights: importance of the rows (n,).
        """
        c_filled, weights = self._known(c, weights)
        if not readable(z) or nothing(weights):
            return task_loss.new_zeros(())
        (task_gradient,) = torch.autograd.grad(task_loss, z, retain_graph=True)
        if self.partly:
            known = self.attribute.known(c).to(z.dtype)[:, None]
            task_gradient = task_gradient * known / known.mean().clamp_min(1 / len(z))
        leaf = z.detach().requires_grad_()
        estimate = self.estimator(leaf, c_filled, y, weights=weights, generator=self.generator)
        (gradient,) = torch.autograd.grad(estimate, leaf)
        balanced = gradient
        if self.pressure.balanced:
            balanced = balance(gradient, task_gradient, leaf.detach().std(0, correction=0))
        total = estimate.detach() + balanced.sum()
        good = torch.isfinite(total)
        self.estimate = torch.where(good, estimate.detach(), self.estimate.to(estimate))
        if self.held.value is None:
            self.pressure.observe(self.estimate)
        strength = self.pressure.strength.to(z.device)
        # `where` and not a product: 0 times NaN is NaN.
        surrogate = (z * (strength * torch.where(good, balanced, 0))).sum()
        value = torch.where(good, strength * self.estimate, 0)
        return surrogate + (value - surrogate).detach()

    @torch.no_grad()
    def hold_out(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
    ) -> Tensor:
        """Read the critic on rows that no `update` ever sees, for `health` and for a budget; the
        raw estimate.

        Args: as in `update`.
        """
        c, weights = self._known(c, weights)
        if not readable(z) or nothing(weights):
            return z.new_full((), float("nan"))
        value = self.estimator(z, c, y, weights=weights, generator=self.generator)
        self.held.add(value)
        self.pressure.observe(value)
        return value

    def _known(self, c: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Codes without missing ones, whose rows weigh 0; as they are where none is missing."""
        if not self.partly:
            return c, weights
        known = self.attribute.known(c).float()
        return self.attribute.filled(c), known if weights is None else known * weights

    @property
    def health(self) -> Health:
        """The present record."""
        running = self.running.mean
        return Health.of(running, self.held.value, self.gradient, self.skipped, self.ceiling)

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on bit for bit."""
        return {
            **self.critic.state_dict(),
            "pressure": self.pressure.state_dict(),
            "generator": self.generator.get_state(),
            "running": self.running.state_dict(),
            "held_out": self.held.state_dict(),
            "record": torch.stack([self.estimate, self.gradient, self.skipped, self.bad_updates]),
            "updates": self.updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.critic.load_state_dict(state)
        self.pressure.load_state_dict(state["pressure"])
        self.generator.set_state(state["generator"])
        self.running.load_state_dict(state["running"])
        self.held.load_state_dict(state["held_out"])
        self.estimate, self.gradient, self.skipped, self.bad_updates = state["record"].unbind()
        self.updates = state["updates"]


def balance(gradient: Tensor, task_gradient: Tensor, units: Tensor | float = 1.0) -> Tensor:
    """`gradient` scaled to the L2 norm of `task_gradient` where it is longer: g min(|t|,|g|)/|g|,
    and 0 where g is 0. Both of any one shape.

    Args:
        units: by which both are multiplied before their norms are taken; broadcast.
    """
    norm, limit = (gradient * units).norm(), (task_gradient * units).norm()
    scale = torch.where(norm > limit, limit / norm.clamp_min(torch.finfo(norm.dtype).tiny), 1.0)
    return gradient * scale


def readable(z: Tensor) -> bool:
    """Whether z can be given to an estimator, which refuses NaN and infinity on the CPU. On a GPU
    always: there nothing is looked at, and what is not finite is left out further down."""
    return z.device.type != "cpu" or bool(finite(z.detach()))


def nothing(weights: Tensor | None) -> bool:
    """Whether no row has a weight, such as a batch in which every c is missing. As `readable`,
    looked at on the CPU alone."""
    return weights is not None and weights.device.type == "cpu" and not bool((weights > 0).any())


def entropy_given(
    attribute: Attribute, c: Tensor, y: Tensor | None, weights: Tensor | None
) -> float | None:
    """H(C), or H(C|Y) where y is given, in nats (summed over parts): the most that an estimate can
    be. None where c is continuous. Arguments as in `MutualInformationPenalty`."""
    if y is None or not attribute.heads:
        return inputs.entropy(attribute, c, weights)
    weights = torch.ones(len(y), device=y.device) if weights is None else weights
    total = 0.0
    for k in y.unique():
        share = float(weights[y == k].sum() / weights.sum())
        if share:
            total += share * (inputs.entropy(attribute, c[y == k], weights[y == k]) or 0.0)
    return total
