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

In somebody else's loop, one line beside z; the loss, `backward` and the optimiser stay as they are:

    shed = MutualInformationPenalty(dim, attribute, c_train, y_train)
    ...
    z = encoder(x)
    shed(z, c, y)

A call takes g_I there and fits the critic to the same rows afterwards; when the backward pass
brings g_task to z, the balanced gradient is added to it. So the task's own graph is walked once and
may be compiled, and the value of the penalty is not in the loss. Where the loss is scaled on its
way back, `scale` says by how much: 1/k for k accumulated batches, the scaler's scale in float16. z
may be float16 or bfloat16; the critic computes in float32. Parts of c have strengths or budgets of
their own by `pressure={"sex": Budget(0.01), "age": 0.3}` (see `infoshed.penalty_parts`). `term` and
`update` are the same in two steps, for a loop that wants the value.

Rows whose c is missing (code -1, NaN where c is continuous, in any column) carry weight 0 in the
critic, the estimate and its gradient, and g_task is compared over the other rows: the penalty is
that of the rows with a c, unbiased where c is missing at random given z and y. All rows count in
the task loss.

`shed.health` says what the estimate is and whether to believe it (see `infoshed.health`). A
`Budget` follows the estimates of `hold_out` from its first call on, and until then those of `term`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError, NonFiniteError, check_number, check_same_length
from infoshed.critic import Critic
from infoshed.estimators import ESTIMATORS, build_estimator, inputs
from infoshed.estimators.standardize import finite
from infoshed.health import Health, RunningMean
from infoshed.pressure import FixedStrength, Pressure
from infoshed.seeds import seeded, torch_generator
from infoshed.sequences import as_rows, training_rows

STRENGTH = 0.3
HALF_SCALE = 2.0**12
RUNNING = 0.2  # weight of the newest critic batch in the running estimate
HELD_OUT = 0.3  # of the newest held-out batch; these are few
PATIENCE = 20  # updates in a row with nothing finite in them before it is an error


class MutualInformationPenalty:
    """See the module.

    Args:
        dim: columns of z.
        attribute: the specification of c.
        c: training codes (n, columns), for the marginal p(c); missing ones if later rows have any.
            Unless given, p(c) is that of the attribute.
        y: training classes (n,); given, the penalty is I(Z;C|Y) instead of I(Z;C).
        weights: importance of the training rows (n,); given, the penalty is that of the weighted
            distribution, and `update` and `term` need weights too.
        pressure: `FixedStrength` or `Budget`, or the number of a fixed strength; or a dict of these
            by the name of each part of the attribute.
        critic: a name in `ESTIMATORS`, or "auto".
        lr: learning rate of the critic's Adam.
        steps: critic steps per `update`.
        seed: of the critic's weights and shuffles.

    Raises `InfoshedError` for a critic without a gradient in z, or one that does not take c.
    """

    def __new__(
        cls, *arguments: Any, pressure: Any = STRENGTH, **options: Any
    ) -> "MutualInformationPenalty":
        if isinstance(pressure, Mapping) and cls is MutualInformationPenalty:
            from infoshed.penalty_parts import PartPenalties

            return super().__new__(PartPenalties)
        return super().__new__(cls)

    def __init__(
        self,
        dim: int,
        attribute: Attribute,
        c: Tensor | None = None,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
        pressure: Pressure | float | Mapping[str, Pressure | float] = STRENGTH,
        critic: str = "auto",
        lr: float = 1e-3,
        steps: int = 2,
        seed: int = 0,
    ):
        check_number("critic_lr", lr, 0)
        self.attribute = attribute
        if c is None:
            if y is not None or weights is not None:
                raise InfoshedError("with `y` or `weights` give `c` of the training rows too")
            c, self.partly = attribute.typical(), True  # rows to come may lack c
        else:
            c, y, weights = training_rows(attribute, c, y, weights)
            self.partly = not bool(attribute.known(c).all())
        known = attribute.known(c)
        if not bool(known.any()):
            raise InfoshedError(
                f"attribute '{attribute.name}' is missing in all rows; there is nothing to shed"
            )
        if not bool(known.all()):
            c, weights = self._known(c, weights)
        check_number("critic_steps", steps, 1, integer=True)
        if critic in ESTIMATORS:
            ESTIMATORS[critic].check_trainable()
        with seeded(seed, "critic"):
            self.estimator = build_estimator(critic, dim, attribute, c, y, weights=weights)
        assert not isinstance(pressure, Mapping)  # that is `PartPenalties`
        self.pressure = pressure if isinstance(pressure, Pressure) else FixedStrength(pressure)
        self.steps = steps
        self.conditional = y is not None
        self.device = c.device
        self.generator = torch_generator(seed, "critic")
        self.critic = Critic(self.estimator, lr)
        self.ceiling = None
        if self.estimator.ceiling is not None:
            self.ceiling = entropy_given(attribute, c, y, weights)
        self.estimate = torch.zeros(())
        self.running, self.held = RunningMean(RUNNING), RunningMean(HELD_OUT)
        self.gradient, self.skipped, self.bad_updates = torch.zeros(3)
        self.updates = 0

    def __call__(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
        scale: Tensor | float = 1.0,
    ) -> None:
        """Shed in the backward pass to come, and fit the critic; see the module. Without gradients
        (`torch.no_grad`) nothing is done.

        Args:
            z: (n, dim) with its graph, on the way from the inputs to the loss. c: codes
                (n, columns). y: classes (n,). Or by step, (n, T, dim) and (n, T[, columns]), see
                `infoshed.sequences`.
            weights: importance of the rows (n,).
            scale: by what the task loss is multiplied before its backward pass.

        Raises `InfoshedError` for a z that nothing can be learned from, as it has no graph.
        """
        if not torch.is_grad_enabled():
            return
        if not z.requires_grad:
            raise InfoshedError("`z` has no graph: give what the encoder returned, not detached")
        rows = as_rows(self.attribute, z, c, y, weights)
        read = self._read(*rows)
        if read is not None:

            def add(arriving: Tensor) -> Tensor:
                extra = self._pressed(read, arriving, scale)
                return arriving + (extra * scale).to(arriving.dtype)

            z.register_hook(add)
        self.update(rows.z.detach(), rows.c, rows.y, weights=rows.weights)

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
        z, c, y, weights = as_rows(self.attribute, z, c, y, weights)
        z = self._received(z)
        c, weights = self._known(c, weights)
        if nothing(weights):
            return
        if readable(z):
            with torch.enable_grad(), torch.autocast(z.device.type, enabled=False):
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
        read = self._read(*as_rows(self.attribute, z, c, y, weights))
        if read is None:
            return task_loss.new_zeros(())
        # In float16 a gradient of a mean over rows may be too small to be told from 0.
        up = HALF_SCALE if z.dtype == torch.float16 else 1.0
        (task_gradient,) = torch.autograd.grad(task_loss * up, z, retain_graph=True)
        extra = self._pressed(read, task_gradient, up)
        surrogate = (z.to(extra.dtype) * extra).sum()
        return surrogate + (self._value(read) - surrogate).detach()

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
        z, c, y, weights = as_rows(self.attribute, z, c, y, weights)
        z = self._received(z)
        c, weights = self._known(c, weights)
        if not readable(z) or nothing(weights):
            return z.new_full((), float("nan"))
        with torch.autocast(z.device.type, enabled=False):
            value = self.estimator(z, c, y, weights=weights, generator=self.generator)
        self.held.add(value)
        self.pressure.observe(value)
        return value

    def _read(
        self, z: Tensor, c: Tensor, y: Tensor | None, weights: Tensor | None
    ) -> "_Reading | None":
        """The estimate and its gradient in z; None where there is nothing to read."""
        leaf = self._received(z.detach())
        filled, weights = self._known(c, weights)
        if not readable(leaf) or nothing(weights):
            return None
        leaf.requires_grad_()
        with torch.enable_grad(), torch.autocast(z.device.type, enabled=False):
            estimate = self.estimator(leaf, filled, y, weights=weights, generator=self.generator)
            (gradient,) = torch.autograd.grad(estimate, leaf)
        known = self.attribute.known(c).to(leaf.dtype)[:, None] if self.partly else None
        return _Reading(estimate.detach(), gradient, leaf.detach().std(0, correction=0), known)

    def _pressed(self, read: "_Reading", arriving: Tensor, scale: Tensor | float) -> Tensor:
        """What is added to the task's gradient in z, of its shape; 0 where it is not finite.

        Args:
            arriving: that gradient, (n, dim) or by step, times `scale`.
        """
        gradient, good = read.gradient, torch.isfinite(read.estimate)
        task_gradient = (arriving.to(gradient.dtype) / scale).reshape(gradient.shape)
        if self.pressure.balanced:
            if read.known is not None:
                share = read.known.mean().clamp_min(1 / len(read.known))
                task_gradient = task_gradient * read.known / share
            gradient = balance(gradient, task_gradient, read.units)
        good = good & torch.isfinite(gradient.sum())
        self.estimate = torch.where(good, read.estimate, self.estimate.to(read.estimate))
        if self.held.value is None:
            self.pressure.observe(self.estimate)
        # `where` and not a product: 0 times NaN is NaN.
        pressed = self.pressure.strength.to(gradient.device) * torch.where(good, gradient, 0)
        return pressed.reshape(arriving.shape)

    def _value(self, read: "_Reading") -> Tensor:
        """strength * estimate, 0 where it is not finite; after `_pressed`."""
        strength = self.pressure.strength.to(read.estimate.device)
        return torch.where(torch.isfinite(read.estimate), strength * self.estimate, 0)

    def _received(self, z: Tensor) -> Tensor:
        """z in a type that the critic computes in; the critic follows z to its device."""
        if self.device != z.device:
            self.estimator.to(z.device)
            self.device = z.device
        return z.float() if z.dtype in (torch.float16, torch.bfloat16) else z

    def _known(self, c: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Codes without missing ones, whose rows weigh 0; as they are where none is missing."""
        if not self.partly:
            return c, weights
        known = self.attribute.known(c).float()
        return self.attribute.filled(c), known if weights is None else known * weights

    @property
    def parts(self) -> "dict[str, MutualInformationPenalty]":
        """The penalties with a pressure of their own, by the name of what they shed."""
        return {self.attribute.name: self}

    def codes(self, c: Tensor) -> dict[str, Tensor]:
        """The columns of codes c (n, columns) that each of `parts` reads, by its name."""
        return {self.attribute.name: c}

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


class _Reading(NamedTuple):
    """What the critic said of a batch: the estimate, its gradient in z (n, dim), the deviations of
    z's columns (dim,), and which rows have a c, 0 or 1 (n, 1), None where all do."""

    estimate: Tensor
    gradient: Tensor
    units: Tensor
    known: Tensor | None


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
