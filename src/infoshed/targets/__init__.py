"""Target specifications: what the target y can be, and what is done with it.

    kind      codes y of n rows               outputs o of the head   loss of a row, nats
    classes   (n,) int64, 0..m-1              (n, m) logits           -log softmax(o)_y
    numbers   (n, k) float32, standardised    (n, k) means            1/2 sum_j (y_j - o_j)^2
    labels    (n, k) int64, 0 or 1            (n, k) logits           -sum_j log sigmoid(+-o_j)

That of numbers is the Gaussian one of unit variance without its constant; the codes are (v - mean)
/ deviation of the training rows. A specification is learned from training values once
(`from_values`) and frozen.

**Strata.** Whatever conditions on y (I(Z;C|Y), p(y|c), groups) reads its stratum, a whole number:
classes are their own; numbers are cut into bins of equal training weight, ten of a single column,
as audits condition on tenths too: what y still varies within a bin is about a hundredth of its
variance, and each bin keeps rows to learn p(c|y) from (at least 20: fewer bins where rows are few).
k columns have 10^(1/k) bins each, at least two, and are combined, as labels are. A combination that
is rare in training, or beyond the `MOST` commonest, counts as the common one nearest to it.

**Adjusted loss**, given what c says about y (see `infoshed.label_prior`). If I(Z;C|Y) = 0, then
p(y|z,c) is proportional to p(y|z) r(y,c), r = p(y|c)/p(y), with a head that does not see c:

    classes   cross-entropy of  o + log r(.,c)
    labels    the same for each label, with p(y_j|c):  o_j + log r(1,c) - log r(0,c)
    numbers   p(y_j|z) = N(o_j, s_j^2), r constant in the bins [e_b, e_b+1) of column j:
              -s^2 log p(y|z,c)  =  1/2 (y - o)^2 + s^2 log sum_b r_b(c) P_b  + what o cannot change
              P_b = Phi((e_b+1 - o)/s) - Phi((e_b - o)/s)

which is exact for such r, whatever c is; without r (c says nothing, or is missing) the sum is 1 and
the plain loss is left. s_j^2 is the mean of (y_j - o_j)^2 over the batch, which is its value where
o is E(y|z).
"""

from typing import Any

from infoshed.checks import InfoshedError
from infoshed.targets.base import ACCURACY, R2, SCORES, Score, Target
from infoshed.targets.classes import Classes
from infoshed.targets.labels import Labels
from infoshed.targets.numbers import Numbers

__all__ = [
    "ACCURACY",
    "R2",
    "SCORES",
    "TARGETS",
    "Classes",
    "Labels",
    "Numbers",
    "Score",
    "Target",
    "target_from_dict",
]

TARGETS: dict[str, type[Target]] = {kind.kind: kind for kind in (Classes, Numbers, Labels)}


def target_from_dict(state: dict[str, Any]) -> Target:
    """Rebuild a target from `Target.to_dict`. Raises `InfoshedError` where it is something else."""
    try:
        values = dict(state)
        return TARGETS[values.pop("kind")](**values)
    except (KeyError, TypeError, ValueError) as error:
        raise InfoshedError(f"the target in config.json is of no known form: {error}") from None
