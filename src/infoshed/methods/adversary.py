"""What the adversarial methods share: an adversary that reads c from z, and gradient reversal.

    adversary:  min over q   E -log q(c|z)

The adversary q is a softmax for every categorical part of c; for continuous c a Gaussian of
unit variance, least squares up to a constant, as its codes are standardised. Its loss is in nats
and summed over the parts. An encoder is turned against it either by the same loss with the
gradient reversed on its way into z, or by asking that q(.|z) be spread out.

The network is the size of the critics (64-64), so that methods differ in their objective and not
in what their opponent can see. z is read as it is, unscaled, as in the published methods.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError, check_number
from infoshed.methods.base import Fresh, Setting
from infoshed.methods.supervised import Plain
from infoshed.nn import mlp
from infoshed.optim import PackedAdam
from infoshed.seeds import seeded
from infoshed.types import Batch

HIDDEN = (64, 64)
DISCRETE = ("binary", "categorical", "multi-categorical")


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return z.view_as(z)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


def reverse_gradient(z: Tensor, strength: float) -> Tensor:
    """z unchanged; the gradient that comes back through it is multiplied by -strength
    (arXiv 1505.07818). Any shape."""
    return _Reversal.apply(z, strength)  # type: ignore[no-any-return]


class Adversary:
    """A network that reads c from z, with its Adam.

    Args:
        dim: columns of z. attribute: the specification of c. lr: learning rate.
    """

    def __init__(self, dim: int, attribute: Attribute, lr: float):
        self.attribute, self.heads = attribute, attribute.heads
        self.widths = [part.width for part in attribute.parts]
        self.network = mlp((dim, *HIDDEN, sum(self.widths)), lambda: nn.LeakyReLU(0.2))
        self.optimizer = PackedAdam(self.network.parameters(), lr)

    def log_classes(self, z: Tensor) -> tuple[Tensor, ...]:
        """log q(c_k|z) for the parts of a discrete c: z (n, dim) -> (n, m_k) each. Raises
        `InfoshedError` where some of c is continuous."""
        if not self.heads:
            raise InfoshedError("a continuous attribute has no classes to give probabilities for")
        return tuple(part.log_softmax(1) for part in self.network(z).split(self.heads, 1))

    def loss(self, z: Tensor, c: Tensor) -> Tensor:
        """E -log q(c|z), a scalar in nats, summed over parts: z (n, dim), codes c (n, columns)."""
        outputs, codes = self.network(z).split(self.widths, 1), self.attribute.split(c)
        losses = []
        for part, output, code in zip(self.attribute.parts, outputs, codes, strict=True):
            if part.heads:
                losses.append(F.nll_loss(output.log_softmax(1), code[:, 0]))
            else:
                squares = F.mse_loss(output, code)
                losses.append(0.5 * code.shape[1] * (squares + math.log(2 * math.pi)))
        return torch.stack(losses).sum()

    def entropy(self, z: Tensor) -> Tensor:
        """E H(q(.|z)), a scalar in nats, summed over the parts of a discrete c."""
        return torch.stack([-(q.exp() * q).sum(1).mean() for q in self.log_classes(z)]).sum()

    def fit(self, z: Tensor, c: Tensor, steps: int) -> Tensor:
        """`steps` steps of Adam on equal batches of z (n, dim), detached, and codes c
        (n, columns). Returns the mean loss, each batch's read before it was fitted to."""
        losses = []
        for rows in torch.arange(len(z), device=z.device).chunk(steps):
            self.optimizer.zero_grad()
            loss = self.loss(z[rows], c[rows])
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).mean()

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on bit for bit."""
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])


@dataclass(frozen=True)
class AdversaryOptions:
    """Options of a method whose adversary learns in the encoder's own steps.

    Args:
        strength: weight of what the encoder does against the adversary; 0 is plain training.
        critic_lr: learning rate of the adversary.
    """

    strength: float = 1.0
    critic_lr: float = 1e-3

    def __post_init__(self):
        check_number("strength", self.strength, 0)
        check_number("critic_lr", self.critic_lr, 0)


@dataclass(frozen=True)
class AlternatingOptions(AdversaryOptions):
    """Options of a method that alternates steps of the adversary with steps of the encoder.

    Args:
        strength, critic_lr: as in `AdversaryOptions`.
        critic_steps: adversary steps per encoder step, each on fresh rows.
    """

    strength: float = 0.1
    critic_steps: int = 1

    def __post_init__(self):
        super().__post_init__()
        check_number("critic_steps", self.critic_steps, 1, integer=True)


class Adversarial(Plain):
    """Base of the adversarial methods: task loss + what `against` returns.

    With strength 0 there is no adversary: that is `plain`, to the last bit.
    """

    Options = AdversaryOptions

    def __init__(self, setting: Setting, options: AdversaryOptions):
        super().__init__(setting, options)
        self.adversary = None
        self.strength = options.strength
        self.adversary_loss = torch.zeros(())
        if options.strength:
            with seeded(setting.seed, "critic"):
                self.adversary = Adversary(
                    self.model.dim, setting.data.attribute, options.critic_lr
                )

    @abstractmethod
    def against(self, adversary: Adversary, z: Tensor, batch: Batch, fresh: Fresh) -> Tensor:
        """What the encoder descends beside the task loss, a scalar. Sets `adversary_loss`."""

    def extra_loss(self, task_loss: Tensor, z: Tensor, batch: Batch, fresh: Fresh) -> Tensor | None:
        return None if self.adversary is None else self.against(self.adversary, z, batch, fresh)

    def step(self, batch: Batch, fresh: Fresh) -> dict[str, Tensor]:
        metrics = super().step(batch, fresh)
        if self.adversary is not None:
            self.after_step(self.adversary, batch)
            metrics["adversary_loss"] = self.adversary_loss
            metrics["strength"] = torch.tensor(self.strength)
        return metrics

    def after_step(self, adversary: Adversary, batch: Batch) -> None:
        """What follows the encoder's step, if anything."""

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        return (
            state if self.adversary is None else state | {"adversary": self.adversary.state_dict()}
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        if self.adversary is not None:
            self.adversary.load_state_dict(state["adversary"])


class Alternating(Adversarial):
    """Base of the methods that fit the adversary on frozen features before every encoder step."""

    Options = AlternatingOptions
    kinds = DISCRETE

    @abstractmethod
    def confusion(self, adversary: Adversary, z: Tensor) -> Tensor:
        """How far q(.|z) is from being spread out, a scalar in nats: z (n, dim)."""

    def against(self, adversary: Adversary, z: Tensor, batch: Batch, fresh: Fresh) -> Tensor:
        pool = fresh(self.options.critic_steps * self.setting.batch_size)
        with torch.no_grad():
            features = self.model.encode(pool.x)
        self.adversary_loss = adversary.fit(features, pool.c, self.options.critic_steps)
        return self.strength * self.confusion(adversary, z)
