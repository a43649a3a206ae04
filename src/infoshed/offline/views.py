"""How the judges look at z: four views of the same rows, made without looking at c.

- `scaled`: columns with mean 0 and deviation 1, clipped at 10;
- `whitened`: uncorrelated columns of unit variance, so that no judge depends on scale, shift,
  rotation or repetition of z's columns;
- `scores`: normal scores, column by column Phi^-1((rank - 1/2) / n): what a monotone map did to a
  column is undone;
- `whitened_scores`: the normal scores, whitened.

Constant columns are dropped. The transforms see the rows that are judged later as well, but never
their c, so what is cross-fitted stays honest.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

CLIP = 10.0


@dataclass(frozen=True)
class Views:
    """See the module; all float32, (n, columns)."""

    scaled: np.ndarray
    whitened: np.ndarray
    scores: np.ndarray
    whitened_scores: np.ndarray


def make_views(z: np.ndarray) -> Views:
    """The views of z (n, d); without columns that vary, one column of zeros."""
    scaled = standardize(z)
    scores = normal_scores(scaled)
    return Views(
        scaled=np.clip(scaled, -CLIP, CLIP).astype(np.float32),
        whitened=whiten(scaled).astype(np.float32),
        scores=scores.astype(np.float32),
        whitened_scores=whiten(standardize(scores)).astype(np.float32),
    )


def standardize(z: np.ndarray) -> np.ndarray:
    """Varying columns of z (n, d) with mean 0 and deviation 1, float64."""
    z = z.astype(np.float64)
    largest = np.abs(z).max(0, initial=0.0)
    z = z / np.where(largest > 0, largest, 1.0)  # squares of huge values would overflow
    z = z - z.mean(0)
    deviation = z.std(0)
    varies = deviation > 1e-13  # of the largest value: below is rounding
    return z[:, varies] / deviation[varies] if varies.any() else np.zeros((len(z), 1))


def normal_scores(z: np.ndarray) -> np.ndarray:
    """Phi^-1 of the ranks of each column of z (n, d); ties share their mean rank."""
    return ndtri((rankdata(z, axis=0) - 0.5) / len(z))


def whiten(z: np.ndarray) -> np.ndarray:
    """Principal components of standardised z (n, d), each of unit variance.

    Where columns are many for the rows, the small variances are mostly noise: they are shrunk
    towards their mean by (d/n)^2, which is nothing at n >> d and everything at n <= d.
    """
    n, d = z.shape
    variances, directions = np.linalg.eigh(z.T @ z / n)
    keep = variances > 1e-8 * max(variances.max(), 1e-300)
    if not keep.any():
        return np.zeros((n, 1))
    shrink = min(1.0, (d / n) ** 2)
    kept = (1 - shrink) * variances[keep] + shrink * variances[keep].mean()
    # The sign of a component is arbitrary; fix it by the skewness, so that a mirrored or
    # rotated z gives the same columns.
    components = z @ directions[:, keep] / np.sqrt(kept)
    return components * np.where((components**3).mean(0) < 0, -1.0, 1.0)
