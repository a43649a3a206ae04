"""Strata: rows whose y counts as the same, by bins and common combinations. See the package."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from infoshed.checks import InfoshedError, check_same_length, check_weights

BINS = 10  # of a single column of numbers
FEWEST, RAREST = 20, 0.01  # rows, and share of the rows, of a bin or a combination
MOST = 16  # combinations


def quantile_edges(values: np.ndarray, bins: int, weights: np.ndarray | None = None) -> np.ndarray:
    """The inner edges, rising, of about equally filled bins of `values` (n,), a value on an edge
    belonging above it; fewer where values tie. With weights (n,) the bins weigh the same."""
    shares = np.arange(1, bins) / bins
    settings: Any = {} if weights is None else {"weights": weights, "method": "inverted_cdf"}
    edges = np.unique(np.quantile(values, shares, **settings))
    above = values[values > values.min()]
    edges = edges[edges > values.min()]
    if not len(edges) and len(above):  # most rows have the lowest value
        edges = above.min(keepdims=True)
    return edges


def quantile_code(values: np.ndarray, bins: int) -> np.ndarray:
    """The bin (n,) of each row, 0, 1, ..., of about equally filled ones; fewer where values tie."""
    edges = quantile_edges(values, bins)
    return np.unique(np.searchsorted(edges, values, side="right"), return_inverse=True)[1]


def common_combinations(codes: np.ndarray, share: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """The common combinations of codes (n, k), the commonest first."""
    distinct, place = np.unique(codes, axis=0, return_inverse=True)
    counts = np.bincount(place.ravel(), share, minlength=len(distinct))
    order = np.argsort(-counts, kind="stable")[:MOST]
    kept = [i for i in order if counts[i] >= max(FEWEST, RAREST * len(codes))]
    kept = kept if len(kept) > 1 else order[:2]
    # A single column is in order by itself.
    rows = distinct[np.sort(kept)] if codes.shape[1] == 1 else distinct[kept]
    return tuples(rows.tolist())


def nearest(codes: Tensor, common: tuple[tuple[int, ...], ...]) -> Tensor:
    """The position (n,) in `common` of codes (n, k), or of what is nearest to them, by the sum of
    differences; of several, the first."""
    known = torch.tensor(common)
    distinct, place = torch.unique(codes, dim=0, return_inverse=True)
    return (distinct[:, None] - known).abs().sum(2).argmin(1)[place]


def shares_of(values: Any, weights: Any) -> np.ndarray:
    """Weights (n,) of mean 1."""
    n = len(values)
    if weights is None:
        return np.ones(n)
    found = torch.as_tensor(weights).double()
    check_same_length(y=np.empty(n), weights=found)
    check_weights(found)
    return (found / found.mean()).numpy()


def column_names(name: str, names: Any, k: int) -> tuple[str, ...]:
    if names is None:
        return (name,) if k == 1 else tuple(f"{name}[{j}]" for j in range(k))
    if len(names) != k or len(set(names)) != k:
        raise InfoshedError(f"target '{name}' has {k} columns; `names` must be as many, all unlike")
    return tuple(map(str, names))


def tuples(rows: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(map(int, row)) for row in rows)
