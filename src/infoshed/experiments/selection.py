"""The rule by which one strength of a method is chosen, from biased data alone.

Of the validation split, which is held out of the biased training distribution, take

    J  =  mean of  -log softmax( h(z) + log p(y|c)/p(y) )_y   +   I(H;C|Y)      (nats)

with h(z) the logits of a row and H the logits as a random variable. The first term is how well the
model, with what c says about y added, explains the labels: where H tells nothing of c beyond y, it
is the proper likelihood of y given x and c (see `infoshed.label_prior`). The second is what H tells
about c beyond y, estimated on held-out folds; of several categoricals it is the sum over them, as
their joint values (hundreds of colours) are too many for a validation split. Where y is a quantity
the likelihood is a normal one about the prediction, of the width that fits these rows best, times
p(y|c)/p(y) (`infoshed.targets`), and "beyond y" is beyond its tenths. The least J wins; it
is compared on the mean over the seeds that every strength has. The rule is the same for all
methods, and no test data enter.
"""

import json
from collections.abc import Sequence
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from infoshed.checks import InfoshedError
from infoshed.label_prior import TargetPrior
from infoshed.offline import estimate_mi
from infoshed.types import DataSet

RULE = (
    "Strengths are chosen on the validation split alone, which is as biased as the training "
    "data, by the least J = adjusted NLL + leakage, in nats. Adjusted NLL is the negative "
    "log-likelihood of the label under logits + log p(y|c)/p(y): how well the label is predicted "
    "once what c says about it is set aside (under the logits alone where c decides y in "
    "training; of a quantity under a normal density about its prediction, corrected likewise). "
    "Leakage is I(logits;C|Y) by `estimate_mi`, what the logits tell of c beyond y (summed over "
    "several categoricals). Settings are compared on the mean over the seeds that all strengths "
    "of a method have. The same rule holds for every method; no test data enter."
)


def figures_for_selection(logits: Tensor, data: DataSet) -> dict[str, float]:
    """What the rule needs of a model.

    Args:
        logits: of the validation rows (n, classes or labels), or predicted codes (n, k).
        data: the data set; p(y|c) is fitted on its training rows.

    Returns `val_accuracy` in [0, 1] (`val_r2` where y is a quantity), `val_nll_adjusted` and
    `val_leakage` in nats. Raises `NonFiniteError` for logits with NaN or infinity, and
    `InfoshedError` for a validation split that nothing can be estimated of, as it has few rows.
    """
    split, train, target = data.validation, data.train, data.target
    prior = TargetPrior(target, train.y, train.c, data.attribute, train.weights)
    ratios = None if prior.decided else prior.log_ratios(split.c)
    weights = None if split.weights is None else split.weights / split.weights.mean()
    scores = target.scores(logits, split.y).double()
    return {
        f"val_{target.score.key}": float((scores if weights is None else scores * weights).mean()),
        "val_nll_adjusted": float(target.nll(logits, split.y, ratios, weights)),
        "val_leakage": leakage(logits, data),
    }


def leakage(logits: Tensor, data: DataSet) -> float:
    """The second term of J in nats, of the validation rows whose c is known; a part of c with one
    value among them is told by nothing, and values that one row has count as one. Arguments and
    errors as in `figures_for_selection`."""
    split, total = data.validation, 0.0
    strata = data.target.strata(split.y)
    for part, codes in zip(data.attribute.parts, data.attribute.split(split.c), strict=True):
        rows = part.known(codes)
        c = codes[rows]
        if not c.is_floating_point():
            single = torch.bincount(c[:, 0]) == 1
            if len(c) > 1 and bool(single[c].all()):
                raise InfoshedError(
                    f"each of the {len(c):,} validation rows has a {part.name} of its own; nothing "
                    "can be told of it: merge values, or give floats if it is a quantity"
                )
            c = torch.where(single[c] & (single.sum() > 1), len(single), c)
        if len(c) and bool((c != c[0]).any()):
            weights = None if split.weights is None else split.weights[rows]
            total += estimate_mi(
                logits[rows], c[:, 0] if c.shape[1] == 1 else c, y=strata[rows], weights=weights,
                estimator="quick", name=part.name,
            ).nats  # fmt: skip
    return abs(total)  # no minus zero


def score(row: dict[str, Any]) -> float | None:
    """J of a row in nats; None where its run failed or was made without figures for the rule."""
    figures = row.get("selection")
    return None if figures is None else figures["val_nll_adjusted"] + figures["val_leakage"]


def by_options(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows grouped by their options, each group sorted by seed, in the order of first sight."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(json.dumps(row["options"], sort_keys=True), []).append(row)
    return [sorted(group, key=lambda row: row["seed"]) for group in groups.values()]


def common_rows(groups: Sequence[Sequence[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """The rows of each group whose seed every group has."""
    seeds = set.intersection(*({row["seed"] for row in group} for group in groups))
    return [[row for row in group if row["seed"] in seeds] for group in groups]


def select(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The rule, applied to the rows of one method on one data set over its strengths and seeds.

    Returns the first row (lowest seed) of the chosen options. A strength with a failed run among
    the seeds that are compared is out; None if that leaves none.
    """
    groups = by_options(rows)
    if not groups:
        return None
    scores = [[score(row) for row in group] for group in common_rows(groups)]
    found = [
        (mean(v for v in values if v is not None), i)
        for i, values in enumerate(scores)
        if values and None not in values
    ]
    return groups[min(found)[1]][0] if found else None
