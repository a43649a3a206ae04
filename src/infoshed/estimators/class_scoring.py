"""Critics that score every value of a discrete c at once; the marginal is summed exactly.

For one categorical the network gives f(z, c) for all m values; for several it has one head per
part and the estimate is sum_k I(Z;C_k), measured against the sum of entropies (not the joint
information, which needs the chain rule). With y, the network reads (z, one-hot y) and the
reference is p(c_k|y): sum_k I(Z;C_k|Y).

Compared with shuffling c inside the batch, the gradient in z has a fraction of the variance, so
few critic steps per encoder step suffice.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from infoshed.attributes import Attribute
from infoshed.estimators import bounds
from infoshed.estimators.base import Estimator
from infoshed.nn import mlp


class ClassScoring(Estimator):
    """The classifier (Barber-Agakov) bound H(C) - cross-entropy, the default for discrete c."""

    summary = "classifier bound H(C) - CE, all values of c scored at once"
    reference = "Barber and Agakov 2003; arXiv 1905.06922, eq. 3"
    bound = "lower"
    takes = frozenset({"discrete", "several"})

    log_prior: Tensor

    def __init__(
        self,
        dim: int,
        attribute: Attribute,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
        hidden: Sequence[int] = (64, 64),
        scaled: bool = True,
    ):
        super().__init__(dim, attribute, c, y, weights=weights, scaled=scaled)
        self.network = mlp(
            (dim + self.classes, *hidden, sum(attribute.heads)), lambda: nn.LeakyReLU(0.2)
        )
        self.register_buffer("log_prior", log_prior(attribute.heads, c, y, self.classes, weights))

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
        log_prior = self.log_prior
        if y is not None:
            log_prior = log_prior[y]
        scores = self.network(self.with_class(z, y))
        heads = self.attribute.heads
        parts = zip(scores.split(heads, 1), log_prior.split(heads, -1), c.T, strict=True)
        return torch.stack([self.part(f, prior, code, weights) for f, prior, code in parts]).sum()


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
