"""What the penalty costs in a loop of one's own: a step with it over a plain step, same encoder.

    python benchmarks/own_loop.py [--size 64] [--batch 32] [--seconds 90] [--device cuda]

The encoder is a ResNet-50 (arXiv 1512.03385; 23.5 million parameters without its last layer, z of
2,048 columns), the critic the default one for a discrete attribute (class-scoring, two steps a
call), of ten values.

1. Operations, counted, at 224 pixels a side: of a plain step, and of a call of the penalty. A
   multiplication with its addition is two. What the counter does not know, the discriminant's
   Cholesky factor and solutions, is put in by formula as if in every step (once in 1,024 rows when
   the critic is warm).
2. Seconds, at `--size` pixels: steps with the penalty and without take turns, the first always the
   other one, so that a busy machine hurts both alike; the result is the ratio of the medians, of
   processor time on a CPU, of wall time on a GPU. Once while the critic warms up (its first 6,400
   rows, each batch solved for), once after.

Both are printed and appended to benchmarks/results/own_loop.jsonl.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from infoshed import Categorical, MutualInformationPenalty
from infoshed.run import versions

RESULTS = Path(__file__).parent / "results" / "own_loop.jsonl"
VALUES, CLASSES, WARM = 10, 10, 6400
STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
ATTRIBUTE = Categorical("c", tuple(range(VALUES)), (1 / VALUES,) * VALUES)


class Bottleneck(nn.Module):
    """relu(shortcut(x) + f(x)), f of 1x1, 3x3 and 1x1 convolutions; (n, narrow, h, w) ->
    (n, 4 width, h / stride, w / stride)."""

    def __init__(self, narrow: int, width: int, stride: int):
        super().__init__()
        self.residual = nn.Sequential(
            *convolution(narrow, width, 1), nn.ReLU(),
            *convolution(width, width, 3, stride), nn.ReLU(),
            *convolution(width, 4 * width, 1),
        )  # fmt: skip
        same = narrow == 4 * width
        self.shortcut = nn.Sequential(*([] if same else convolution(narrow, 4 * width, 1, stride)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.shortcut(x) + self.residual(x))


def convolution(narrow: int, wide: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    layer = nn.Conv2d(narrow, wide, kernel, stride, kernel // 2, bias=False)
    return [layer, nn.BatchNorm2d(wide)]


def resnet50() -> nn.Sequential:
    """Images (n, 3, h, w) -> z (n, 2048)."""
    layers: list[nn.Module] = [*convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    narrow = 64
    for blocks, width in STAGES:
        for i in range(blocks):
            layers.append(Bottleneck(narrow, width, 2 if i == 0 and width > 64 else 1))
            narrow = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Loop:
    """A training loop on one batch of noise."""

    def __init__(self, size: int, batch: int, device: str):
        torch.manual_seed(0)
        self.encoder, self.head = resnet50().to(device), nn.Linear(2048, CLASSES).to(device)
        parameters = [*self.encoder.parameters(), *self.head.parameters()]
        self.optimizer = torch.optim.SGD(parameters, 0.01, momentum=0.9)
        y = torch.randint(CLASSES, (5000,))
        c = torch.randint(VALUES, (5000, 1))
        self.shed = MutualInformationPenalty(2048, ATTRIBUTE, c, y)
        self.x = torch.randn(batch, 3, size, size, device=device)
        self.y, self.c = y[:batch].to(device), c[:batch].to(device)

    def step(self, shed: bool) -> None:
        z = self.encoder(self.x)
        if shed:
            self.shed(z, self.c, self.y)
        F.cross_entropy(self.head(z), self.y).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def operations(batch: int) -> dict[str, float]:
    """Of a plain step at 224 pixels, and of the penalty in one."""
    with torch.device("meta"):
        encoder, head = resnet50(), nn.Linear(2048, CLASSES)
        with FlopCounterMode(display=False) as plain:
            z = encoder(torch.randn(batch, 3, 224, 224))
            F.cross_entropy(head(z), torch.zeros(batch, dtype=torch.long)).backward()
    loop = Loop(32, batch, "cpu")
    z = torch.randn(batch, 2048)
    with FlopCounterMode(display=False) as fitting:
        loop.shed.update(z, loop.c, loop.y)
    with FlopCounterMode(display=False) as reading:  # its gradient in z takes as much again
        loop.shed.hold_out(z, loop.c, loop.y)
    d, k = z.shape[1], VALUES
    # Cholesky of S_zz, two triangular solutions for k columns, W = P R^-1, c's own matrices.
    solving = d**3 / 3 + 2 * d**2 * k + 2 * d * k**2 + 4 * k**3
    return {
        "parameters": float(sum(p.numel() for p in encoder.parameters())),
        "plain": float(plain.get_total_flops()),
        "penalty": fitting.get_total_flops() + 2 * reading.get_total_flops() + solving,
    }


def seconds(loop: Loop, least: int, limit: float, cuda: bool) -> dict[str, float]:
    """Medians of steps with and without the penalty, over at least so many pairs, for so long."""
    clock = time.perf_counter if cuda else time.process_time
    taken: dict[bool, list[float]] = {True: [], False: []}
    begin = time.perf_counter()
    while len(taken[True]) < least or time.perf_counter() - begin < limit:
        first = bool(len(taken[True]) % 2)
        for shed in (first, not first):
            start = clock()
            loop.step(shed)
            if cuda:
                torch.cuda.synchronize()
            taken[shed].append(clock() - start)
    shed, plain = (statistics.median(taken[k]) for k in (True, False))
    ratios = [a / b for a, b in zip(taken[True], taken[False], strict=True)]
    return {
        "pairs": len(ratios),
        "plain": plain,
        "shed": shed,
        "ratio": shed / plain,
        "least": min(ratios),
        "most": max(ratios),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--size", type=int, default=64, help="pixels a side")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=90, help="of timing in all")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    counted = operations(arguments.batch)
    share = counted["penalty"] / counted["plain"]
    print(f"operations of a plain step {counted['plain'] / 1e9:.0f} G at 224 pixels,", end=" ")
    print(f"of the penalty {counted['penalty'] / 1e9:.2f} G: {share:.2%} more")
    cuda = arguments.device.startswith("cuda")
    loop = Loop(arguments.size, arguments.batch, arguments.device)
    for shed in (True, False):
        loop.step(shed)
    found = {}
    for phase in ("warming up", "warm"):
        limit = arguments.seconds / 2
        found[phase] = seconds(loop, 3, limit, cuda)
        print(f"{phase}: {found[phase]['plain']:.3f} s plain,", end=" ")
        print(
            f"{found[phase]['shed']:.3f} s with the penalty, ratio {found[phase]['ratio']:.3f}",
            flush=True,
        )
        z = torch.randn(256, 2048, device=arguments.device)  # on to a critic that is warm
        more = torch.randint(VALUES, (256, 1), device=arguments.device)
        for _ in range(WARM // 256 + 1):
            loop.shed.update(z, more, more[:, 0] % CLASSES)
    row = {**vars(arguments), "operations": counted, "seconds_of_a_step": found}
    row["device_name"] = torch.cuda.get_device_name() if cuda else "cpu"
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps({**row, "versions": versions()}) + "\n")


if __name__ == "__main__":
    main()
