"""Data that is never there as a whole: streams with worker processes."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from infoshed import Binary, InfoshedError, MutualInformationPenalty

SEX = Binary("sex", ("f", "m"), (0.5, 0.5))
TIE = torch.tensor([[0.85, 0.15], [0.15, 0.85]])  # p(c|y)


def rows(n: int, generator: torch.Generator, tie: Tensor = TIE) -> tuple[Tensor, Tensor, Tensor]:
    y = torch.randint(2, (n,), generator=generator)
    c = (torch.rand(n, generator=generator) < tie[y, 1]).long()
    x = torch.randn(n, 6, generator=generator)
    x[:, 0] += 2 * y - 1
    x[:, 1] += 2 * (2 * c - 1)
    return x, y, c[:, None]


class Stream(IterableDataset):
    """Batches without end, other ones in every worker; some rows lack the attribute."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        worker = get_worker_info()
        assert worker is not None
        generator = torch.Generator().manual_seed(100 + worker.id)
        while True:
            x, y, c = rows(128, generator)
            c[::8] = -1
            yield x, y, c


def trained_on_a_stream(shed: MutualInformationPenalty | None) -> tuple[float, float]:
    """What probes read of c and y after some batches."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
        head = nn.Linear(4, 2)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], 1e-2)
    loader = iter(DataLoader(Stream(), batch_size=None, num_workers=2))
    for _ in range(100):
        x, y, c = next(loader)
        z = encoder(x)
        if shed is not None:
            shed(z, c, y)
        F.cross_entropy(head(z), y).backward()
        optimizer.step()
        optimizer.zero_grad()
    x, y, c = rows(2000, torch.Generator().manual_seed(0), torch.full((2, 2), 0.5))
    z = encoder(x).detach().numpy()
    half, targets = 1000, (c[:, 0].numpy(), y.numpy())
    probes = [
        LogisticRegression().fit(z[:half], t[:half]).score(z[half:], t[half:]) for t in targets
    ]
    return probes[0], probes[1]


def conditional(**options: Any) -> MutualInformationPenalty:
    """From a table of counts of (y, c), as docs/own-loop.md has it, and a row that lacks c."""
    counts = (5000 * TIE).long()
    cells = torch.cartesian_prod(torch.arange(2), torch.arange(2))
    cells = cells.repeat_interleave(counts.flatten(), 0)
    cells = torch.cat([cells, torch.tensor([[0, -1]])])
    return MutualInformationPenalty(4, SEX, cells[:, 1:], cells[:, 0], **options)


def test_a_table_of_counts_is_as_good_as_the_training_rows():
    shed = conditional()
    prior = shed.estimator.log_prior
    assert isinstance(prior, Tensor)
    torch.testing.assert_close(prior.exp(), TIE, atol=1e-4, rtol=0)
    entropy = -(TIE * TIE.log()).sum(1).mean()
    assert shed.ceiling == pytest.approx(float(entropy), abs=1e-4)


@pytest.fixture(scope="module")
def plain() -> tuple[float, float]:
    return trained_on_a_stream(None)


@pytest.mark.parametrize("given_y", [False, True])
def test_a_stream_is_shed_without_a_training_table(plain: tuple[float, float], given_y: bool):
    options: Any = {"pressure": 3.0, "lr": 3e-3}
    shed = conditional(**options) if given_y else MutualInformationPenalty(4, SEX, **options)
    c, y = trained_on_a_stream(shed)
    assert c < plain[0] - 0.1  # each has a standard error of 0.015
    assert y > 0.7


def test_codes_are_refused_where_none_was_missing_before():
    shed = MutualInformationPenalty(4, SEX, torch.tensor([[0], [1]]))
    with pytest.raises(InfoshedError, match="holds the code -1"):
        shed.update(torch.randn(4, 4), torch.tensor([[0], [1], [-1], [1]]))
