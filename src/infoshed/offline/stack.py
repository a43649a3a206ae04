"""Several judges into one: a log-linear pool with the prior, fitted on held-out scores.

    q(c|z)  is proportional to  p(c) exp( sum_j w_j s_j(z, c) ),    w_j >= 0,
    s_j(z, c) = log q_j(c|z) / p(c)

A judge that is overconfident is cooled (w < 1), one that knows nothing is ignored (w = 0), and
where nobody knows anything the pool is the prior and the estimate is 0. What is estimated is
E log q(c|z)/p(c) = H(C) - cross-entropy, the Barber-Agakov lower bound of I(Z;C).
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

RIDGE = 1e-3
LARGEST = 3.0
MOST_SCORES, LEAST_ROWS = 2_000_000, 2000


def pool_weights(
    scores: np.ndarray, log_prior: np.ndarray, target: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Non-negative weights of the judges (J,), by convex maximum likelihood.

    Args:
        scores: s_j (J, n, m). log_prior: (n, m), -inf where a value cannot be.
        target: the value that was (n,). weights: of the rows (n,), on any scale.
    """
    judges, n, m = scores.shape
    if n * m > MOST_SCORES:  # a few numbers do not need them all
        size = max(LEAST_ROWS, MOST_SCORES // m)
        part = np.random.default_rng(0).permutation(n)[:size]
        scores, log_prior = scores[:, part], log_prior[part]
        target, weights, n = target[part], weights[part], len(part)
    rows = np.arange(n)
    share = weights / weights.sum()
    hit = scores[:, rows, target]

    def negative(w: np.ndarray) -> tuple[float, np.ndarray]:
        logits = np.tensordot(w.astype(scores.dtype), scores, 1) + log_prior
        normaliser = logsumexp(logits, axis=1)
        posterior = np.exp(logits - normaliser[:, None])
        expected = np.einsum("nm,jnm->jn", posterior, scores, optimize=True)
        value = share @ (w @ hit - normaliser)
        return -float(value) + RIDGE / 2 * float(w @ w), -(hit - expected) @ share + RIDGE * w

    start = np.full(judges, 0.5 / judges)
    found = minimize(
        negative, start, jac=True, method="L-BFGS-B", bounds=[(0.0, LARGEST)] * judges,
        options={"maxiter": 60},
    )  # fmt: skip
    return found.x


def pool(scores: np.ndarray, log_prior: np.ndarray, w: np.ndarray) -> np.ndarray:
    """log q(c|z) / p(c) of the pool for every value, (n, m); arguments as in `pool_weights`."""
    combined = np.tensordot(w.astype(scores.dtype), scores, 1)
    return combined - logsumexp(combined + log_prior, axis=1, keepdims=True)
