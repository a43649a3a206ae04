"""Does a budget hold? Runs of method `mi` under budgets, and how near the estimate stayed.

    python benchmarks/budget.py [--datasets digits adult] [--seeds 5] [--data-dir DIR] [--table]

Every data set x information (given y, marginal) x budget in % of H(C) x seed is one run, appended
to benchmarks/results/budget.jsonl; runs that are there already are left out, so an interrupted
benchmark goes on where it was. A row holds means over the last third of the epochs, in nats:

    held out   the critic on validation rows, on which neither it nor the encoder is fitted: what
               the controller holds. training: the same critic on training rows, before fitting.
    verdict    held: held out within 20% of the budget; not binding: more than 20% below, and the
               strength at its least; above, below: neither
    alarms     epochs with a sign of collapse (see `infoshed.alarm`), of all epochs

Accuracies are of validation and test rows at the end; nothing is chosen by them.
"""

import argparse
import json
import statistics
import warnings
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import torch

from infoshed import fit, load
from infoshed.alarm import CollapseWarning
from infoshed.pressure import LEAST
from infoshed.run import versions

RESULTS = Path(__file__).parent / "results" / "budget.jsonl"
EPOCHS = {"adult": 6, "digits": 40}
BUDGETS = (2, 5, 10, 20, 50)  # % of H(C)
TOLERANCE = 0.2
KEY = ("dataset", "conditional", "percent", "seed")


def jobs(datasets: list[str], seeds: int) -> Iterator[dict[str, Any]]:
    """Every run's settings, seed 0 of all of them first."""
    for values in product(range(seeds), (False, True), BUDGETS, datasets):
        yield dict(zip(("seed", "conditional", "percent", "dataset"), values, strict=True))


def verdict(held_out: float, budget: float, strength: float) -> str:
    """Whether the budget was held; see the module."""
    if abs(held_out - budget) <= TOLERANCE * budget:
        return "held"
    if held_out > budget:
        return "above"
    return "not binding" if strength <= 1.5 * LEAST else "below"


def measure(
    dataset: str, conditional: bool, percent: int, seed: int, data_dir: str | None
) -> dict[str, Any]:
    """One run, as a row."""
    params = {} if dataset == "digits" else {"data_dir": data_dir}
    data = load(dataset, seed=seed, **params)
    epochs = EPOCHS[dataset]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)  # they are counted
        run = fit(
            data,
            "mi",
            seed=seed,
            epochs=epochs,
            budget=f"{percent}%",
            conditional=conditional,
            quiet=True,
        )
    last = run.metrics[-(epochs // 3) :]
    names = {"mi_held_out": "held_out", "mi": "training", "strength": "strength"}
    means = {new: statistics.mean(row[old] for row in last) for old, new in names.items()}
    budget = run.metrics[-1]["budget"]
    return {
        "dataset": dataset,
        "conditional": conditional,
        "percent": percent,
        "seed": seed,
        "budget": budget,
        **means,
        "verdict": verdict(means["held_out"], budget, run.metrics[-1]["strength"]),
        "alarms": sum(row["alarm"] for row in run.metrics) / epochs,
        "late_alarms": sum(row["alarm"] for row in last) / len(last),
        "task_loss": run.metrics[-1]["task_loss"],
        "accuracy": {name: result["accuracy"] for name, result in run.results.items()},
        "epochs": epochs,
        "seconds": round(run.seconds, 1),
        "versions": versions(),
    }


def read_rows() -> list[dict[str, Any]]:
    """The rows so far."""
    if not RESULTS.exists():
        return []
    return [json.loads(line) for line in RESULTS.read_text().splitlines()]


def interval(values: list[float]) -> str:
    """Mean, and lowest to highest where there are several."""
    spread = f" ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread}"


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown, one line for each data set, information and budget."""
    lines = [
        "| data | information | budget, % of H(C) | held out / budget | training / budget "
        "| runs | strength | alarms, last third | test accuracy |",
        "|---" * 9 + "|",
    ]
    for group in sorted({tuple(row[k] for k in KEY[:3]) for row in rows}):
        found = [row for row in rows if tuple(row[k] for k in KEY[:3]) == group]
        dataset, conditional, percent = group
        verdicts = [row["verdict"] for row in found]
        test = {"digits": "unbiased", "adult": "test"}[dataset]
        cells = [
            dataset,
            "I(Z;C\\|Y)" if conditional else "I(Z;C)",
            percent,
            interval([row["held_out"] / row["budget"] for row in found]),
            interval([row["training"] / row["budget"] for row in found]),
            ", ".join(f"{verdicts.count(v)} {v}" for v in sorted(set(verdicts))),
            f"{statistics.mean(row['strength'] for row in found):.2g}",
            f"{statistics.mean(row['late_alarms'] for row in found):.0%}",
            f"{statistics.mean(row['accuracy'][test] for row in found):.1%}",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--datasets", nargs="+", choices=EPOCHS, default=list(EPOCHS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data-dir", help="folder with the files of adult")
    parser.add_argument("--table", action="store_true", help="print the rows so far only")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.table:
        done = {tuple(row[k] for k in KEY) for row in read_rows()}
        for job in jobs(arguments.datasets, arguments.seeds):
            if tuple(job[k] for k in KEY) in done:
                continue
            row = measure(**job, data_dir=arguments.data_dir)
            print({k: row[k] for k in (*KEY, "budget", "held_out", "verdict")}, flush=True)
            with RESULTS.open("a") as file:
                file.write(json.dumps(row) + "\n")
    print(table(read_rows()))


if __name__ == "__main__":
    main()
