"""Groups (y, c): the cells of the table of label and attribute that occur in training.

    g(y, c) = number of the cell (y, b(c)),    only cells with a training row are counted

b(c) is c itself where it is discrete, all parts of several jointly. A quantity is binned: each
column by the quartiles of its training values, all columns jointly.
"""

import numpy as np
import torch
from torch import Tensor

from infoshed.attributes import Attribute

BINS = 4  # of every continuous column, equally filled in training


class Groups:
    """The groups of training classes y (n,) and codes c (n, columns).

    Attributes: `index` (n,) int64, the group of every training row, 0, 1, ...; `counts`
    (groups,) int64, the training rows of each group, none of them 0.
    """

    def __init__(self, y: Tensor, c: Tensor, attribute: Attribute):
        self.attribute = attribute
        # numpy's quantiles, as torch's refuses more than 16 million values.
        self.edges = [
            None if part.heads
            else torch.from_numpy(
                np.quantile(code.numpy(), np.arange(1, BINS) / BINS, axis=0).T.copy()
            )
            for part, code in zip(attribute.parts, attribute.split(c), strict=True)
        ]  # fmt: skip
        self.cells, self.index, self.counts = torch.unique(
            self._cells(y, c), dim=0, return_inverse=True, return_counts=True
        )
        self.order = torch.argsort(self.index, stable=True)
        self.starts = self.counts.cumsum(0) - self.counts

    def __len__(self) -> int:
        return len(self.counts)

    def discrete(self, c: Tensor) -> Tensor:
        """Codes c (n, columns) as whole numbers, int64: as they are, or their bins."""
        bins = []
        for edges, code in zip(self.edges, self.attribute.split(c), strict=True):
            if edges is None:
                bins.append(code)
                continue
            pairs = zip(edges, code.T, strict=True)
            bins.append(torch.stack([torch.bucketize(v.contiguous(), e) for e, v in pairs], 1))
        return torch.cat(bins, 1)

    def of(self, y: Tensor, c: Tensor) -> Tensor:
        """The group of every row (n,) int64, -1 for a pair (y, c) that never occurs in training.

        Args:
            y: classes (n,). c: codes (n, columns).
        """
        known = len(self.cells)
        cells = torch.cat([self.cells, self._cells(y, c)])
        distinct, place = torch.unique(cells, dim=0, return_inverse=True)
        number = torch.full((len(distinct),), -1)
        number[place[:known]] = torch.arange(known)
        return number[place[known:]]

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """n training rows (n,), with replacement: each of a group drawn uniformly out of all
        groups, and uniformly out of the rows of that group."""
        group = torch.randint(len(self), (n,), generator=generator)
        # Double precision: a share just below 1 must not be rounded up to the next group.
        share = torch.rand(n, generator=generator, dtype=torch.float64)
        return self.order[self.starts[group] + (share * self.counts[group]).long()]

    def _cells(self, y: Tensor, c: Tensor) -> Tensor:
        return torch.cat([y[:, None], self.discrete(c)], 1)
