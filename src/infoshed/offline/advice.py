"""What a reader should know before relying on an estimate, in plain sentences."""

import numpy as np

from infoshed.offline.result import Reading

FEW_ROWS = 200
FEW_A_FOLD = 10  # rows of a value of c, for each fold; fewer do not teach it
CODE = 5  # rows for each distinct row of z, beyond which z is a code
MASS = 0.05  # of all rows; so many alike are a value of z, no copies
CHANCE = 0.1  # of the values that occur twice
CEILING = 0.98
IMBALANCE = 0.95
OVERFIT = -0.02  # nats of a judge that is no use, by more than chance


def copies(z: np.ndarray, *shared: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Which rows of z (n, d) are the same.

    Args:
        shared: what copies of a row have in common besides (n,) or (n, k), such as c and y.

    Returns the distinct row of z that every row is, where z takes so few values that it is a code,
    else None; and which rows are copies of which (n,), None where none are or z is a code. Rows
    that agree in z alone are not copies but a value that z takes often, as a unit does that is
    switched off: such a value may tell of c, each row by itself. So is one of more than
    `MASS` of all rows; and where more than `CHANCE` of all values that occur twice have rows that
    differ in what is shared, z is coarse and no row a copy.
    """
    n, rows = len(z), np.unique(z, axis=0, return_inverse=True)[1].ravel()
    sizes = np.bincount(rows)
    if len(sizes) < n / CODE:
        return rows, None
    columns = [np.unique(one, axis=0, return_inverse=True)[1].ravel() for one in shared]
    whole = np.unique(np.column_stack([rows, *columns]), axis=0)
    mixed = np.bincount(whole[:, 0].astype(np.int64)) > 1
    if not (sizes > 1).any() or mixed.sum() > CHANCE * (sizes > 1).sum():
        return None, None
    single = (mixed | (sizes > MASS * n))[rows]
    if not (sizes[rows] > 1)[~single].any():
        return None, None
    return None, np.where(single, len(sizes) + np.arange(n), rows)


def data_warnings(
    z: np.ndarray,
    codes: np.ndarray,
    labels: np.ndarray | None,
    levels: list[str],
    y: np.ndarray,
    weights: np.ndarray,
    folds: int,
    name: str,
) -> tuple[np.ndarray | None, np.ndarray | None, list[str]]:
    """What can be said before estimating.

    Args:
        z: (n, d). codes: of c (n, columns). labels: its values (n,) with their names `levels`;
            None where continuous.
        y: classes (n,). weights: (n,) of mean 1.

    Returns the distinct row of z that every row is, where z is discrete (else None); groups of
    rows that must share a fold (or None); sentences.
    """
    n = len(z)
    said = []
    if n < FEW_ROWS:
        said.append(f"only {n} rows: the estimate is rough; a few thousand are wanted")
    constant = int((z.max(0) == z.min(0)).sum())
    if constant:
        said.append(f"{constant} of {z.shape[1]} columns of z are constant and were ignored")
    distinct, groups = copies(z, codes, y)
    if distinct is not None:
        if distinct.max() + 1 > n / 50 and (z % 1 != 0).any():
            said.append(
                f"z takes {distinct.max() + 1} distinct values only and was read as a code; if "
                "rows were copied (oversampled, say), drop the copies: they make z seem to tell "
                "more"
            )
    elif groups is not None:
        said.append(
            f"{(np.bincount(groups)[groups] > 1).sum()} rows of z have exact copies; copies were "
            "kept in one fold, since a judge that has seen a row knows its value"
        )
    if labels is not None:
        counts = np.bincount(labels, minlength=len(levels))
        few = np.flatnonzero(counts < FEW_A_FOLD * folds)
        if len(few):
            rare = ", ".join(f"{levels[i]} ({counts[i]})" for i in few[:5])
            more = f" and {len(few) - 5} more" if len(few) > 5 else ""
            said.append(
                f"too few rows of some values of {name} to learn them: {rare}{more}; what z tells "
                "about these is underestimated"
            )
        if counts.max() > IMBALANCE * n:
            said.append(
                f"heavy imbalance: {counts.max() / n:.1%} of rows have {name} = "
                f"{levels[int(counts.argmax())]}; H({name}) is small, so look at the share of it"
            )
    effective = weights.sum() ** 2 / (weights**2).sum()
    if effective < n / 2:
        said.append(f"the weights leave an effective {effective:.0f} of {n} rows")
    return distinct, groups, said


def result_warnings(reading: Reading, nats: float, entropy: float | None, name: str) -> list[str]:
    """What the estimate itself gives away: the ceiling, disagreement, a rising curve."""
    said = []
    if entropy is not None and entropy > 0 and nats > CEILING * entropy:
        said.append(f"at the ceiling: z tells nearly all of {name}")
    if reading.ceiling is not None and nats > 0.7 * reading.ceiling:
        said.append(
            f"close to {reading.ceiling:.1f} nats, the most this estimator can see; the truth may "
            "be far above"
        )
    if len(reading.judges) > 1:
        linear = max((v for k, v in reading.judges.items() if k in LINEAR), default=None)
        best = max(reading.judges, key=reading.judges.__getitem__)
        if linear is not None and reading.judges[best] > max(linear, 0.0) + max(0.05, 0.15 * nats):
            other = f"{best} finds {reading.judges[best]:.2f}"
            said.append(
                f"judges disagree: linear ones find {max(linear, 0.0):.2f} nats, {other}; the "
                "dependence is mostly nonlinear"
                if linear > OVERFIT
                else f"judges disagree: linear ones do worse than guessing on rows they have not "
                f"seen ({linear:.2f} nats), too few rows for so many values or columns, and "
                f"{other}; that does not tell whether the dependence is linear"
            )
    if reading.rising is not None and reading.rising > max(0.02, 0.15 * nats):
        said.append(
            f"the estimate still rises with the number of rows (by {reading.rising:.2f} nats from "
            "half of them to all); with more rows it would likely be higher"
        )
    return said


LINEAR = ("linear", "linear-scores", "gaussian", "gaussian-scores")
