"""The method: keep what predicts y, shed what tells c.

    minimise  E CE(h(z) + log p(y|c)/p(y), y)  +  strength * I(Z;C|Y),    z = g(x)

The two terms belong together. Where I(Z;C|Y) = 0 the adjusted logits are exactly the posterior
of y given (z, c) (see `infoshed.label_prior`; of numbers and labels, `infoshed.targets`), so the
first term is the likelihood of a model in which z is clean, and the second makes z so. Neither asks
z to be independent of c where y and c are tied, which it could only be by dropping y.

`conditional=False` penalises the marginal I(Z;C) as the paper does; `budget` holds the held-out
estimate at a level instead of pressing at a fixed strength (see `infoshed.pressure`), and watches
for signs that this costs the label (see `infoshed.alarm`); `loss="plain"` leaves the task loss
alone, as is done by itself where c decides y in the training data and the adjusted loss says
nothing.
The critic is fitted on the features that the encoder's own step computes, after their gradient was
taken: always of the current encoder, and at no further pass through it.
Every few steps the critic is read on a batch of the validation split, which it is never fitted on:
the record of its health (see `infoshed.health`) is among the metrics.
Several attributes may have a strength or a budget each (see `infoshed.pressure_parts`); then `mi`
is the sum over them, and figures such as `mi_sex` and `strength_sex` are those of one.
With `strength=0` nothing is corrected or penalised: that is `plain`, to the last bit.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from infoshed.alarm import LEAST_PROBED, ON_ALARM, CollapseAlarm, CollapseWarning
from infoshed.checks import InfoshedError, check_choice
from infoshed.estimators.class_scoring import log_prior
from infoshed.methods.base import LOSSES, Fresh, Setting, check_loss, row_factor
from infoshed.methods.supervised import Plain
from infoshed.penalty import STRENGTH, MutualInformationPenalty
from infoshed.pressure import Budget
from infoshed.pressure_parts import check_asked, make_pressures, read_budget, read_strength
from infoshed.seeds import torch_generator
from infoshed.types import Batch

HOLD_OUT_EVERY = 10  # steps; one pass of the encoder without a gradient costs 2% of so many
BUDGET_EVERY = 2  # the same where these readings steer
PROBED_ROWS = 2000  # at most, by the alarm
TAKEN = ("mi_held_out", "mi_gap", "mi_saturated", "mi_share")
PART_METRICS = ("mi", "mi_held_out")  # of the health record, where parts have pressures


@dataclass(frozen=True)
class MIOptions:
    """Options of `mi`.

    Args:
        strength: the paper's lambda; 0.3 unless it or a budget is given. One that moves is a text,
            "0 to 0.3 over 2": evenly in the first 2 epochs. For parts of c by themselves a dict by
            their names, or a text "sex=0.3,age=1".
        budget: nats (0.05), a share of H(C) ("5%"), or "label" for I(Y;C), instead of strength; or
            by part, some of which may have a strength instead.
        conditional: penalise I(Z;C|Y), otherwise I(Z;C). Unless given: true, but false with
            budget "label", which is a budget for I(Z;C).
        loss: task loss, one of plain, adjusted, reweighed; "auto" is adjusted, but plain where c
            decides y in the training data (see `infoshed.label_prior`).
        critic: an estimator by name, or "auto".
        critic_steps: critic steps per encoder step, K. The first is on the rows of the encoder's
            step, whose features are there already; every further one on fresh rows.
        critic_lr: learning rate of the critic.
        on_alarm: with a budget, what to do at the end of an epoch that shows signs of collapse (see
            `infoshed.alarm`): "warn" (unless given); "stop" training there; "back-off", raise the
            budget by half and lower the strength, after every such epoch.
    """

    strength: float | str | dict[str, float | str] | None = None
    budget: float | str | dict[str, float | str] | None = None
    conditional: bool | None = None
    loss: str = "auto"
    critic: str = "auto"
    critic_steps: int = 1
    critic_lr: float = 1e-3
    on_alarm: str | None = None

    def __post_init__(self):
        strength = None if self.strength is None else read_strength(self.strength)
        budget = read_budget(self.budget)
        check_asked(strength, budget)
        if budget is None:
            strength = STRENGTH if strength is None else strength
            if isinstance(strength, dict) and not any(strength.values()):
                strength = 0.0
        object.__setattr__(self, "strength", strength)
        object.__setattr__(self, "budget", budget)
        label = "label" in (budget.values() if isinstance(budget, dict) else [budget])
        if label and self.conditional:
            raise InfoshedError(
                'budget "label" is I(Y;C), a budget for I(Z;C); with I(Z;C|Y) give nats or "5%"'
            )
        if self.conditional is None:
            object.__setattr__(self, "conditional", not label)
        if self.budget is not None:
            object.__setattr__(self, "on_alarm", self.on_alarm or "warn")
            check_choice("on_alarm", self.on_alarm, ON_ALARM)
        elif self.on_alarm is not None:
            raise InfoshedError("`on_alarm` goes with a `budget`; with a strength leave it out")
        check_choice("loss", self.loss, ("auto", *LOSSES))


class MI(Plain):
    """The default method; see the module."""

    summary = "sheds I(Z;C|Y) (or I(Z;C)) while training on adjusted logits; the default"
    reference = "arXiv 2003.06430, with a class-scoring critic and adjusted logits"
    Options = MIOptions
    weighs = True

    def __init__(self, setting: Setting, options: MIOptions):
        super().__init__(setting, options)
        self.penalty = None
        self.alarms: dict[str, CollapseAlarm] = {}
        self.alarmed: set[str] = set()
        if options.strength == 0:
            return
        self.loss = options.loss
        if self.loss == "auto":
            self.loss = "plain" if setting.prior.decided else "adjusted"
        check_loss(self.loss, setting.prior)
        train = setting.data.train
        y, c = setting.data.target.strata(train.y), train.c
        attribute = setting.data.attribute
        self.penalty = MutualInformationPenalty(
            setting.model.dim,
            attribute,
            c,
            y if options.conditional else None,
            weights=train.weights,
            pressure=make_pressures(
                options.strength,
                options.budget,
                attribute,
                y,
                c,
                train.weights,
                max(1, len(train) // setting.batch_size),
            ),
            critic=options.critic,
            lr=options.critic_lr,
            steps=options.critic_steps,
            seed=setting.seed,
            group="alone",  # the loop is one of one process
        )
        self.hold_out_every = HOLD_OUT_EVERY if options.budget is None else BUDGET_EVERY
        for name, part in self.penalty.parts.items():
            if isinstance(part.pressure, Budget):
                self.alarms[name] = self.collapse_alarm(part, self.penalty.codes(c)[name])
        self.steps = 0
        self.held_out = torch_generator(setting.seed, "held out")
        # Validation rows that the critic can judge: their c is known, their class was seen.
        split = setting.data.validation
        judged = setting.data.target.strata(split.y) <= y.max()
        if bool(attribute.known(c).all()):
            judged &= attribute.known(split.c)
        self.judged = judged.nonzero()[:, 0]

    def extra_loss(self, task_loss: Tensor, z: Tensor, batch: Batch, fresh: Fresh) -> Tensor | None:
        if self.penalty is None:
            return None
        # The gradient first: a critic that was fitted on these very rows would flatter them.
        strata = self.setting.data.target.strata
        y = strata(batch.y)
        bounded = self.setting.data.target.bounded(
            task_loss, self.model.head(z), batch.y, row_factor(self.loss, batch, self.setting.prior)
        )
        term = self.penalty.term(bounded, z, batch.c, y, weights=batch.weights)
        features, c, weights = z.detach(), batch.c, batch.weights
        if self.options.critic_steps > 1:
            more = fresh((self.options.critic_steps - 1) * len(y))
            with torch.no_grad():
                features = torch.cat([features, self.model.encode(more.x)])
            c, y = torch.cat([c, more.c]), torch.cat([y, strata(more.y)])
            if weights is not None and more.weights is not None:
                weights = torch.cat([weights, more.weights])
        self.penalty.update(features, c, y, weights=weights)
        if self.steps % self.hold_out_every == 0:
            self.hold_out(self.penalty, len(batch.y))
        self.steps += 1
        return term

    def collapse_alarm(self, penalty: MutualInformationPenalty, c: Tensor) -> CollapseAlarm:
        """The alarm with what is known before training: the loss at chance, and p(c) or p(c|y) of
        the training codes c (n, columns) of what the penalty sheds."""
        setting, train = self.setting, self.setting.data.train
        outputs = setting.prior.chance.expand(len(train), -1)
        chance = self.task_loss(outputs, Batch(train.x, train.y, train.c, train.weights))
        prior, attribute = None, penalty.attribute
        # c is discrete and the critic reads nats, of the same law as a probe without weights.
        if penalty.ceiling is not None and train.weights is None:
            y = setting.data.target.strata(train.y) if penalty.conditional else None
            known = attribute.known(c)
            y = None if y is None else y[known]
            prior = log_prior(attribute.heads, c[known], y, setting.prior.joint.classes)
        return CollapseAlarm(float(chance), attribute.heads, prior)

    def hold_out(self, penalty: MutualInformationPenalty, rows: int) -> None:
        """Read the critic on random rows of the validation split."""
        if not len(self.judged):
            return
        split = self.setting.data.validation
        rows_at = torch.randint(len(self.judged), (rows,), generator=self.held_out)
        batch = split.take(self.judged[rows_at])
        features = self.held_out_features(batch)
        y = self.setting.data.target.strata(batch.y)
        penalty.hold_out(features, batch.c, y, weights=batch.weights)

    @torch.no_grad()
    def held_out_features(self, batch: Batch) -> Tensor:
        """z (n, dim) in training mode, as the critic knows it; batch statistics do not learn."""
        encoder = self.model.encoder
        buffers = {name: buffer.clone() for name, buffer in encoder.named_buffers()}
        return self.model.in_precision(lambda x: functional_call(encoder, buffers, (x,)), batch.x)

    def end_epoch(self, metrics: dict[str, float]) -> dict[str, float]:
        """Look for signs that a budget is not held, and do about them what was asked."""
        if self.penalty is None or not self.alarms:
            return {}
        action = self.options.on_alarm
        for name, alarm in self.alarms.items():
            part = self.penalty.parts[name]
            assert isinstance(part.pressure, Budget)
            signs = self.collapse_signs(alarm, part, metrics["task_loss"])
            if signs and name not in self.alarmed:
                of = f" for {name}" if len(self.penalty.parts) > 1 else ""
                warnings.warn(
                    f"the budget of {float(part.pressure.nats):.3g} nats{of} is not held as it "
                    f"should be: {'; '.join(signs)}; {ON_ALARM[action]}",
                    CollapseWarning,
                    stacklevel=2,
                )
            self.alarmed = self.alarmed | {name} if signs else self.alarmed - {name}
            if signs and action == "back-off":
                part.pressure.back_off()
        self.stopped = bool(self.alarmed) and action == "stop"
        return {"alarm": float(bool(self.alarmed))}

    def collapse_signs(
        self, alarm: CollapseAlarm, penalty: MutualInformationPenalty, task_loss: float
    ) -> list[str]:
        """What the alarm says of a sample of the validation split."""
        assert self.penalty is not None
        split = self.setting.data.validation
        c = self.penalty.codes(split.c)[penalty.attribute.name]
        rows = self.judged[torch.randperm(len(self.judged), generator=self.held_out)]
        rows = rows[penalty.attribute.known(c[rows])][:PROBED_ROWS]
        pieces = rows.split(self.setting.batch_size)
        if len(pieces) > 1 and len(pieces[-1]) < self.setting.batch_size:
            pieces = pieces[:-1]  # statistics of a small batch are noise, those of a row an error
        rows = torch.cat(pieces)
        if len(rows) < LEAST_PROBED:
            rows, pieces = rows[:0], ()
        features = [self.held_out_features(split.take(piece)) for piece in pieces]
        z = torch.cat(features) if features else torch.zeros(0, penalty.estimator.dim)
        target = self.setting.data.target
        y = target.strata(split.y[rows]) if penalty.conditional else None
        return alarm.signs(task_loss, z, c[rows], y, float(penalty.held.mean))

    def step(self, batch: Batch, fresh: Fresh) -> dict[str, Tensor]:
        metrics = super().step(batch, fresh)
        if self.penalty is not None:
            metrics |= self.penalty.health.metrics()
            several = len(self.penalty.parts) > 1
            for name, part in self.penalty.parts.items():
                of = f"_{name}" if several else ""
                # A part may be called "gap" or "share".
                of = f"_part{of}" if several and f"mi{of}" in TAKEN else of
                metrics[f"strength{of}"] = part.pressure.strength
                if isinstance(part.pressure, Budget):
                    metrics[f"budget{of}"] = part.pressure.nats
                if several:
                    found = part.health.metrics()
                    metrics |= {f"{k}{of}": found[k] for k in PART_METRICS if k in found}
        return metrics

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        if self.penalty is not None:
            state |= {
                "penalty": self.penalty.state_dict(),
                "steps": self.steps,
                "held_out": self.held_out.get_state(),
            }
            if self.alarms:
                alarms = {name: alarm.state_dict() for name, alarm in self.alarms.items()}
                alarmed = [int(name in self.alarmed) for name in self.alarms]
                state |= {"alarms": alarms, "alarmed": alarmed, "stopped": self.stopped}
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        if self.penalty is not None:
            self.penalty.load_state_dict(state["penalty"])
            self.steps = state["steps"]
            if self.alarms:
                for name, alarm in self.alarms.items():
                    alarm.load_state_dict(state["alarms"][name])
                alarmed = zip(self.alarms, state["alarmed"], strict=True)
                self.alarmed = {name for name, raised in alarmed if raised}
                self.stopped = state["stopped"]
            self.held_out.set_state(state["held_out"])
