"""A running discriminant for a c of very many values, with means that borrow from each other.

The discriminant of `infoshed.estimators.discriminant` costs the cube of the number of values, and
its means are noise where a window of batches shows each value a few times. Here the means of z by
value are themselves a sample (empirical Bayes; as in PLDA, Ioffe 2006). Given y, r = z - E[z|y],

    r | c ~ N(m_c, W),    m_c ~ N(0, B)

W and B follow from the moments of r and of its means by value: over values with n_c rows the means
vary by B + W/n_c. Where W = I and B = diag(b) (a change of basis v = P r) the means and what is
predicted for a new row of value c are

    m_c = b n_c / (1 + b n_c) * mean of v,    v | c ~ N(m_c, 1 + b / (1 + b n_c))

so that a value with few rows says little instead of something wrong. Directions whose b is no
larger than that of noise (the edge of Marchenko and Pastur) are left out. Cost: values x dim.
"""

import math

import torch
from torch import Tensor, nn

from infoshed.estimators.discriminant import Discriminant
from infoshed.estimators.standardize import finite

MANY = 256  # values; the closed form of `Discriminant` is better below


class ManyValues(nn.Module):
    """See the module. Several parts of c have means each; what they share is W's window.

    Args:
        dim, heads, log_prior: as in `Discriminant`.
        memory: rows after which a batch has faded to 1/e; unless given, four for each value.
    """

    log_prior: Tensor
    first: Tensor
    moments: Tensor
    counts: Tensor
    sums: Tensor
    total: Tensor
    of_class: Tensor
    basis: Tensor
    centre: Tensor
    slope: Tensor
    curve: Tensor
    bias: Tensor

    DUE = 1024  # rows between solutions once the average has warmed up
    RIDGE = 1e-4
    APART = 0.2  # least share of rows that are not the first of their value: below, B is unknown

    def __init__(
        self, dim: int, heads: tuple[int, ...], log_prior: Tensor, memory: float | None = None
    ):
        super().__init__()
        self.dim, self.heads = dim, heads
        self.memory = max(Discriminant.MEMORY, 4.0 * max(heads)) if memory is None else memory
        self.rows = self.solved = 0
        values, parts = sum(heads), len(heads)
        classes = 1 if log_prior.ndim == 1 else len(log_prior)
        self.register_buffer("log_prior", log_prior, persistent=False)
        first = torch.tensor([0, *heads[:-1]]).cumsum(0) + dim
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("total", torch.zeros(2))  # sums of weights, and of their squares
        self.register_buffer("moments", torch.zeros(dim, dim))
        self.register_buffer("of_class", torch.zeros(classes, dim + 1))
        self.register_buffer("counts", torch.zeros(2, values))
        self.register_buffer("sums", torch.zeros(values, dim))
        self.register_buffer("centre", torch.zeros(classes, dim))
        self.register_buffer("basis", torch.zeros(parts, dim, dim))
        self.register_buffer("slope", torch.zeros(values, dim))
        self.register_buffer("curve", torch.zeros(values, dim))
        self.register_buffer("bias", torch.zeros(values))

    def scores(self, z: Tensor, y: Tensor | None) -> Tensor:
        """log p(z|c,y) up to a constant of the row, for every value of every part.

        Args:
            z: (n, dim). y: classes (n,), where conditional.

        Returns (n, sum of heads).
        """
        r = z - (self.centre if y is None else self.centre[y])
        found = []
        tables = (t.split(self.heads) for t in (self.slope, self.curve, self.bias))
        for basis, slope, curve, bias in zip(self.basis, *tables, strict=True):
            v = r @ basis
            both = torch.cat([v, v * v], 1)
            found.append(torch.addmm(bias, both, torch.cat([slope, curve], 1).T))
        return torch.cat(found, 1)

    forward = Discriminant.forward

    @torch.no_grad()
    def update(self, z: Tensor, c: Tensor, y: Tensor | None, weights: Tensor | None) -> None:
        """Move the moments towards those of a batch and solve when due; arguments as in
        `Discriminant.update`. Rows that are not finite are left out."""
        n = len(z)
        self.rows += n
        w = torch.isfinite(z).all(1).to(z.dtype)
        w, z = w if weights is None else w * weights, torch.where(w[:, None] > 0, z, 0)
        fade = math.exp(-n / self.memory)
        self.total.mul_(fade).add_(torch.stack([w.sum(), w.square().sum()]))
        self.of_class.mul_(fade)
        label = torch.zeros(n, dtype=torch.long, device=z.device) if y is None else y
        self.of_class.index_add_(0, label, torch.cat([z, z.new_ones(n, 1)], 1) * w[:, None])
        self.centre = self.of_class[:, :-1] / self.of_class[:, -1:].clamp_min(1e-6)
        r = z - self.centre[label]
        self.moments.mul_(fade).add_((r * w[:, None]).T @ r)
        self.sums.mul_(fade)
        self.counts[0].mul_(fade)
        self.counts[1].mul_(fade**2)
        for code in (c + (self.first - self.dim)).T:
            self.sums.index_add_(0, code, r * w[:, None])
            self.counts[0].index_add_(0, code, w)
            self.counts[1].index_add_(0, code, w.square())
        if self.rows < self.memory or self.rows - self.solved >= self.DUE:
            self._solve()
            self.solved = self.rows

    get_extra_state = Discriminant.get_extra_state
    set_extra_state = Discriminant.set_extra_state

    def _solve(self) -> None:
        spread = self.moments / self.total[0].clamp_min(1e-6)
        spread.diagonal().add_(self.RIDGE)
        columns = zip(
            self.sums.split(self.heads),
            self.counts.split(self.heads, 1),
            strict=True,
        )
        solved = [self._part(spread, sums, *counts) for sums, counts in columns]
        bases, *tables = zip(*solved, strict=True)
        new = [torch.stack(bases), *map(torch.cat, tables)]
        fine = torch.stack([finite(tensor) for tensor in new]).all()
        # New tensors: the old ones may be in a graph that is yet to be differentiated.
        old = (self.basis, self.slope, self.curve, self.bias)
        self.basis, self.slope, self.curve, self.bias = (
            torch.where(fine, a, b) for a, b in zip(new, old, strict=True)
        )

    def _part(
        self, spread: Tensor, sums: Tensor, weight: Tensor, squares: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The basis (dim, dim) of a part, and slope, curve (values, dim) and bias (values,)."""
        share = weight / weight.sum().clamp_min(1e-6)
        means = sums / weight.clamp_min(1e-6)[:, None]
        rows = weight.square() / squares.clamp_min(1e-12)  # that the means are worth
        # The spread of the means is B + noise * W, and B + W that of the rows.
        noise = (share / rows.clamp_min(1)).sum()
        of_means = (means * share[:, None]).T @ means
        apart = 1 - noise
        within = (spread - of_means) / apart.clamp_min(self.APART)
        ridge = self.RIDGE * spread.diagonal().mean() * _eye(within)
        factor = torch.linalg.cholesky_ex(within + ridge)
        inverse = torch.linalg.solve_triangular(factor.L, _eye(within), upper=False)
        b, vectors = torch.linalg.eigh(inverse @ (spread - within) @ inverse.T)
        edge = (1 + (self.dim * share.square().sum()).sqrt()).square() - 1
        b = (b - noise * edge / apart.clamp_min(self.APART)).clamp_min(0) * (apart > self.APART)
        basis = inverse.T @ vectors
        v, rows = means @ basis, rows[:, None]
        centre = v * (b * rows / (1 + b * rows))
        variance = 1 + b / (1 + b * rows)
        slope, curve = centre / variance, -0.5 / variance
        bias = -0.5 * (centre.square() / variance + variance.log()).sum(1)
        return basis, slope, curve, bias


def _eye(like: Tensor) -> Tensor:
    return torch.eye(len(like), dtype=like.dtype, device=like.device)


def make_discriminant(
    dim: int, heads: tuple[int, ...], log_prior: Tensor
) -> Discriminant | ManyValues:
    """The discriminant for so many values; arguments as there."""
    kind = ManyValues if sum(heads) > MANY else Discriminant
    return kind(dim, heads, log_prior)
