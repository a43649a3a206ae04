"""Checks of what an estimator is given, and H(C) of it.

Checks that read values of tensors make a GPU wait for them, so those are made for tensors on the
CPU alone; on a GPU shapes and types are checked.
"""

import torch
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.attributes.codes import check_codes
from infoshed.checks import (
    InfoshedError,
    check_finite,
    check_representation,
    check_same_length,
    check_weights,
)


def check_classes(y: Tensor, classes: int | None = None) -> None:
    """Raise `InfoshedError` unless `y` (n,) are integers from 0, below `classes` if given."""
    if y.ndim != 1 or y.is_floating_point():
        raise InfoshedError(
            f"`y` must be integer classes of shape (n,), got {tuple(y.shape)} {y.dtype}"
        )
    if y.device.type != "cpu" or not len(y):
        return
    low, high = int(y.min()), int(y.max())
    if low < 0:
        raise InfoshedError(f"`y` must hold classes 0, 1, ...; got {low}")
    if classes is not None and high >= classes:
        raise InfoshedError(
            f"`y` holds class {high}, but the classes in training were 0 to {classes - 1}; "
            "make the estimator with a y that shows every class"
        )


def check_rows(
    dim: int,
    attribute: Attribute,
    classes: int,
    z: Tensor,
    c: Tensor,
    y: Tensor | None,
    weights: Tensor | None,
) -> None:
    """Raise `InfoshedError` unless the arguments of an estimate fit together and the estimator.

    Args:
        classes: number of classes of y, 0 where the estimate is not conditional and y unused.
    """
    check_representation(z, dim)
    check_same_length(z=z, c=c, y=y, weights=weights)
    if len(z) < 2:
        raise InfoshedError(f"an estimate needs at least 2 rows, got {len(z)}")
    if z.device.type == "cpu":
        check_finite("`z`", z, "lower the learning rate, or check the inputs of the encoder")
    check_codes(attribute, c)
    if classes:
        if y is None:
            raise InfoshedError("this estimator measures I(Z;C|Y) and needs y")
        check_classes(y, classes)
    if weights is not None:
        check_weights(weights)


def entropy(attribute: Attribute, c: Tensor, weights: Tensor | None) -> float | None:
    """H(C) in nats (summed over parts) of codes c (n, columns) under `weights` (n,); the
    attribute's own where there are no weights, None where c is continuous."""
    if weights is None or not attribute.heads:
        return attribute.entropy
    total = 0.0
    for m, code in zip(attribute.heads, c.T, strict=True):
        p = torch.bincount(code, weights.to(code.device).double(), minlength=m)
        p = p / p.sum()
        total -= float(torch.special.xlogy(p, p).sum())
    return total


def entropy_given(
    attribute: Attribute, c: Tensor, y: Tensor | None, weights: Tensor | None
) -> float | None:
    """H(C), or H(C|Y) where y is given, in nats (summed over parts): the most that an estimate can
    be. None where c is continuous.

    Args:
        c: codes (n, columns). y: classes (n,). weights: importance of the rows (n,).
    """
    if y is None or not attribute.heads:
        return entropy(attribute, c, weights)
    weights = torch.ones(len(y), device=y.device) if weights is None else weights
    total = 0.0
    for k in y.unique():
        share = float(weights[y == k].sum() / weights.sum())
        if share:
            total += share * (entropy(attribute, c[y == k], weights[y == k]) or 0.0)
    return total
