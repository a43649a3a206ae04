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

Where torch.distributed runs several processes, their rows are one batch (see
`infoshed.distributed`), and a call, `update`, `term` or `hold_out` is one of all of them. A call in
a segment that is checkpointed (torch.utils.checkpoint) counts once, though the segment runs twice.

`shed.health` says what the estimate is and whether to believe it (see `infoshed.health`). A
`Budget` follows the estimates of `hold_out` from its first call on, and until then those of `term`.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.balance import deviation
from infoshed.checks import InfoshedError, NonFiniteError, check_number, check_type
from infoshed.critic import Critic, apart
from infoshed.distributed import Processes, Rows
from infoshed.estimators import ESTIMATORS, build_estimator, inputs
from infoshed.health import Health, RunningMean
from infoshed.pressure import FixedStrength, Pressure
from infoshed.reading import Reading
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
        pressure: `FixedStrength`, `Ramp` or `Budget`, or the number of a fixed strength; or a dict
            of these by the name of each part of the attribute. A copy of it is followed, which
            `pressure` of the penalty is.
        critic: a name in `ESTIMATORS`, or "auto".
        lr: learning rate of the critic's Adam.
        steps: critic steps per `update`.
        seed: of the critic's weights and shuffles.
        group: the processes whose rows are one batch and whose gradients are averaged: "world",
            all where torch.distributed is initialised, else this one; "alone", this one; or a
            process group. All the others are the same in all of them, `c` and `y` too: those of
            the whole training table.

    Raises `InfoshedError` for a critic without a gradient in z, or one that does not take c.
    """

    def __new__(
        cls, *arguments: Any, pressure: Any = STRENGTH, **options: Any
    ) -> "MutualInformationPenalty":
        if isinstance(pressure, Mapping) and cls is MutualInformationPenalty:
            from infoshed.penalty_parts import PartPenalties

            return object.__new__(PartPenalties)
        return object.__new__(cls)

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
        group: Any = "world",
    ):
        check_number("dim", dim, 1, integer=True)
        check_type("attribute", attribute, Attribute, "infoshed.infer_attribute(c) makes one")
        check_number("critic_lr", lr, 0)
        self.attribute = attribute
        if c is None:
            if y is not None or weights is not None:
                raise InfoshedError("with `y` or `weights` give `c` of the training rows too")
            c, self.partly = attribute.typical(), True  # rows to come may lack c
        else:
            c, y, weights = training_rows(attribute, c, y, weights)
            y = y if y is None or y.is_floating_point() else y.long()
            self.partly = not bool(attribute.known(c).all())
        known = attribute.known(c)
        if not bool(known.any()):
            raise InfoshedError(
                f"attribute '{attribute.name}' is missing in all rows; there is nothing to shed"
            )
        if not bool(known.all()):
            c, weights = attribute.filled(c), known.float() if weights is None else known * weights
        check_number("critic_steps", steps, 1, integer=True)
        if critic in ESTIMATORS:
            ESTIMATORS[critic].check_trainable()
        with seeded(seed, "critic"):
            self.estimator = build_estimator(critic, dim, attribute, c, y, weights=weights)
        assert not isinstance(pressure, Mapping)  # that is `PartPenalties`
        # A copy: one object cannot follow the estimates of two penalties.
        self.pressure = (
            deepcopy(pressure) if isinstance(pressure, Pressure) else FixedStrength(pressure)
        )
        self.steps = steps
        self.conditional = y is not None
        self.device = c.device
        self.generator = torch_generator(seed, "critic")
        self.critic = Critic(self.estimator, lr)
        self.processes = Processes(group)
        self.ceiling = None
        if self.estimator.ceiling is not None:
            self.ceiling = inputs.entropy_given(attribute, c, y, weights)
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
        given = z.detach(), c, y, weights
        # A forward pass inside a backward pass is that of a checkpointed segment, run again. Either
        # it is the first with a graph, and a gradient will come by, or it is for saved tensors.
        again = torch._C._current_graph_task_id() != -1
        read = None if again else self._step(*given)

        def add(arriving: Tensor) -> Tensor:
            found = self._step(*given) if again else read
            if found is None:
                return arriving
            extra = self._pressed(found, arriving, scale)
            return arriving + (extra * scale).to(arriving.dtype)

        z.register_hook(add)

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
        self._fit(self._rows(z, c, y, weights))

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
        read = self._read(self._rows(z, c, y, weights))
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
        rows = self._rows(z, c, y, weights)
        z, c, y, weights = rows[:4]
        if not rows.readable or rows.empty:
            return z.new_full((), float("nan"))
        with torch.autocast(z.device.type, enabled=False):
            value = self.estimator(z, c, y, weights=weights, generator=self.generator)
        self.held.add(value)
        self.pressure.observe(value)
        return value

    def _rows(self, z: Tensor, c: Tensor, y: Tensor | None, weights: Tensor | None) -> Rows:
        """The batch of all processes as the critic takes it, on the device of z, where the critic
        goes too: by row, and codes without missing ones, whose rows weigh 0."""
        z, c, y, weights = as_rows(self.attribute, z, c, y, weights)
        if self.device != z.device:
            self.estimator.to(z.device)
            self.device = z.device
        z = z.detach()
        z = z if z.dtype == torch.float32 else z.float()
        y = y if y is None or y.is_floating_point() else y.long()
        rows = self.processes.gather(z, c, y, weights, self._common)
        if not self.partly:
            return rows
        known = self.attribute.known(rows.c).float()
        weights = known if rows.weights is None else known * rows.weights
        return rows._replace(c=self.attribute.filled(rows.c), weights=weights, known=known)

    def _read(self, rows: Rows) -> Reading | None:
        """The estimate and its gradient in z; None where there is nothing to read."""
        leaf, c, y, weights = rows[:4]
        if not rows.readable or rows.empty:
            return None
        leaf = leaf.detach().requires_grad_()
        with apart(leaf.device):
            estimate = self.estimator(leaf, c, y, weights=weights, generator=self.generator)
            (gradient,) = torch.autograd.grad(estimate, leaf)
        return Reading(estimate.detach(), gradient, deviation(leaf.detach(), weights), rows)

    def _fit(self, rows: Rows) -> None:
        """Fit the critic to a batch."""
        z, c, y, weights = rows[:4]
        if rows.empty:
            return
        if rows.readable:
            with apart(z.device):
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

    def _step(
        self, z: Tensor, c: Tensor, y: Tensor | None, weights: Tensor | None
    ) -> Reading | None:
        """Read a batch, then fit to it: a critic that knew these rows would flatter them."""
        rows = self._rows(z, c, y, weights)
        read = self._read(rows)
        self._fit(rows)
        return read

    def _pressed(self, read: Reading, arriving: Tensor, scale: Tensor | float) -> Tensor:
        """What is added to the task's gradient in z, of its shape; 0 where it is not finite.

        Args:
            arriving: that gradient, (n, dim) or by step, times `scale`.
        """
        self.pressure.advance()
        gradient, good = read.gradient, torch.isfinite(read.estimate)
        if self.pressure.balanced:
            task_gradient = (arriving.to(gradient.dtype) / scale).reshape(-1, gradient.shape[1])
            gradient = read.balanced(task_gradient, self.processes)
        good = good & torch.isfinite(gradient.sum())
        self.estimate = torch.where(good, read.estimate, self.estimate.to(read.estimate))
        if self.held.value is None:
            self.pressure.observe(self.estimate)
        # Data parallelism will divide by the number of processes.
        strength = self.pressure.strength.to(gradient.device) * self.processes.count
        # `where` and not a product: 0 times NaN is NaN.
        pressed = strength * torch.where(good, gradient[read.rows.own], 0)
        return pressed.reshape(arriving.shape)

    def _value(self, read: Reading) -> Tensor:
        """strength * estimate, 0 where it is not finite; after `_pressed`."""
        strength = self.pressure.strength.to(read.estimate.device)
        return torch.where(torch.isfinite(read.estimate), strength * self.estimate, 0)

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

    def _common(self) -> dict[str, Any]:
        """What is the same in all processes."""
        more = (type(self.pressure).__name__, vars(self.pressure), self.steps, self.ceiling)
        return {"state": self.state_dict(), "more": more}

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
        self.processes.compared = False
        self.critic.load_state_dict(state)
        if state["pressure"].keys() != self.pressure.state_dict().keys():
            raise InfoshedError(
                "the saved state is of a penalty under another kind of pressure; make the penalty "
                "as it was made then"
            )
        self.pressure.load_state_dict(state["pressure"])
        self.generator.set_state(state["generator"])
        self.running.load_state_dict(state["running"])
        self.held.load_state_dict(state["held_out"])
        self.estimate, self.gradient, self.skipped, self.bad_updates = state["record"].unbind()
        self.updates = state["updates"]
