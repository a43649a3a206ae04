"""Nearest neighbours, for representations of few dimensions.

    continuous c  psi(k) + psi(n) - mean [psi(n_z + 1) + psi(n_c + 1)]        (Kraskov et al. 2004)
    discrete c    psi(k) + psi(n) - mean [psi(n_same) + psi(m)]               (Ross 2014)

n_z and n_c count the rows closer in z and in c (maximum norm) than the k-th neighbour is in both;
n_same the rows with the same c, m those closer in z than the k-th neighbour among them. No model,
no gradient: a check on a finished representation. Distances say little in many dimensions, where
the estimate falls far short of the information, so more than 20 are refused. In few it depends on
the coordinates still: it is best where columns that tell nothing are not mixed into those that do.

Importance weights become chances: row i is kept with probability w_i / max w. (Drawing with
replacement would make neighbours at distance 0.)
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError
from infoshed.estimators.measure import Measure

if TYPE_CHECKING:
    from scipy.spatial import KDTree

NEIGHBOURS = 3
MOST_DIMENSIONS = 20


class NearestNeighbours(Measure):
    """See the module. Raises `InfoshedError` for dim > 20."""

    summary = "nearest neighbours (KSG, Ross), at most 20 dimensions; no gradient"
    reference = "Kraskov et al. 2004, arXiv cond-mat/0305641; Ross 2014, PLoS ONE 9(2) e87357"
    bound = "neither"
    takes = frozenset({"discrete", "several", "continuous"})
    differentiable = False

    def __init__(
        self,
        dim: int,
        attribute: Attribute,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
        scaled: bool = True,
    ):
        if dim > MOST_DIMENSIONS:
            raise InfoshedError(
                f"ksg compares distances and is far too low in many dimensions; z has {dim}, at "
                f"most {MOST_DIMENSIONS} are taken: use class-scoring or shuffled-dv, or reduce z"
            )
        super().__init__(dim, attribute, c, y, weights=weights, scaled=scaled)

    def measure(
        self, z: Tensor, c: Tensor, weights: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        chance = (weights / weights.max()).cpu()
        keep = torch.ones(len(z), dtype=torch.bool)
        if bool((chance < 1).any()):
            keep = torch.rand(len(z), generator=generator, dtype=chance.dtype) < chance
        points = z.detach().cpu().double()[keep].numpy()
        codes = c.cpu()[keep].numpy()
        if not self.attribute.heads:
            value = continuous_information(points, codes)
        else:
            value = sum(discrete_information(points, code) for code in codes.T)
        return torch.as_tensor(value, dtype=z.dtype, device=z.device)


def continuous_information(z: np.ndarray, c: np.ndarray, k: int = NEIGHBOURS) -> float:
    """I(Z;C) in nats by Kraskov's first estimator, 0 for fewer than 3 rows.

    Args:
        z: (n, dim). c: (n, columns).
    """
    from scipy.special import digamma  # scipy takes longer to import than all the rest here

    n = len(z)
    if n < 3:
        return 0.0
    k = min(k, n - 1)
    both = np.concatenate([z, c], 1)
    distance = _tree(both).query(both, k + 1, p=np.inf)[0][:, -1]
    # n_z + 1 of the formula: the row itself is counted, rows at the distance are not.
    closer = [_within(points, distance) for points in (z, c)]
    return float(digamma(k) + digamma(n) - np.mean(digamma(closer[0]) + digamma(closer[1])))


def discrete_information(z: np.ndarray, c: np.ndarray, k: int = NEIGHBOURS) -> float:
    """I(Z;C) in nats by Ross' estimator; rows whose c occurs once are left out, as there.

    Args:
        z: (n, dim). c: codes (n,).
    """
    from scipy.special import digamma

    same = np.bincount(c)[c] if len(c) else np.zeros(0, int)
    z, c, same = z[same > 1], c[same > 1], same[same > 1]
    if len(z) < 3:
        return 0.0
    distance = np.zeros(len(z))
    neighbours = np.minimum(k, same - 1)
    for value in np.unique(c):
        rows = c == value
        j = min(k, int(rows.sum()) - 1)
        distance[rows] = _tree(z[rows]).query(z[rows], j + 1, p=np.inf)[0][:, -1]
    closer = _within(z, distance)
    terms = digamma(neighbours) - digamma(same) - digamma(closer)
    return float(digamma(len(z)) + np.mean(terms))


def _tree(points: np.ndarray) -> "KDTree":
    from scipy.spatial import KDTree

    return KDTree(points)


def _within(points: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """How many points, itself among them, are closer to each point than its distance."""
    radius = np.nextafter(distance, 0)
    return _tree(points).query_ball_point(points, radius, p=np.inf, return_length=True)
