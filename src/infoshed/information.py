"""Information between the label and the attribute in a table, in nats.

    I(Y;C) = sum_yc p(y,c) log p(y,c) / p(y)p(c)

A representation that equals the label tells I(Y;C) about c, whatever the method: the natural
budget for I(Z;C). Plug-in counts with the Miller-Madow correction of their bias,
-(cells - rows - columns + 1) / 2N over occupied cells, rows and columns.
"""

import numpy as np
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError


def table_information(table: np.ndarray) -> float:
    """I in nats of a contingency table of counts (rows, columns), at least 0."""
    table = np.asarray(table, dtype=np.float64)
    n = table.sum()
    p = table / n
    expected = p.sum(1, keepdims=True) * p.sum(0, keepdims=True)
    occupied = p > 0
    plug_in = (p[occupied] * np.log(p[occupied] / expected[occupied])).sum()
    rows, columns = (table.sum(1) > 0).sum(), (table.sum(0) > 0).sum()
    return max(0.0, float(plug_in - (occupied.sum() - rows - columns + 1) / (2 * n)))


def label_information(y: Tensor, c: Tensor, attribute: Attribute) -> float:
    """sum_k I(Y;C_k) in nats over the parts of a discrete attribute.

    Args:
        y: classes (n,). c: codes (n, columns).

    Raises `InfoshedError` where some of the attribute is continuous.
    """
    if not attribute.heads:
        raise InfoshedError(
            f"I(Y;C) from a table needs a discrete attribute; '{attribute.name}' is "
            f"{attribute.kind}: give a budget in nats, or bin it"
        )
    total = 0.0
    for m, code in zip(attribute.heads, c.T, strict=True):
        table = np.zeros((int(y.max()) + 1, m))
        np.add.at(table, (y.numpy(), code.numpy()), 1)
        total += table_information(table)
    return total
