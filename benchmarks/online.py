"""The critic that is trained beside an encoder: how good, how soon, and at what cost.

    python benchmarks/online.py [--estimators class-scoring shuffled-dv] [--seeds 3]

    (a, b) held-out bias on a fixed pool of 20,000 rows, estimate on fresh rows - truth, nats;
    (c)    cosine between d estimate / dz and d I / dz of the exact posterior, fresh rows;
    (d)    rms error of the running estimate while z keeps moving, K critic steps a time;
    (e)    microseconds of a critic step, and its ratio to the published form.

Every number comes from `MutualInformationPenalty` with its default settings (learning rates are
varied in (b) alone), a ten-class attribute, z of 64 columns, batches of 128, one thread. Rows are
appended to benchmarks/results/online.jsonl.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from infoshed import Categorical, FixedStrength, MutualInformationPenalty
from infoshed.estimators import bounds
from infoshed.nn import mlp
from infoshed.run import versions
from infoshed.truth import Case, build_case

RESULTS = Path(__file__).parent / "results" / "online.jsonl"
CLASSES, DIM, BATCH, POOL = 10, 64, 128, 20_000
ATTRIBUTE = Categorical("c", tuple(range(CLASSES)), (1 / CLASSES,) * CLASSES)
Rows = tuple[Tensor, Tensor]


def gaussian(nats: float) -> Case:
    """Ten Gaussian classes in 64 dimensions with about so much information."""
    return build_case("gaussian_classes", classes=CLASSES, dim=DIM, share=nats / math.log(CLASSES))


def rows_of(case: Case, n: int, seed: int) -> Rows:
    """z (n, dim) float32 and codes (n, 1) of a case."""
    sample = case.draw(n, seed)
    return torch.from_numpy(sample.z).float(), torch.from_numpy(sample.c)[:, None]


def penalty_of(name: str, seed: int, c: Tensor, **settings: Any) -> MutualInformationPenalty:
    """The penalty with the estimator called `name`."""
    return MutualInformationPenalty(
        DIM, ATTRIBUTE, c, pressure=FixedStrength(1.0), critic=name, seed=seed, **settings
    )


def cosine(penalty: MutualInformationPenalty, case: Case, z: Tensor, c: Tensor) -> float:
    """Between the gradients in z of the estimate and of the true information, all rows in one."""
    z = z.clone().requires_grad_()
    estimate = penalty.estimator(z, c, generator=penalty.generator)
    truth = case.log_ratio(z).gather(1, c).mean()
    pair = [torch.autograd.grad(value, z)[0].flatten() for value in (estimate, truth)]
    return float(torch.cosine_similarity(*pair, dim=0))


def fixed_pool(
    name: str, nats: float, seed: int, marks: list[int], lr: float = 1e-3
) -> Iterator[dict[str, float]]:
    """Fit on batches from a fixed pool; at each of `marks` (critic steps) the bias on fresh rows,
    the same on the pool's own rows, and the cosine."""
    case = gaussian(nats)
    z, c = rows_of(case, POOL, 2 * seed)
    fresh_z, fresh_c = rows_of(case, POOL, 2 * seed + 1)
    penalty = penalty_of(name, seed, c, lr=lr, steps=1)
    generator = torch.Generator().manual_seed(seed)
    done = 0
    for mark in marks:
        for _ in range(mark - done):
            rows = torch.randint(POOL, (BATCH,), generator=generator)
            penalty.update(z[rows], c[rows])
        done = mark
        yield {
            "steps": mark,
            "bias": read(penalty, fresh_z, fresh_c) - case.nats,
            "bias_pool": read(penalty, z, c) - case.nats,
            "cosine": cosine(penalty, case, fresh_z[:2048], fresh_c[:2048]),
        }


@torch.no_grad()
def read(penalty: MutualInformationPenalty, z: Tensor, c: Tensor) -> float:
    """Mean estimate over batches of 2,000 rows (an estimator may pair all rows of a batch)."""
    parts = zip(z.split(2000), c.split(2000), strict=True)
    values = [float(penalty.estimator(*part, generator=penalty.generator)) for part in parts]
    return statistics.mean(values)


def tracking(
    name: str, critic_steps: int, seed: int, encoder_steps: int = 750, period: int = 300
) -> float:
    """rms error, after 150 encoder steps, of `health.estimate` (the running average over critic
    batches, each read before it was fitted to) while the classes turn in z, half a degree a
    step, and their distance swings so that I moves between 0.2 and 2 nats within `period`."""
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    means = torch.from_numpy(rng.normal(size=(CLASSES, DIM)))
    means = (means - means.mean(0)) / (means - means.mean(0)).norm(dim=1).square().mean().sqrt()
    skew = torch.from_numpy(rng.normal(size=(DIM, DIM)) / math.sqrt(DIM))
    turn = torch.linalg.matrix_exp(0.006 * (skew - skew.T)).float()
    levels, scales = np.linspace(0.2, 2.0, 13), []
    c = torch.arange(CLASSES).repeat(2000)
    noise = torch.from_numpy(rng.normal(size=(len(c), DIM)))
    for level in levels:  # the distance for each level, by bisection
        low, high = 0.0, 20.0
        for _ in range(20):
            middle = (low + high) / 2
            logits = (middle * means[c] + noise) @ (middle * means).T
            logits -= (middle * means).square().sum(1) / 2
            own = logits.gather(1, c[:, None])[:, 0] - logits.logsumexp(1)
            below = float(own.mean()) + math.log(CLASSES) < level
            low, high = (middle, high) if below else (low, middle)
        scales.append(low)
    means, place = means.float(), torch.eye(DIM)
    penalty = penalty_of(name, seed, c[:, None], steps=critic_steps)
    errors = []
    for t in range(encoder_steps):
        nats = 1.1 + 0.9 * math.sin(2 * math.pi * t / period)
        place = place @ turn
        now = float(np.interp(nats, levels, scales)) * means @ place
        c = torch.randint(CLASSES, (critic_steps * BATCH,), generator=generator)
        z = now[c] + torch.randn(len(c), DIM, generator=generator)
        penalty.update(z, c[:, None])
        if t >= 150:
            errors.append(float(penalty.health.estimate) - nats)
    return math.sqrt(statistics.mean(e * e for e in errors))


def published_step(z: Tensor, c: Tensor) -> Callable[[], None]:
    """A critic step as published: Donsker-Varadhan with c shuffled, 64-64-64-1, plain Adam."""
    network = mlp((CLASSES + DIM, 64, 64, 64, 1), lambda: nn.LeakyReLU(0.2))
    optimizer = torch.optim.Adam(network.parameters(), 1e-4)
    features = ATTRIBUTE.features(c)

    def step() -> None:
        order = torch.randperm(len(z))
        joint = network(torch.cat([features, z], 1))[:, 0]
        marginal = network(torch.cat([features[order], z], 1))[:, 0]
        loss = -bounds.donsker_varadhan(joint, marginal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def speed(names: list[str], blocks: int = 60, calls: int = 5) -> dict[str, float]:
    """Microseconds of a critic step, the best of many short blocks; all take turns, so that a
    busy machine hurts them alike. For the penalty at K = 1, 2 and 5 steps per update."""
    case = gaussian(1.15)
    z, c = rows_of(case, BATCH, 0)
    timed: dict[str, tuple[Callable[[], Any], int]] = {"published": (published_step(z, c), 1)}
    for name in names:
        for k in (1, 2, 5):
            pool_z, pool_c = rows_of(case, k * BATCH, k)
            penalty = penalty_of(name, 0, pool_c, steps=k)
            step = lambda p=penalty, z=pool_z, c=pool_c: p.update(z, c)  # noqa: E731
            for _ in range(100):  # past the warm-up, in which every batch is solved for
                step()
            timed[f"{name} K={k}"] = (step, k)
    best = dict.fromkeys(timed, math.inf)
    for _ in range(blocks):
        for name, (step, k) in timed.items():
            start = time.perf_counter()
            for _ in range(calls):
                step()
            best[name] = min(best[name], (time.perf_counter() - start) / calls / k * 1e6)
    return best


def summary(values: list[float]) -> str:
    """Mean, lowest and highest."""
    return f"{statistics.mean(values):+.3f} ({min(values):+.3f} to {max(values):+.3f})"


def measure(name: str, seeds: int, quick: bool = False) -> dict[str, Any]:
    """All of (a) to (d) for one estimator, printed; the raw numbers. With `quick` only 500 steps
    at I = 1.15, and K = 5."""
    record: dict[str, Any] = {}
    levels = [(1.15, [100, 500])] if quick else [(1.15, [100, 500, 2000]), (2.07, [2000])]
    for nats, marks in levels:
        runs = [list(fixed_pool(name, nats, seed, marks)) for seed in range(seeds)]
        for points in zip(*runs, strict=True):
            at = f"I = {nats}, {points[0]['steps']} steps"
            record[at] = points
            bias, own, cos = (
                summary([p[k] for p in points]) for k in ("bias", "bias_pool", "cosine")
            )
            print(f"  {at}: bias {bias}, on the pool {own}, cosine {cos}", flush=True)
    for lr in () if quick else (1e-4, 3e-4, 1e-3):
        points = [next(fixed_pool(name, 0.046, seed, [5000], lr)) for seed in range(seeds)]
        at = f"I = 0.046, 5000 steps, lr {lr:g}"
        record[at] = points
        bias, own = (summary([p[k] for p in points]) for k in ("bias", "bias_pool"))
        print(f"  {at}: bias {bias}, on the pool {own}", flush=True)
    for k in (5,) if quick else (1, 2, 5, 10):
        values = [tracking(name, k, seed) for seed in range(seeds)]
        record[f"tracking K = {k}"] = values
        print(f"  tracking, K = {k}: rms error {summary(values)}", flush=True)
    return record


def table() -> str:
    """Markdown of the newest committed figures of every estimator."""
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    newest = {name: value for row in rows for name, value in row.items() if isinstance(value, dict)}
    found = {n: v for n, v in newest.items() if any(k.startswith("tracking") for k in v)}
    lines = [f"| in training | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    for at in next(iter(found.values()), {}):
        for key, label in (("bias", "held-out bias"), ("cosine", "cosine of the gradient")):
            cells = []
            for values in found.values():
                points = values.get(at, [])
                if points and isinstance(points[0], dict):
                    cells.append(summary([point[key] for point in points]))
                elif points and key == "bias":
                    cells.append(summary(points))
            label = "rms error" if at.startswith("tracking") else label
            if cells:
                lines.append(f"| {at}: {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--estimators", nargs="+", default=["class-scoring"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--speed-only", action="store_true")
    parser.add_argument("--table", action="store_true", help="print the committed rows only")
    arguments = parser.parse_args()
    if arguments.table:
        print(table())
        return
    torch.set_num_threads(1)
    best = speed(arguments.estimators)
    for name, value in best.items():
        print(f"{name}: {value:.0f} us a step, {value / best['published']:.2f} of published")
    record: dict[str, Any] = {"speed_us": best, "versions": versions()}
    if not arguments.speed_only:
        record["seeds"] = arguments.seeds
        for name in arguments.estimators:
            print(f"{name}, mean (lowest to highest) over {arguments.seeds} seeds:", flush=True)
            record[name] = measure(name, arguments.seeds)
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
