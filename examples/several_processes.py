"""Several processes and a stream that is never in memory as a whole.

    torchrun --nproc-per-node 2 examples/several_processes.py

Plain DistributedDataParallel: the line of infoshed is that of a loop in one process, and the critic
sees the batches of all processes as one. What is known of the data beforehand is how often the
attribute goes with the label, as a table of counts; run as it is, without torchrun, it is one
process.
"""

import math
import os
from collections.abc import Iterator

import torch
import torch.distributed as dist
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

import infoshed

COUNTS = torch.tensor([[4500, 500], [500, 4500]])  # of rows with label y (down) and attribute c
ROWS, COLUMNS, BATCH = 20_000, 10, 128


def draw(n: int, counts: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """x with a column that tells the label and one that tells the attribute, better."""
    cell = torch.multinomial(counts.flatten().float(), n, True, generator=generator)
    y, c = cell // 2, cell % 2
    x = torch.randn(n, COLUMNS, generator=generator)
    x[:, 0] += 2.0 * (y - 0.5)
    x[:, 1] += 4.0 * (c - 0.5)
    return x, y, c[:, None]


class Stream(IterableDataset):
    """Its share of the rows, a batch at a time, in every worker of every process."""

    def __init__(self, rank: int, processes: int):
        self.rank, self.processes = rank, processes

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        worker = get_worker_info()
        part, parts = (0, 1) if worker is None else (worker.id, worker.num_workers)
        generator = torch.Generator().manual_seed(self.rank * parts + part)
        for _ in range(ROWS // (BATCH * parts)):
            yield draw(BATCH // self.processes, COUNTS, generator)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(COLUMNS, 16), nn.ReLU(), nn.Linear(16, 4))
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.encoder(x)
        return z, self.head(z)


def train(strength: float, rank: int, processes: int) -> Net:
    torch.manual_seed(0)
    net = Net()
    model = DistributedDataParallel(net) if processes > 1 else net
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    attribute = infoshed.Binary("c", (0, 1), (0.5, 0.5))
    cells = torch.cartesian_prod(torch.arange(2), torch.arange(2))
    cells = cells.repeat_interleave(COUNTS.flatten(), 0)
    y_table, c_table = cells[:, 0], cells[:, 1:]
    shed = infoshed.MutualInformationPenalty(
        4, attribute, c_table, y_table, pressure=strength, lr=3e-3
    )
    prior = infoshed.LabelPrior(y_table, c_table, attribute, classes=2)
    for x, y, c in DataLoader(Stream(rank, processes), batch_size=None, num_workers=1):
        z, logits = model(x)
        shed(z, c, y)
        if strength:
            logits = logits + prior.log_ratio(c)
        F.cross_entropy(logits, y).backward()
        optimizer.step()
        optimizer.zero_grad()
    return net


def leakage(z: Tensor, c: Tensor) -> float:
    """H(C) minus the cross-entropy of a fresh linear probe on held-out rows."""
    half, codes = len(z) // 2, c[:, 0].numpy()
    probe = LogisticRegression().fit(z[:half], codes[:half])
    guess = torch.from_numpy(probe.predict_log_proba(z[half:]))
    return math.log(2) + float(guess.gather(1, c[half:]).mean())


def main() -> None:
    processes = int(os.environ.get("WORLD_SIZE", 1))
    if processes > 1:
        dist.init_process_group("gloo")
    rank = dist.get_rank() if processes > 1 else 0
    for name, strength in (("without", 0.0), ("with", 3.0)):
        net = train(strength, rank, processes)
        if rank == 0:
            x, y, c = draw(4000, torch.ones(2, 2), torch.Generator().manual_seed(99))
            with torch.no_grad():
                z, logits = net(x)
            right = (logits.argmax(1) == y).float().mean()
            print(
                f"{name:8} unbiased accuracy {right:.3f}  leakage {leakage(z, c):.3f} nats",
                flush=True,
            )
    if processes > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
