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


def table_information(table: np.ndarray, n: float | None = None) -> float:
    """I in nats of a contingency table (rows, columns), at least 0. n: how many rows are behind
    it, where its entries are not counts."""
    table = np.asarray(table, dtype=np.float64)
    p = table / table.sum()
    n = float(table.sum()) if n is None else n
    expected = p.sum(1, keepdims=True) * p.sum(0, keepdims=True)
    occupied = p > 0
    plug_in = (p[occupied] * np.log(p[occupied] / expected[occupied])).sum()
    rows, columns = (table.sum(1) > 0).sum(), (table.sum(0) > 0).sum()
    return max(0.0, float(plug_in - (occupied.sum() - rows - columns + 1) / (2 * n)))


def label_information(
    y: Tensor, c: Tensor, attribute: Attribute, weights: Tensor | None = None
) -> float:
    """sum_k I(Y;C_k) in nats over the parts of a discrete attribute.

    Args:
        y: classes (n,). c: codes (n, columns). weights: importance of the rows (n,); the bias is
            then that of (sum w)^2 / sum w^2 rows.

    Raises `InfoshedError` where some of the attribute is continuous.
    """
    if not attribute.heads:
        raise InfoshedError(
            f"I(Y;C) from a table needs a discrete attribute; '{attribute.name}' is "
            f"{attribute.kind}: give a budget in nats, or bin it"
        )
    share = np.ones(len(y)) if weights is None else weights.double().numpy()
    rows = share.sum() ** 2 / (share**2).sum()
    total = 0.0
    for m, code in zip(attribute.heads, c.T, strict=True):
        table = np.zeros((int(y.max()) + 1, m))
        np.add.at(table, (y.numpy(), code.numpy()), share)
        total += table_information(table, rows)
    return total
