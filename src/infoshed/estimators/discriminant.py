"""A running linear discriminant of c from z, in closed form: the critic's linear part.

With moments of [z, one-hot c] given y, exponentially averaged over batches and split into
S_zz, S_zc, S_cc, Gaussian z with means that depend on c and y additively have

    log p(z|c,y) - log p(z|y)  =  w_c.z + b_c(y) + const(z, y),
    W = P R^-1,    P = S_zz^-1 S_zc,    R = S_cc - S_cz P        (the regression of c on z)

and b from Q = R^-1 - S_cc^-1, the products of the class means in the metric of the covariance
within classes. Nothing is learned by gradient, so it is at its optimum after a few dozen batches
and follows a moving encoder; what is not linear is left to the network beside it.

Averages over a window have noise: the information that the means seem to hold, tr(S_cc Q), grows
by (columns of z) x (degrees of freedom of c) / (rows in the window). The means are shrunk by the
share of it that is not noise.
"""

import math

import torch
from torch import Tensor, nn

from infoshed.estimators.standardize import finite


class Discriminant(nn.Module):
    """See the module. Several parts of c have a discriminant each, blocks of one matrix.

    Args:
        dim: columns of z. heads: number of values of each part of c.
        log_prior: log p(c), shape (sum of heads,), or log p(c|y), shape (classes, sum of heads).
        memory: rows after which a batch has faded to 1/e: fewer follow faster, more are less noisy.
    """

    log_prior: Tensor
    moments: Tensor
    noise: Tensor
    weight: Tensor
    bias: Tensor
    same_part: Tensor
    first: Tensor

    MEMORY = 6400.0
    DUE = 1024  # rows between solutions once the average has warmed up
    RIDGE = 1e-4  # keeps constant columns of z (the others are of scale 1) out
    PRIOR = 8.0  # precision of the class means, in units of z: idle but for very rare values

    def __init__(self, dim: int, heads: tuple[int, ...], log_prior: Tensor, memory: float = MEMORY):
        super().__init__()
        self.dim, self.heads, self.memory = dim, heads, memory
        self.rows = self.solved = 0  # rows seen, and when last solved
        total, classes = sum(heads), 1 if log_prior.ndim == 1 else len(log_prior)
        self.classes = classes
        part = torch.arange(len(heads)).repeat_interleave(torch.tensor(heads))
        first = torch.tensor([0, *heads[:-1]]).cumsum(0) + dim
        self.register_buffer("log_prior", log_prior, persistent=False)
        self.register_buffer("same_part", (part[:, None] == part).float(), persistent=False)
        self.register_buffer("first", first, persistent=False)
        width = dim + total + classes
        self.register_buffer("moments", torch.zeros(width, width))
        self.register_buffer("noise", torch.zeros(()))
        self.register_buffer("weight", torch.zeros(dim, total))
        self.register_buffer("bias", torch.zeros(classes, total))

    def scores(self, z: Tensor, y: Tensor | None) -> Tensor:
        """log p(z|c,y) up to a constant of the row, for every value of every part.

        Args:
            z: (n, dim). y: classes (n,), where conditional.

        Returns (n, sum of heads).
        """
        return torch.addmm(self.bias if y is None else self.bias[y], z, self.weight)

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        """log q(c|z,y) / p(c|y) under the model; arguments and shape as `scores`. Normalised, so
        that bounds which are not invariant to a constant of the row may read it too."""
        scores = self.scores(z, y)
        priors = self.log_prior if y is None else self.log_prior[y]
        parts = zip(scores.split(self.heads, 1), priors.split(self.heads, -1), strict=True)
        return torch.cat([f - torch.logsumexp(f + prior, 1, True) for f, prior in parts], 1)

    @torch.no_grad()
    def update(self, z: Tensor, c: Tensor, y: Tensor | None, weights: Tensor | None) -> None:
        """Move the moments towards those of a batch and solve when due. A batch whose
        moments are not finite is left out.

        Args:
            z: (n, dim), on unit scale. c: codes (n, parts). y: classes (n,), where conditional.
            weights: of mean 1, shape (n,).
        """
        n, width = len(z), len(self.moments)
        self.rows += n
        rows = z.new_zeros(n, width)
        rows[:, : self.dim] = z
        rows.scatter_(1, c + self.first, 1.0)
        if y is None:
            rows[:, -1] = 1
        else:
            rows.scatter_(1, (y + (width - self.classes))[:, None], 1.0)
        weighted = rows if weights is None else rows * weights[:, None]
        newest = weighted.T @ rows / n
        newest = torch.where(finite(newest), newest, self.moments)
        # The plain mean until the average is warm.
        rate = max(n / self.rows, -math.expm1(-n / self.memory))
        share = 1 / n if weights is None else weights.square().mean() / n
        self.moments.lerp_(newest, rate)
        self.noise.mul_((1 - rate) ** 2).add_(rate**2 * share)
        # While warm the moments move by 15% between two solutions, each as dear as a batch.
        if self.rows < self.memory or self.rows - self.solved >= self.DUE:
            self._solve()
            self.solved = self.rows

    def get_extra_state(self) -> dict[str, int]:
        # Plain numbers: they decide what is computed, and reading a tensor waits for a GPU.
        return {"rows": self.rows, "solved": self.solved}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.rows, self.solved = state["rows"], state["solved"]

    def _solve(self) -> None:
        d, e = self.dim, len(self.moments) - self.classes
        # Given y: the covariance of [z, one-hot c] around its mean in each class.
        sums = self.moments[e:, :e]
        means = sums / self.moments.diagonal()[e:, None].clamp_min(1e-6)
        given = self.moments[:e, :e] - sums.T @ means
        noise = d * self.noise
        s_zc, s_cc = given[:d, d:], given[d:, d:] * self.same_part
        s_zz = given[:d, :d].clone()
        s_zz.diagonal().mul_(1 + noise**2).add_(self.RIDGE)
        p = torch.cholesky_solve(s_zc, torch.linalg.cholesky_ex(s_zz).L)
        # One-hot c is singular; the prior of the class means makes it and R definite.
        both = torch.stack([s_cc, s_cc - (s_zc.T @ p) * self.same_part])
        both.diagonal(dim1=1, dim2=2).add_(self.PRIOR * self.noise)
        both = torch.cholesky_inverse(torch.linalg.cholesky_ex(both).L) * self.same_part
        q = both[1] - both[0]
        # Sums over a part's values, given to each of them.
        signal = self.same_part @ (s_cc * q).sum(1)
        free = self.same_part @ (s_cc * both[0]).sum(1)
        shrink = (1 - noise * free / signal.clamp_min(1e-12)).clamp(0, 1)
        weight = p @ both[1] * shrink
        bias = (means[:, d:] @ q - q.diagonal() / 2) * shrink**2 - means[:, :d] @ weight
        fine = finite(bias)
        # New tensors: the old ones may be in a graph that is yet to be differentiated.
        self.weight = torch.where(fine, weight, self.weight)
        self.bias = torch.where(fine, bias, self.bias)
