"""Lower bounds of I(Z;C) as pure functions of scores. All results are scalars in nats.

For scores f(z, c), p(c) known and finite C, by Jensen's inequality:

    I(Z;C) >= E f(z,c) - E_z log sum_c p(c) e^f(z,c)        `class_scoring`, = H(C) - cross-entropy
           >= E f(z,c) - log E_z sum_c p(c) e^f(z,c)        `class_donsker_varadhan`
    I(Z;C) >= E f(z,c) - log E_{z, c' ~ p(c)} e^f(z,c')     `donsker_varadhan` from samples

With p(c|y) in place of p(c), and scores f(z, y, c), the first two bound I(Z;C|Y). Weights of mean 1
make every expectation one under the weighted distribution.
"""

import math

import torch
from torch import Tensor


def weighted_mean(values: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean of values (n,) under weights (n,) of mean 1, or the plain mean."""
    return values.mean() if weights is None else (values * weights).mean()


def log_mean_exp(scores: Tensor, weights: Tensor | None = None) -> Tensor:
    """log of the (weighted) mean of exp(scores) over all elements, without overflow."""
    scores = scores if weights is None else scores + weights.log()
    return torch.logsumexp(scores.flatten(), 0) - math.log(scores.numel())


def donsker_varadhan(
    joint: Tensor,
    marginal: Tensor,
    weights: Tensor | None = None,
    marginal_weights: Tensor | None = None,
) -> Tensor:
    """Donsker-Varadhan bound (MINE, arXiv 1801.04062).

    Args:
        joint: f(z_i, c_i), shape (n,).
        marginal: f(z_i, c'_i) with c' independent of z, shape (m,).
        weights, marginal_weights: of mean 1, shapes (n,) and (m,).
    """
    return weighted_mean(joint, weights) - log_mean_exp(marginal, marginal_weights)


def class_donsker_varadhan(
    scores: Tensor, log_prior: Tensor, c: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Donsker-Varadhan bound with the marginal over c summed exactly.

    Args:
        scores: f(z_i, c) for every value c, shape (n, m).
        log_prior: log p(c), shape (m,), or log p(c|y_i), shape (n, m).
        c: the codes, shape (n,). weights: of mean 1, shape (n,).
    """
    joint = scores.gather(1, c[:, None])[:, 0]
    marginal = log_mean_exp(torch.logsumexp(scores + log_prior, 1), weights)
    return weighted_mean(joint, weights) - marginal


def class_scoring(
    scores: Tensor, log_prior: Tensor, c: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Barber-Agakov bound of the classifier q(c|z) proportional to p(c) e^f(z,c):
    E log q(c|z) / p(c). Never above H(C) when evaluated on the distribution of `log_prior`;
    dominates `class_donsker_varadhan` for the same scores. Arguments as there."""
    joint = scores.gather(1, c[:, None])[:, 0]
    return weighted_mean(joint - torch.logsumexp(scores + log_prior, 1), weights)
