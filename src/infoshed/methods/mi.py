"""The method: keep what predicts y, shed what tells c.

    minimise  E CE(h(z) + log p(y|c)/p(y), y)  +  strength * I(Z;C|Y),    z = g(x)

The two terms belong together. Where I(Z;C|Y) = 0 the adjusted logits are exactly the posterior
of y given (z, c) (see `infoshed.label_prior`), so the first term is the likelihood of a model
in which z is clean, and the second makes z so. Neither asks z to be independent of c where y and
c are tied, which it could only be by dropping y.

`conditional=False` penalises the marginal I(Z;C) as the paper does; `budget` holds the estimate
at a level instead of pressing at a fixed strength; `loss="plain"` leaves the task loss alone, as
is done by itself where c decides y in the training data and the adjusted loss says nothing.
The critic is fitted on the features that the encoder's own step computes, after their gradient was
taken: always of the current encoder, and at no further pass through it.
Every few steps the critic is read on a batch of the validation split, which it is never fitted on:
the record of its health (see `infoshed.health`) is among the metrics.
With `strength=0` nothing is corrected or penalised: that is `plain`, to the last bit.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from infoshed.checks import InfoshedError, check_choice, check_number
from infoshed.methods.base import LOSSES, Fresh, Setting, check_loss
from infoshed.methods.supervised import Plain
from infoshed.penalty import MutualInformationPenalty
from infoshed.pressure import Budget, FixedStrength, budget_nats
from infoshed.seeds import torch_generator
from infoshed.types import Batch

HOLD_OUT_EVERY = 10  # steps; one pass of the encoder without a gradient costs 2% of so many


@dataclass(frozen=True)
class MIOptions:
    """Options of `mi`.

    Args:
        strength: the paper's lambda; 1 unless it or a budget is given.
        budget: nats (0.05), a share of H(C) ("5%"), or "label" for I(Y;C), instead of strength.
        conditional: penalise I(Z;C|Y), otherwise I(Z;C). Unless given: true, but false with
            budget "label", which is a budget for I(Z;C).
        loss: task loss, one of plain, adjusted, reweighed; "auto" is adjusted, but plain where c
            decides y in the training data (see `infoshed.label_prior`).
        critic: an estimator by name, or "auto".
        critic_steps: critic steps per encoder step, K. The first is on the rows of the encoder's
            step, whose features are there already; every further one on fresh rows.
        critic_lr: learning rate of the critic.
    """

    strength: float | None = None
    budget: float | str | None = None
    conditional: bool | None = None
    loss: str = "auto"
    critic: str = "auto"
    critic_steps: int = 1
    critic_lr: float = 1e-3

    def __post_init__(self):
        if self.strength is not None and self.budget is not None:
            raise InfoshedError("give `strength` or `budget`, not both")
        if self.budget is None:
            object.__setattr__(self, "strength", 1.0 if self.strength is None else self.strength)
            check_number("strength", self.strength, 0)
        if self.budget == "label" and self.conditional:
            raise InfoshedError(
                'budget "label" is I(Y;C), a budget for I(Z;C); with I(Z;C|Y) give nats or "5%"'
            )
        if self.conditional is None:
            object.__setattr__(self, "conditional", self.budget != "label")
        check_choice("loss", self.loss, ("auto", *LOSSES))


class MI(Plain):
    """The default method; see the module."""

    summary = "sheds I(Z;C|Y) (or I(Z;C)) while training on adjusted logits; the default"
    reference = "arXiv 2003.06430, with a class-scoring critic and adjusted logits"
    Options = MIOptions

    def __init__(self, setting: Setting, options: MIOptions):
        super().__init__(setting, options)
        self.penalty = None
        if options.strength == 0:
            return
        self.loss = options.loss
        if self.loss == "auto":
            self.loss = "plain" if setting.prior.decided else "adjusted"
        check_loss(self.loss, setting.prior)
        y, c = setting.data.train.y, setting.data.train.c
        attribute = setting.data.attribute
        if options.strength is not None:
            pressure = FixedStrength(options.strength)
        else:
            assert options.budget is not None
            pressure = Budget(budget_nats(options.budget, attribute, y, c))
        self.penalty = MutualInformationPenalty(
            setting.model.dim,
            attribute,
            c,
            y if options.conditional else None,
            pressure=pressure,
            critic=options.critic,
            lr=options.critic_lr,
            steps=options.critic_steps,
            seed=setting.seed,
        )
        self.steps = 0
        self.held_out = torch_generator(setting.seed, "held out")

    def extra_loss(self, task_loss: Tensor, z: Tensor, batch: Batch, fresh: Fresh) -> Tensor | None:
        if self.penalty is None:
            return None
        # The gradient first: a critic that was fitted on these very rows would flatter them.
        term = self.penalty.term(task_loss, z, batch.c, batch.y)
        features, c, y = z.detach(), batch.c, batch.y
        if self.options.critic_steps > 1:
            more = fresh((self.options.critic_steps - 1) * len(y))
            with torch.no_grad():
                features = torch.cat([features, self.model.encoder(more.x)])
            c, y = torch.cat([c, more.c]), torch.cat([y, more.y])
        self.penalty.update(features, c, y)
        if self.steps % HOLD_OUT_EVERY == 0:
            self.hold_out(self.penalty, len(batch.y))
        self.steps += 1
        return term

    @torch.no_grad()
    def hold_out(self, penalty: MutualInformationPenalty, rows: int) -> None:
        """Read the critic on random rows of the validation split."""
        split, encoder = self.setting.data.validation, self.model.encoder
        batch = split.take(torch.randint(len(split), (rows,), generator=self.held_out))
        # In training mode, as the critic knows z, but batch statistics must not learn these rows.
        buffers = {name: buffer.clone() for name, buffer in encoder.named_buffers()}
        penalty.hold_out(functional_call(encoder, buffers, (batch.x,)), batch.c, batch.y)

    def step(self, batch: Batch, fresh: Fresh) -> dict[str, Tensor]:
        metrics = super().step(batch, fresh)
        if self.penalty is not None:
            metrics |= self.penalty.health.metrics()
            metrics["strength"] = self.penalty.pressure.strength
        return metrics

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        if self.penalty is not None:
            state |= {
                "penalty": self.penalty.state_dict(),
                "steps": self.steps,
                "held_out": self.held_out.get_state(),
            }
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        if self.penalty is not None:
            self.penalty.load_state_dict(state["penalty"])
            self.steps = state["steps"]
            self.held_out.set_state(state["held_out"])
