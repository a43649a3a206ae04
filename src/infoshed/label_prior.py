"""p(y|c): what the attribute alone says about the label, and two ways to allow for it.

If z told nothing about c beyond y, I(Z;C|Y) = 0, then by Bayes' rule

    p(y | z, c)  is proportional to  exp(h(z)_y) p(y|c) / p(y)

with one head h that does not see c. Two corrections of the task loss follow:

- **adjusted**: cross-entropy of logits h(z) + log p(y|c) - log p(y). The part of the label that c
  explains is already explained, so the network gains nothing by learning it; at deployment h
  is used alone. (Logit adjustment, arXiv 2007.07314; product of experts, arXiv 1909.03683.)
- **reweighed**: cross-entropy with weights p(y) / p(y|c), under which y and c are independent.
  Unbiased, but few rows carry most of the weight when c nearly decides y.

Where c decides y in the training data (H(Y|C) below 3% of H(Y), `LabelPrior.decided`) the first
leaves nothing to learn, and the second weighs all rows alike.

p(y|c) is a multinomial logistic regression on the features of c, fitted on the training rows whose
c is known. Where c is missing log p(y|c)/p(y) is taken as 0, no correction: if I(Z;C|Y) = 0, then
h(z) alone is the posterior of y given z, so rows whose c is missing at random bias nothing.

Numbers and labels have such a p(y|c) for the discrete codes of each column, which their adjusted
loss reads, and one for their strata, which gives the weights (`TargetPrior`; `infoshed.targets`).
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.attributes.codes import check_codes
from infoshed.checks import InfoshedError, check_same_length
from infoshed.targets import Target
from infoshed.types import as_tensor

if TYPE_CHECKING:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression

WEIGHT_CAP = 30.0
MANY = 256  # values of c
MOST_CROSSED = 100  # features of which all products are taken, 5050 at most
DECIDED = 0.03  # of H(Y)


class LabelPrior:
    """p(y|c) and p(y) fitted on training rows.

    Args:
        y: classes (n,), 0 to classes - 1; tensor or array. c: codes (n, columns), as
            `attribute.encode` makes them, missing ones too.
        attribute: the specification of c. classes: how many there are.
        weights: importance of the rows (n,), of mean 1, where they differ in it.

    Raises `InfoshedError` for other shapes and codes, and for names instead of classes.
    """

    def __init__(
        self,
        y: Any,
        c: Any,
        attribute: Attribute,
        classes: int,
        weights: Any = None,
    ):
        self.attribute = attribute
        self.classes = classes
        y, c = as_tensor("y", y).cpu(), as_tensor("c", c).cpu()
        c = c if c.is_floating_point() else c.long()
        weights = None if weights is None else as_tensor("weights", weights).cpu()
        check_same_length(y=y, c=c, weights=weights)
        if y.ndim != 1 or y.is_floating_point():
            raise InfoshedError(
                f"`y` must be classes of shape (n,), whole numbers, got {y.dtype} of shape "
                f"{tuple(y.shape)}"
            )
        y = y.long()
        if len(y) and not 0 <= int(y.min()) <= int(y.max()) < classes:
            raise InfoshedError(
                f"`y` must be classes 0 to {classes - 1}, as there are to be {classes}; got "
                f"{int(y.min())} to {int(y.max())}"
            )
        check_codes(attribute, attribute.filled(c) if c.ndim == 2 else c)
        # One-hot columns for all of them would fill the memory with zeros.
        self.many = sum(attribute.heads) > MANY
        share = torch.ones(len(y)) if weights is None else weights
        counts = np.bincount(y.numpy(), share.numpy(), minlength=classes)
        # A class without training rows keeps a finite logarithm; nothing is ever predicted for it.
        self.log_marginal = torch.from_numpy(np.log(np.maximum(counts, 0.5) / len(y))).float()
        self.weight = self.bias = None
        self.decided = False
        known = attribute.known(c) & (share > 0)
        y, c, share = y[known], c[known], share[known]
        if len(y.unique()) < 2:  # no rows, or rows of one class: c says nothing
            return
        # Rows repeat when c is discrete: fit on distinct (y, c) with their counts.
        pairs = torch.cat([y[:, None].to(c.dtype), c], 1)
        distinct, place = torch.unique(pairs, dim=0, return_inverse=True)
        repeats = torch.zeros(len(distinct), dtype=torch.float64).index_add_(
            0, place, share.double()
        )
        from sklearn.linear_model import LogisticRegression

        regression = LogisticRegression(C=10.0, max_iter=2000).fit(
            self._design(distinct[:, 1:].to(c.dtype)),
            distinct[:, 0].long().numpy(),
            sample_weight=repeats.numpy(),
        )
        self.weight, self.bias = linear_scores(regression, classes)
        rows = torch.from_numpy(counts[counts > 0] / counts.sum())
        logs = -(self.log_ratio(c) + self.log_marginal).gather(1, y[:, None])[:, 0]
        left = (logs * share).sum() / share.sum()
        # Then the adjusted loss is about 0 whatever the network does: nothing would be learned.
        self.decided = float(left) < DECIDED * -float((rows * rows.log()).sum())

    def _features(self, c: Tensor) -> Tensor:
        """Features of c for the regression; squares and products too where c has quantities: of
        these alone where c has many values beside, and no products of very many."""
        features = self.attribute.features(c)
        if self.attribute.heads:
            return features
        crossed = features
        if features.shape[1] > MOST_CROSSED:
            parts = self.attribute.parts
            crossed = torch.cat([p.features(code) for p, code in
                                 zip(parts, self.attribute.split(c), strict=True)
                                 if not p.heads], 1)  # fmt: skip
        if crossed.shape[1] > MOST_CROSSED:
            return torch.cat([features, crossed.square()], 1)
        i, j = torch.triu_indices(crossed.shape[1], crossed.shape[1])
        return torch.cat([features, crossed[:, i] * crossed[:, j]], 1)

    def _design(self, c: Tensor) -> Any:
        """The features as the regression reads them, sparse where c has very many values."""
        if not self.many:
            return self._features(c).numpy()
        from scipy.sparse import csr_matrix

        at = (c + self._places(c)).numpy()
        ones = np.ones(at.size, dtype=np.float32)
        starts = np.arange(len(at) + 1) * at.shape[1]
        return csr_matrix((ones, at.ravel(), starts), shape=(len(at), self.attribute.width))

    def _places(self, c: Tensor) -> Tensor:
        """Where the values of each part begin among the features, (parts,)."""
        return torch.tensor([0, *self.attribute.heads[:-1]], device=c.device).cumsum(0)

    def _scores(self, c: Tensor) -> Tensor:
        """What the regression says of every class, (n, classes), for codes without missing ones."""
        assert self.weight is not None
        assert self.bias is not None
        weight, bias = self.weight.to(c.device), self.bias.to(c.device)
        if not self.many:
            return F.linear(self._features(c), weight, bias)
        return weight.T[c + self._places(c)].sum(1) + bias

    def log_ratio(self, c: Any) -> Tensor:
        """log p(y|c) - log p(y) for every class: codes (n, columns) -> (n, classes), in nats, on
        the device of c."""
        c = as_tensor("c", c)
        c = c if c.is_floating_point() else c.long()
        if self.weight is None:
            return torch.zeros(len(c), self.classes, device=c.device)
        scores = self._scores(self.attribute.filled(c))
        ratio = scores.log_softmax(1) - self.log_marginal.to(c.device)
        return torch.where(self.attribute.known(c)[:, None], ratio, 0)

    def weights(self, y: Tensor, c: Tensor) -> Tensor:
        """p(y) / p(y|c) for each row, capped at `WEIGHT_CAP`, shape (n,)."""
        ratio = self.log_ratio(c).gather(1, y[:, None])[:, 0]
        return torch.exp(-ratio).clamp(max=WEIGHT_CAP)

    def accuracy(self, y: Tensor, c: Tensor) -> float:
        """Share of rows whose class c alone gives away, in [0, 1]."""
        guess = (self.log_ratio(c) + self.log_marginal).argmax(1)
        return float((guess == y).float().mean())


class TargetPrior:
    """What c says about a target of any kind; arguments as in `LabelPrior`, y being its codes.

    Attributes: `joint`, that of the strata; `parts`, one for each column; `decided`, whether c
    decides a column.
    """

    def __init__(
        self,
        target: Target,
        y: Tensor,
        c: Tensor,
        attribute: Attribute,
        weights: Tensor | None = None,
    ):
        self.target = target
        strata = target.strata(y)
        self.joint = LabelPrior(strata, c, attribute, len(target.strata_names), weights)
        self.parts = tuple(
            self.joint
            if m == self.joint.classes and torch.equal(codes, strata)
            else LabelPrior(codes, c, attribute, m, weights)
            for codes, m in target.parts(y)
        )
        self.decided = any(part.decided for part in self.parts)

    def weights(self, y: Tensor, c: Tensor) -> Tensor:
        """p(y) / p(y|c) of the strata of codes y for each row (n,), capped at `WEIGHT_CAP`."""
        return self.joint.weights(self.target.strata(y), c)

    def log_ratios(self, c: Tensor) -> list[Tensor]:
        """For each column log p(y|c) - log p(y) of its discrete codes (n, codes), in nats."""
        return [part.log_ratio(c) for part in self.parts]

    @property
    def chance(self) -> Tensor:
        """The outputs (1, outputs) that know p(y) alone."""
        return self.target.chance([part.log_marginal for part in self.parts])


def linear_scores(
    model: "LogisticRegression | LinearDiscriminantAnalysis", classes: int
) -> tuple[Tensor, Tensor]:
    """Weight (classes, d) and bias (classes,) of the scores of a fitted linear classifier, whose
    labels were classes 0, 1, ...; a class without rows gets a score of -30."""
    weight = torch.from_numpy(model.coef_).float()
    bias = torch.from_numpy(model.intercept_).float()
    if len(weight) == 1:  # two classes: scikit-learn keeps the difference of their scores
        weight, bias = torch.cat([0 * weight, weight]), torch.cat([0 * bias, bias])
    seen = torch.from_numpy(model.classes_)
    return (
        torch.zeros(classes, weight.shape[1]).index_copy_(0, seen, weight),
        torch.full((classes,), -30.0).index_copy_(0, seen, bias),
    )
