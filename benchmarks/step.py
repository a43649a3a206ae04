"""Speed of the default method against the published schedule, in one run on one machine.

    python benchmarks/step.py --data-dir ../shared/data/mnist [--minutes 4] [--threads 1]
    python benchmarks/step.py --data-dir ../shared/data/mnist --reach   # about half an hour
    python benchmarks/step.py --data-dir ../shared/data/mnist --methods   # about three minutes

1. Steps: blocks of encoder steps of both, in turn, so that a noisy machine hurts both alike; the
   ratio of the medians is the result.
2. Accuracy on the unbiased test after equal wall time of training (evaluation not counted).
3. With `--reach` instead: seconds of processor time (so that other work on the machine counts
   little) until `mi` reaches 82, 90 and 94% on the unbiased test, and the accuracy of the published
   schedule and of LNTL meanwhile, which train `TIMES` times as long as `mi` needs for 90%.
4. With `--methods` instead: processor time of a step of every method, as a multiple of plain's.

The test is looked at for measuring only; nothing is chosen by it. Every figure is printed and
appended to benchmarks/results/step.jsonl.
"""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import torch

import infoshed
from infoshed import METHODS
from infoshed.evaluate import evaluate
from infoshed.run import versions
from infoshed.train import Training, make_config
from reference import BATCH, Reference

RESULTS = Path(__file__).parent / "results" / "step.jsonl"
TARGETS = (0.82, 0.90, 0.94)
TIMES = 10


class Contender(Protocol):
    """Something that trains by steps."""

    def epoch_start(self) -> None: ...
    def step(self) -> None: ...
    def accuracy(self) -> float: ...


class Published:
    """The reference schedule."""

    def __init__(self, data: infoshed.DataSet, seed: int):
        self.reference = Reference(data.train.x, data.train.y, data.train.c, seed)
        self.test = data.tests["unbiased"]
        self.steps = len(data.train) // BATCH

    def epoch_start(self) -> None:
        for _ in range(self.steps):
            self.reference.critic_step()

    def step(self) -> None:
        self.reference.step()

    def accuracy(self) -> float:
        return self.reference.accuracy(self.test.x, self.test.y)


class Library:
    """A method of the library, with its default settings."""

    def __init__(self, data: infoshed.DataSet, method: str, seed: int):
        self.training = Training(data, make_config(data, method, seed, {}), None)
        self.test = data.tests["unbiased"]

    def epoch_start(self) -> None:
        self.training.method.start_epoch(self.training.fresh, self.training.steps)

    def step(self) -> None:
        training = self.training
        training.model.train()
        training.method.step(training.fresh(training.config.batch_size), training.fresh)
        training.average.update_parameters(training.model)

    def accuracy(self) -> float:
        return evaluate(self.training.averaged, self.test, self.training.data.target)["accuracy"]


def steps_per_second(
    contenders: Mapping[str, Contender],
    blocks: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median over blocks of steps per second of the `clock`; the contenders take turns."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(blocks):
        for name, contender in contenders.items():
            contender.step()
            count, start = 0, clock()
            while clock() - start < seconds:
                contender.step()
                count += 1
            rates[name].append(count / (clock() - start))
    return {name: statistics.median(values) for name, values in rates.items()}


def contender_of(name: str, data: infoshed.DataSet, seed: int) -> Contender:
    """The contender called `name`, untrained."""
    return Published(data, seed) if name == "published" else Library(data, name, seed)


def data_of(arguments: argparse.Namespace) -> infoshed.DataSet:
    """Coloured MNIST as asked for, with torch on the wanted number of threads."""
    torch.set_num_threads(arguments.threads)
    return infoshed.load(
        "colored-mnist", sigma2=arguments.sigma2, data_dir=arguments.data_dir, seed=arguments.seed
    )


def accuracy_over_time(
    name: str, arguments: argparse.Namespace, marks: list[float]
) -> tuple[list[float], float]:
    """Accuracy whenever the training time passes one of `marks` (seconds), and the peak memory
    of this process in MiB. To be called in a process of its own."""
    data = data_of(arguments)
    contender = contender_of(name, data, arguments.seed)
    spent, accuracies = 0.0, []
    start = time.perf_counter()
    contender.epoch_start()
    spent += time.perf_counter() - start
    for mark in marks:
        while spent < mark:
            start = time.perf_counter()
            contender.step()
            spent += time.perf_counter() - start
        accuracies.append(contender.accuracy())
    return accuracies, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def reach(
    name: str, arguments: argparse.Namespace, every: float, limit: float
) -> list[tuple[float, float]]:
    """Seconds of processor time spent in training, and the accuracy then, every so many seconds
    until the last of `TARGETS` is reached or the limit. To be called in a process of its own."""
    data = data_of(arguments)
    contender = contender_of(name, data, arguments.seed)
    spent, curve = 0.0, []
    start = time.process_time()
    contender.epoch_start()
    spent += time.process_time() - start
    while spent < limit and (not curve or curve[-1][1] < TARGETS[-1]):
        mark = spent + every
        start = time.process_time()
        steps = 0
        while steps == 0 or spent + time.process_time() - start < mark:
            contender.step()
            steps += 1
        spent += time.process_time() - start
        curve.append((round(spent, 2), round(contender.accuracy(), 4)))
    return curve


def reach_all(arguments: argparse.Namespace) -> None:
    """Part 3."""
    curves: dict[str, list[tuple[float, float]]] = {}
    limit, every = 600.0, 5.0
    for name in ("mi", "lntl", "published"):
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            curves[name] = pool.submit(reach, name, arguments, every, limit).result()
        if name == "mi":
            needed = [s for s, accuracy in curves["mi"] if accuracy >= TARGETS[1]]
            if not needed:
                raise SystemExit(f"mi did not reach {TARGETS[1]:.0%} in {limit:.0f} s")
            limit, every = TIMES * needed[0], needed[0] / 2
    reached = {
        name: [next((s for s, a in curve if a >= target), None) for target in TARGETS]
        for name, curve in curves.items()
    }
    print(f"seconds of processor time until {', '.join(f'{t:.0%}' for t in TARGETS)}:")
    for name, curve in curves.items():
        best = max(accuracy for _, accuracy in curve)
        print(f"  {name}: {reached[name]}; best {best:.3f} in {curve[-1][0]:.0f} s")
    append(arguments, {"reach": curves, "reached": reached})


def all_methods(arguments: argparse.Namespace) -> None:
    """Part 4."""
    data = data_of(arguments)
    names = [n for n, m in METHODS.items() if data.attribute.kind in m.kinds]
    contenders = {name: contender_of(name, data, arguments.seed) for name in names}
    rates = steps_per_second(contenders, blocks=3, seconds=2, clock=time.process_time)
    costs = {name: rates["plain"] / rate for name, rate in rates.items()}
    print(
        f"a step of plain: {1e3 / rates['plain']:.1f} ms of processor time; of others, times that:"
    )
    for name, cost in sorted(costs.items(), key=lambda item: item[1]):
        print(f"  {name:12} {cost:.2f}")
    append(arguments, {"method_steps_per_second": rates})


def append(arguments: argparse.Namespace, figures: dict[str, object]) -> None:
    """Add a row to the results."""
    about = {k: v for k, v in vars(arguments).items() if k not in ("data_dir", "reach", "methods")}
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(about | figures | {"versions": versions()}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--data-dir", default="../shared/data/mnist")
    parser.add_argument("--sigma2", type=float, default=0.02)
    parser.add_argument("--minutes", type=float, default=4, help="of training for each contender")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reach", action="store_true", help="time until given accuracies")
    parser.add_argument("--methods", action="store_true", help="cost of a step of every method")
    arguments = parser.parse_args()
    for asked, part in ((arguments.reach, reach_all), (arguments.methods, all_methods)):
        if asked:
            part(arguments)
            return
    data = data_of(arguments)
    contenders = {n: contender_of(n, data, arguments.seed) for n in ("published", "mi", "plain")}
    rates = steps_per_second(contenders, blocks=5, seconds=6)
    del contenders, data
    marks = [arguments.minutes * 60 * share for share in (1 / 8, 1 / 4, 1 / 2, 1)]
    curves, peaks = {}, {}
    for name in ("published", "mi"):
        # A process each, one after the other, so that the peak memory is the contender's own.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            curves[name], peaks[name] = pool.submit(
                accuracy_over_time, name, arguments, marks
            ).result()
    print("steps per second:", {name: round(rate, 3) for name, rate in rates.items()})
    print(f"mi / published: {rates['mi'] / rates['published']:.1f} x")
    print(f"plain / mi (cost of shedding): {rates['plain'] / rates['mi']:.2f} x")
    print("unbiased accuracy after equal training time:")
    for i, mark in enumerate(marks):
        row = ", ".join(f"{name} {values[i]:.3f}" for name, values in curves.items())
        print(f"  {mark:6.0f} s  {row}")
    print("peak memory, MiB, data included:", {n: round(peak) for n, peak in peaks.items()})
    append(
        arguments,
        {
            "steps_per_second": rates,
            "ratio": rates["mi"] / rates["published"],
            "marks_s": marks,
            "accuracy_unbiased": curves,
            "peak_mib": peaks,
        },
    )


if __name__ == "__main__":
    main()
