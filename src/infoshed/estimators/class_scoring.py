"""Critics that score every value of a discrete c at once; the marginal is summed exactly.

For one categorical the critic gives f(z, c) for all m values; for several it has one head per
part and the estimate is sum_k I(Z;C_k), measured against the sum of entropies (not the joint
information, which needs the chain rule). With y, the critic reads (z, one-hot y) and the
reference is p(c_k|y): sum_k I(Z;C_k|Y). The scores have two paths,

    f(z, y, c)  =  trust * log q(c|z,y)/p(c|y) of a running discriminant  +  network(z, one-hot y)_c

the first in closed form and soon at its optimum, the second fitted by gradient to what the first
leaves over. So is the trust: where z is no Gaussian the network is slow to unlearn a wrong
discriminant, and one number is quick. Decay pulls the network to 0, where the discriminant is
alone: on a fixed training set a network without it learns rows by heart.

Compared with shuffling c inside the batch, the gradient in z has a fraction of the variance, so
few critic steps per encoder step suffice.
"""

from collections.abc import Sequence
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infoshed.attributes import Attribute
from infoshed.estimators import bounds
from infoshed.estimators.base import Estimator
from infoshed.estimators.many_values import make_discriminant
from infoshed.nn import mlp
from infoshed.optim import PackedAdam

SLOPE = 0.2
QUICK = 20.0  # how much faster than a weight of the network the trust moves


class ClassScoring(Estimator):
    """The classifier (Barber-Agakov) bound H(C) - cross-entropy, the default for discrete c."""

    summary = "classifier bound H(C) - CE, all values of c scored at once"
    reference = "Barber and Agakov 2003; arXiv 1905.06922, eq. 3"
    bound = "lower"
    takes = frozenset({"discrete", "several"})
    decay: ClassVar[float] = 2.0

    log_prior: Tensor

    def __init__(
        self,
        dim: int,
        attribute: Attribute,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
        hidden: Sequence[int] = (64, 32),
        scaled: bool = True,
    ):
        super().__init__(dim, attribute, c, y, weights=weights, scaled=scaled)
        heads = attribute.heads
        self.network = mlp((dim + self.classes, *hidden, sum(heads)), lambda: nn.LeakyReLU(SLOPE))
        with torch.no_grad():  # the discriminant comes first
            cast(nn.Linear, self.network[-1]).weight.mul_(0.1)
        self.doubt = nn.Parameter(torch.zeros(1))  # trust is 1 - QUICK * doubt
        self.register_buffer("log_prior", log_prior(heads, c, y, self.classes, weights))
        self.discriminant = make_discriminant(dim, heads, self.log_prior)

    @staticmethod
    def part(scores: Tensor, log_prior: Tensor, c: Tensor, weights: Tensor | None) -> Tensor:
        """The bound for one categorical; arguments as in `bounds.class_scoring`."""
        return bounds.class_scoring(scores, log_prior, c, weights)

    def estimate(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        trust = 1 - QUICK * self.doubt
        scores = self.network(self.with_class(z, y)) + trust * self.discriminant(z, y)
        prior = self.log_prior if y is None else self.log_prior[y]
        heads = self.attribute.heads
        parts = zip(scores.split(heads, 1), prior.split(heads, -1), c.T, strict=True)
        return torch.stack([self.part(f, p, code, weights) for f, p, code in parts]).sum()

    def objective(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        """The estimate. A batch that is being fitted moves the discriminant too, afterwards."""
        value = self.estimate(z, c, y, weights, generator)
        if self.training and torch.is_grad_enabled():
            self.discriminant.update(z.detach(), c, y, weights)
        return value

    def fit(
        self,
        optimizer: PackedAdam,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        batches: int,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, Tensor]:
        """As `Estimator.fit`, the gradient written out in a third of the time of autograd for a
        network so small."""
        if type(self).part is not ClassScoring.part:  # the gradient is that of this bound alone
            return super().fit(optimizer, z, c, y, weights, batches, generator)
        optimizer.zero_grad()
        return self._fit_written_out(optimizer, z, c, y, weights, batches)

    @torch.no_grad()
    def _fit_written_out(
        self,
        optimizer: PackedAdam,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        batches: int,
    ) -> tuple[Tensor, Tensor]:
        z, c, y, weights = self._prepared(z, c, y, weights)
        prior = self.log_prior if y is None else self.log_prior[y]
        share = z.new_ones(len(z), 1) if weights is None else weights[:, None]
        at = c + (self.discriminant.first - self.dim)
        truth = z.new_zeros(len(z), prior.shape[-1]).scatter_(1, at, share.expand_as(at))
        # What needs no parameter of the network is computed for all batches in one.
        scores = self.discriminant.scores(z, y)
        columns = (self.with_class(z, y), scores, prior.expand_as(scores), truth, share)
        logs, norms = [], []
        for batch in zip(*(column.chunk(batches) for column in columns), strict=True):
            logs.append(self._descend(*batch))
            norms.append(optimizer.step())
        self.discriminant.update(z, c, y, weights)
        known = [part.sum() / len(part) for part in (prior * truth).chunk(batches)]
        return torch.stack(logs) - torch.stack(known), torch.stack(norms)

    def _descend(
        self, x: Tensor, linear: Tensor, prior: Tensor, truth: Tensor, share: Tensor
    ) -> Tensor:
        """Write the gradients of minus the estimate into the parameters' `grad`.

        Args:
            x: what the network reads (n, dim + classes). linear: scores of the discriminant, and
            prior: log p(c|y), both (n, sum of heads). share: weights (n, 1). truth: one-hot c times
            these, (n, sum of heads).

        Returns the mean of log q(c|z) at the true values, a scalar.
        """
        n, layers = len(x), cast(list[nn.Linear], list(self.network)[::2])
        inputs = [x]
        for layer in layers[:-1]:
            hidden = F.linear(inputs[-1], layer.weight, layer.bias)
            inputs.append(F.leaky_relu_(hidden, SLOPE))
        logits = F.linear(inputs[-1], layers[-1].weight, layers[-1].bias).add_(prior)
        logits.addcmul_(linear, 1 - QUICK * self.doubt)
        parts = [part.log_softmax(1) for part in logits.split(self.attribute.heads, 1)]
        log_q = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
        value = torch.dot(log_q.flatten(), truth.flatten()) / n
        # d/d logits: (softmax - one-hot c) w / n
        slope = log_q.exp_().mul_(share).sub_(truth).div_(n)
        torch.mul(
            torch.dot(slope.flatten(), linear.flatten()),
            -QUICK,
            out=cast(Tensor, self.doubt.grad)[0],
        )
        for i in range(len(layers) - 1, -1, -1):
            weight, bias = layers[i].weight, layers[i].bias
            torch.mm(slope.T, inputs[i], out=cast(Tensor, weight.grad))
            torch.sum(slope, 0, out=cast(Tensor, bias.grad))
            if i:
                slope = torch.ops.aten.leaky_relu_backward(slope @ weight, inputs[i], SLOPE, True)
        return value


class ClassDonskerVaradhan(ClassScoring):
    """Donsker-Varadhan on the same critic: looser than `ClassScoring`, kept for comparison."""

    summary = "Donsker-Varadhan bound, all values of c scored at once"
    reference = "arXiv 1801.04062 with the marginal over c summed exactly"

    @staticmethod
    def part(scores: Tensor, log_prior: Tensor, c: Tensor, weights: Tensor | None) -> Tensor:
        return bounds.class_donsker_varadhan(scores, log_prior, c, weights)


def log_prior(
    heads: tuple[int, ...],
    c: Tensor,
    y: Tensor | None = None,
    classes: int = 0,
    weights: Tensor | None = None,
    pseudocount: float = 0.1,
) -> Tensor:
    """log p(c_k), all parts in a row (sum of heads,), or log p(c_k|y) (classes, sum of heads).

    The pseudocount keeps values that a class never takes at a finite, small probability.

    Args:
        heads: number of values of each part. c: codes (n, parts). y: classes (n,), below `classes`.
        weights: importance of the rows (n,), on any scale.
    """
    counts = torch.ones(len(c)) if weights is None else weights / weights.mean()
    parts = []
    for m, code in zip(heads, c.T, strict=True):
        rows = torch.zeros_like(code) if y is None else y
        table = torch.zeros(max(classes, 1), m, dtype=torch.float64)
        table.index_put_((rows, code), counts.double(), accumulate=True)
        table += pseudocount
        parts.append((table / table.sum(1, keepdim=True)).log().float())
    return torch.cat(parts, 1) if y is not None else torch.cat(parts, 1)[0]
