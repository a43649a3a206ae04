"""Segments of an encoder that run twice (torch.utils.checkpoint) are shed at once."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from infoshed import DataSet, MutualInformationPenalty, ShedLayer
from infoshed.fingerprint import fingerprint


class Net(nn.Module):
    """A stem, a block that gives z, and a head; the last two may be one checkpointed segment."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(6, 16)
        self.block = nn.Sequential(nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 4))
        self.head = nn.Sequential(nn.Tanh(), nn.Linear(4, 2))


def trained(data: DataSet, where: str, reentrant: bool | None, critic: str) -> tuple[Tensor, Any]:
    """Parameters after three steps with a call behind or inside the segment, or at a layer in it,
    and the penalty; without a checkpoint where `reentrant` is None."""
    torch.manual_seed(0)
    net = Net()
    arguments: Any = (data.attribute, data.train.c, data.train.y)
    options: Any = {"critic": critic, "pressure": 2.0}
    shed = MutualInformationPenalty(4, *arguments, **options)
    hook = ShedLayer(net, "block.2", *arguments, **options) if where == "layer" else None
    optimizer = torch.optim.SGD(net.parameters(), 0.1)

    def run(segment: Any, x: Tensor) -> Tensor:
        return segment(x) if reentrant is None else checkpoint(segment, x, use_reentrant=reentrant)

    for rows in torch.arange(96).split(32):
        x, y, c = data.train.take(rows)

        def segment(h: Tensor, c: Tensor = c, y: Tensor = y) -> Tensor:
            z = net.block(h)
            if where == "inside":
                shed(z, c, y)
            return net.head(z)

        if hook is not None:
            hook.expect(c, y)
        if where == "behind":
            z = run(net.block, net.stem(x))
            shed(z, c, y)
            logits = net.head(z)
        else:
            logits = run(segment, net.stem(x))
        F.cross_entropy(logits, y).backward()
        optimizer.step()
        optimizer.zero_grad()
    values = torch.cat([p.detach().flatten() for p in net.parameters()])
    return values, shed if hook is None else hook.penalty


@pytest.mark.parametrize("where", ["behind", "inside", "layer"])
@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("critic", ["class-scoring", "shuffled-dv"])
def test_a_segment_that_runs_twice_counts_once(
    table: DataSet, where: str, reentrant: bool, critic: str
):
    with torch.random.fork_rng():
        expected, once = trained(table, where, None, critic)
        found, shed = trained(table, where, reentrant, critic)
        plain, _ = trained(table, "nowhere", None, critic)
    assert once.updates == shed.updates == 3
    torch.testing.assert_close(found, expected)
    assert (found - plain).abs().max() > 1e-3
    assert fingerprint(shed.state_dict()) == fingerprint(once.state_dict())
