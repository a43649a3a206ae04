"""Few directions of z that hold what is known of c, found from moments of order one to three.

With r_k(c) the centred indicator of value k, and whitened z:

    order 1   E[z | c=k]                      class means, relative to the within covariance
    order 2   Cov[z | c=k] - I                where only the variance tells (SAVE)
    order 3   T_k = E[r_k(c) z (x) z (x) z]   where only the joint sign of three columns tells

Each order gives a symmetric matrix whose leading eigenvectors are taken: sum_k p_k D_k D_k' for
the second, sum_k T_k T_k' (unfolded to d x d^2) for the third, refined by power iterations. A judge
that cannot find a parity of three among 64 columns finds it among these dozen.
(Cook and Weisberg 1991 for SAVE; De Lathauwer et al. 2000 for the iterations.)
"""

import numpy as np

CLIP = 4.0
MEANS, VARIANCES, CUBES = 9, 6, 4
CUBE_COLUMNS = 128  # beyond, d^3 moments are too many to be estimated, and too slow


def informative_directions(
    x: np.ndarray,
    c: np.ndarray,
    m: int,
    weights: np.ndarray,
    rng: np.random.Generator,
    cubes: bool = True,
) -> tuple[np.ndarray, int]:
    """Directions (d, k), k <= 19, as columns, and how many of them come from the first two orders.

    Args:
        x: whitened rows (n, d). c: values 0..m-1 (n,). weights: of mean 1 (n,).
        rng: draws the contrasts of the values that the third order looks at.
        cubes: whether to look at the third order, which takes most of the time.
    """
    clipped = np.clip(x, -CLIP, CLIP)
    parts = [_means(x, c, m, weights), _variances(clipped, c, m, weights)]
    first_two = sum(part.shape[1] for part in parts)
    if cubes and x.shape[1] <= CUBE_COLUMNS:
        parts.append(_cubes(clipped, c, m, weights, rng))
    return np.concatenate(parts, 1), first_two


def class_means(
    x: np.ndarray, c: np.ndarray, m: int, weights: np.ndarray, ridge: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Means (m, d), shrunk towards 0 by `ridge` rows, and the weight of each value (m,)."""
    totals = np.bincount(c, weights, m)
    one_hot = np.zeros((len(c), m), np.float32)
    one_hot[np.arange(len(c)), c] = weights
    return (one_hot.T @ x) / (totals + ridge)[:, None], totals


def within_covariance(
    x: np.ndarray, c: np.ndarray, means: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Pooled covariance around the class means (d, d), shrunk a little towards the identity."""
    n, d = x.shape
    rest = x - means[c]
    covariance = (rest * weights[:, None]).T @ rest / n
    return covariance + (0.2 * d / n + 1e-6) * np.eye(d)


def _means(x: np.ndarray, c: np.ndarray, m: int, weights: np.ndarray) -> np.ndarray:
    means, totals = class_means(x, c, m, weights)
    directions = np.linalg.solve(within_covariance(x, c, means, weights), means.T)
    left, _, _ = np.linalg.svd(directions * np.sqrt(totals / len(c)), full_matrices=False)
    return left[:, : min(MEANS, m - 1)]


def _variances(x: np.ndarray, c: np.ndarray, m: int, weights: np.ndarray) -> np.ndarray:
    n, d = x.shape
    total = np.zeros((d, d))
    for k in range(m):
        rows, w = x[c == k], weights[c == k]
        if len(rows) < 3:
            continue
        rest = rows - np.average(rows, 0, w)
        excess = (rest * w[:, None]).T @ rest / w.sum() - np.eye(d)
        total += w.sum() / n * excess @ excess
    return np.linalg.eigh(total)[1][:, ::-1][:, :VARIANCES]


def _cubes(
    x: np.ndarray, c: np.ndarray, m: int, weights: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    n, d = x.shape
    # Two random contrasts of the values stand for all of them; with two values there is one.
    contrasts = np.array([[0.0], [1.0]]) if m == 2 else rng.normal(size=(m, 2))
    r = contrasts[c]
    r = (r - np.average(r, 0, weights)) * weights[:, None]
    weighted = [(x * (column / max(float(column.std()), 1e-12))[:, None]).T / n for column in r.T]
    weighted = [w.astype(np.float32) for w in weighted]
    total = np.zeros((d, d))
    for w in weighted:
        for j in range(d):
            moments = w @ (x * x[:, j : j + 1])
            total += moments @ moments.T
    directions = np.linalg.eigh(total)[1][:, ::-1][:, :CUBES]
    for _ in range(3):
        y = (x @ directions).astype(np.float32)
        products = (y[:, :, None] * y[:, None, :]).reshape(n, -1)
        total = np.zeros((d, d))
        for w in weighted:
            moments = w @ products
            total += moments @ moments.T
        directions = np.linalg.eigh(total)[1][:, ::-1][:, :CUBES]
    return directions
