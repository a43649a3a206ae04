"""Methods x seeds on a data set, resumable: one committed row per run.

    python benchmarks/sweep.py digits --methods plain adjust reweigh mi --seeds 6
    python benchmarks/sweep.py colored-mnist --data-dir ../shared/data/mnist --methods plain mi

A row that is in benchmarks/results/<dataset>.jsonl already (same data set, method, options, seed
and epochs) is not run again, so a killed sweep continues; `--table` only prints. All runs keep
the library's default settings and the last model.
"""

import argparse
import json
import statistics
import subprocess
from pathlib import Path
from typing import Any

import torch

import infoshed
from infoshed.run import versions
from infoshed.train import make_config

RESULTS = Path(__file__).parent / "results"


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The committed rows."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def add(path: Path, run: infoshed.Run) -> None:
    """Append the row of a finished run."""
    revision = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    config = run.config.to_dict()
    keep = ("epochs", "batch_size", "lr", "average", "encoder", "options")
    row = run.summary() | {"config": {k: config[k] for k in keep}}
    row |= {"versions": versions(), "revision": revision}
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: mean, lowest and highest accuracy over seeds, per method and options."""
    lines = [
        "| method | options | seeds | unbiased test | biased test | seconds |",
        "|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str, float], list[dict[str, Any]]] = {}
    for row in rows:
        default = infoshed.METHODS[row["method"]].Options()
        options = {
            k: v for k, v in row["config"]["options"].items() if v != getattr(default, k, None)
        }
        text = " ".join(f"{k}={v}" for k, v in options.items())
        groups.setdefault((row["method"], text, row["sigma2"]), []).append(row)
    for (method, text, sigma2), group in groups.items():
        cells = []
        for key in ("accuracy_unbiased", "accuracy_biased"):
            values = [100 * row[key] for row in group]
            spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.1f}{spread}")
        seconds = statistics.mean(row["seconds"] for row in group)
        options = f"sigma2={sigma2} {text}".strip()
        lines.append(
            f"| {method} | {options} | {len(group)} | {' | '.join(cells)} | {seconds:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("dataset", choices=list(infoshed.DATASETS))
    parser.add_argument("--methods", nargs="+", default=["plain", "mi"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sigma2", type=float, default=0.02)
    parser.add_argument("--data-dir")
    parser.add_argument("--options", type=json.loads, default={}, help='JSON, {"strength": 0.3}')
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print the committed rows only")
    arguments = parser.parse_args()
    path = RESULTS / f"{arguments.dataset}.jsonl"
    torch.set_num_threads(arguments.threads)
    params = {"sigma2": arguments.sigma2}
    if arguments.data_dir:
        params["data_dir"] = arguments.data_dir
    for seed in range(0 if arguments.table else arguments.seeds):
        data = infoshed.load(arguments.dataset, seed=seed, **params)
        for method in arguments.methods:
            wanted = make_config(data, method, seed, arguments.options).to_dict()
            done = any(
                row["method"] == method
                and (row["seed"], row["sigma2"]) == (seed, arguments.sigma2)
                and row["config"]["options"] == wanted["options"]
                and row["epochs"] == wanted["epochs"]
                for row in rows_of(path)
            )
            if not done:
                add(path, infoshed.fit(data, method, seed=seed, **arguments.options))
    print(table(rows_of(path)))


if __name__ == "__main__":
    main()
