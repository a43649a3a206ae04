"""Bounds of I(Z;C) as pure functions of scores. All results are scalars in nats.

For scores f(z, c), p(c) known and finite C, by Jensen's inequality and log x <= x / e:

    I(Z;C) >= E f(z,c) - E_z log sum_c p(c) e^f(z,c)        `class_scoring`, = H(C) - cross-entropy
           >= E f(z,c) - log E_z sum_c p(c) e^f(z,c)        `class_donsker_varadhan`
           >= E f(z,c) - E_z sum_c p(c) e^(f(z,c) - 1)      `class_nwj`
    I(Z;C) >= E f(z,c) - log E_{z, c' ~ p(c)} e^f(z,c')     `donsker_varadhan` from samples
           >= E f(z,c) - E_{z, c' ~ p(c)} e^(f(z,c') - 1)   `nwj` from samples
    I(Z;C) >= E [f(z_i,c_i) - log mean_j e^f(z_i,c_j)]      `infonce`, never above log n

With p(c|y) in place of p(c), and scores f(z, y, c), the class bounds are of I(Z;C|Y); so are those
from samples when c' is drawn among rows of the same y. Weights of mean 1 make every expectation
one under the weighted distribution. The upper bounds read a model q(c|z) of the conditional:

    I(Z;C) <= E log q(c|z) - E_{z, c' ~ p(c)} log q(c'|z)          `club`, for q close to p(c|z)
    I(Z;C) <= E [log q(c_i|z_i) - log mean_{j != i} q(c_i|z_j)]    `leave_one_out`, for q = p(c|z)
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def weighted_mean(values: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean of values (n,) under weights (n,) of mean 1, or the plain mean."""
    return values.mean() if weights is None else (values * weights).mean()


def log_mean_exp(scores: Tensor, weights: Tensor | None = None) -> Tensor:
    """log of the (weighted) mean of exp(scores) over all elements, without overflow."""
    scores = scores if weights is None else scores + weights.log()
    return torch.logsumexp(scores.flatten(), 0) - math.log(scores.numel())


def log_row_means(scores: Tensor, pairing: Tensor) -> Tensor:
    """log sum_j a_ij e^s_ij / sum_j a_ij, shape (n,), for scores and pairing a >= 0, both (n, n),
    every row of which has a positive element."""
    log_pairing = pairing.log()
    return torch.logsumexp(scores + log_pairing, 1) - torch.logsumexp(log_pairing, 1)


def bounded(scores: Tensor, limit: float = 20.0) -> Tensor:
    """Scores kept within +-limit by tanh, so that their exponential cannot overflow. The
    variational bounds hold for every f, this one too; the identity where |scores| << limit."""
    return limit * torch.tanh(scores / limit)


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


def nwj(
    joint: Tensor,
    marginal: Tensor,
    weights: Tensor | None = None,
    marginal_weights: Tensor | None = None,
) -> Tensor:
    """f-divergence bound E f - E e^(f-1) (Nguyen, Wainwright and Jordan, arXiv 0809.0853), exact at
    f = 1 + log p(c|z)/p(c). Unlike Donsker-Varadhan unbiased in any batch. Arguments as there;
    exp overflows for scores that are not `bounded`."""
    return weighted_mean(joint, weights) - weighted_mean((marginal - 1).exp(), marginal_weights)


def jensen_shannon(
    joint: Tensor,
    marginal: Tensor,
    weights: Tensor | None = None,
    marginal_weights: Tensor | None = None,
) -> Tensor:
    """E log sigma(f) + E log sigma(-f): the log-likelihood of telling pairs from shuffled pairs.

    Greatest, 2 JSD - 2 log 2, at the log density ratio f = log p(c|z)/p(c); its gradient stays
    bounded where those of the other bounds do not (f-GAN; arXiv 1905.06922, section 2.3).
    Arguments as in `donsker_varadhan`.
    """
    real = weighted_mean(F.logsigmoid(joint), weights)
    return real + weighted_mean(F.logsigmoid(-marginal), marginal_weights)


def smile(
    joint: Tensor,
    marginal: Tensor,
    weights: Tensor | None = None,
    marginal_weights: Tensor | None = None,
    clip: float = 5.0,
) -> Tensor:
    """Donsker-Varadhan with f clipped at +-clip in the partition function, which bounds the
    variance of that term and gives up the bound (arXiv 1910.06222). Arguments as there."""
    return donsker_varadhan(joint, marginal.clamp(-clip, clip), weights, marginal_weights)


def infonce(scores: Tensor, pairing: Tensor, weights: Tensor | None = None) -> Tensor:
    """InfoNCE (arXiv 1807.03748): E [f_ii - log mean_j e^f_ij], at most log n.

    Args:
        scores: f(z_i, c_j), shape (n, n).
        pairing: importance of c_j for row i, shape (n, n): the weight of row j, or 0 where j is
            of another class; the diagonal is positive, since every row is its own positive.
        weights: of mean 1, shape (n,).
    """
    return weighted_mean(scores.diagonal() - log_row_means(scores, pairing), weights)


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


def class_nwj(
    scores: Tensor, log_prior: Tensor, c: Tensor, weights: Tensor | None = None
) -> Tensor:
    """`nwj` with the marginal over c summed exactly. Arguments as in `class_donsker_varadhan`,
    which dominates it for the same scores; exp overflows for scores that are not `bounded`."""
    joint = scores.gather(1, c[:, None])[:, 0]
    return weighted_mean(joint - (torch.logsumexp(scores + log_prior, 1) - 1).exp(), weights)


def class_club(
    log_q: Tensor, log_prior: Tensor, c: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Contrastive log-ratio upper bound with the marginal over c summed exactly (arXiv 2006.12013).

    Args:
        log_q: log q(c|z_i) for every value c, shape (n, m). Others as in `class_scoring`.
    """
    joint = log_q.gather(1, c[:, None])[:, 0]
    return weighted_mean(joint - (log_prior.exp() * log_q).sum(-1), weights)


def club(log_q: Tensor, pairing: Tensor, weights: Tensor | None = None) -> Tensor:
    """Contrastive log-ratio upper bound over all pairs of rows (arXiv 2006.12013).

    Args:
        log_q: log q(c_i|z_j), shape (n, n).
        pairing: importance of z_j for row i, shape (n, n), as in `infonce`.
        weights: of mean 1, shape (n,).
    """
    crossed = (pairing * log_q).sum(1) / pairing.sum(1)
    return weighted_mean(log_q.diagonal() - crossed, weights)


def leave_one_out(log_q: Tensor, pairing: Tensor, weights: Tensor | None = None) -> Tensor:
    """Leave-one-out upper bound (arXiv 1905.06922, eq. 13). Arguments as in `club`.

    A row without another of its class has nothing to be compared with and counts as 0 nats.
    """
    others = pairing - torch.diag(pairing.diagonal())
    alone = torch.diag((others.sum(1) == 0).to(pairing.dtype))
    return weighted_mean(log_q.diagonal() - log_row_means(log_q, others + alone), weights)
