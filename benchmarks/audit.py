"""The audit on cases of known information: is the interval right, is the verdict?

    python benchmarks/audit.py [--draws 20] [--estimator quick]
    python benchmarks/audit.py --size 100000 128      # time and memory of one audit
    python benchmarks/audit.py --table                # print the committed rows

Two Gaussian classes, 10,000 rows of 16 columns, I(Z;C) at 0, 2% and 30% of H(C). For each: how
often the 95% interval of the leakage holds the truth, and how often the audit says that z leaks. At
0 that should be at most 5% of draws, else at least 95%. Resumable: rows that are there are not made
again. Rows are appended to benchmarks/results/audit.jsonl.
"""

import argparse
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from infoshed import audit
from infoshed.experiments.rows import append_row, read_rows, revision
from infoshed.run import versions
from infoshed.truth import build_case

RESULTS = Path(__file__).parent / "results" / "audit.jsonl"
N, DIM, SHARES = 10_000, 16, (0.0, 0.02, 0.3)


def measure(share: float, draw: int, estimator: str) -> dict[str, Any]:
    """One audit of a draw as a row."""
    case = build_case("gaussian_classes", classes=2, dim=DIM, share=share)
    sample = case.draw(N, seed=draw)
    started = time.process_time()
    (part,) = audit(sample.z, sample.c, estimator=estimator, seed=draw).parts
    found = part.information
    return {
        "truth": case.nats,
        "nats": found.nats,
        "low": found.low,
        "high": found.high,
        "null_p": found.null_p,
        "worst_probe": part.worst_probe.value,
        "worst_probe_low": part.worst_probe.low,
        "leaks": part.leaks,
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def size(n: int, dim: int) -> dict[str, Any]:
    """Time and memory of one audit with a label, predictions and scores."""
    rng = np.random.default_rng(0)
    c = rng.integers(0, 2, n)
    y = np.where(rng.random(n) < 0.8, c, 1 - c)
    z = rng.normal(size=(n, dim)).astype(np.float32)
    z[:, 0] += y
    z[:, 1] += 0.5 * c
    scores = 1 / (1 + np.exp(0.5 - z[:, 0]))
    started, cpu = time.perf_counter(), time.process_time()
    audit(z, c, y, scores=scores)
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown of the rows."""
    lines = [
        "| estimator, I(Z;C) / H(C) | draws | interval holds | verdict: leaks | mean error, nats |",
        "|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for row in rows:
        if "truth" in row:
            groups.setdefault((row["estimator"], row["share"]), []).append(row)
    for (estimator, share), group in sorted(groups.items()):
        holds = np.mean([row["low"] <= row["truth"] <= row["high"] for row in group])
        leaks = np.mean([row["leaks"] for row in group])
        error = np.mean([row["nats"] - row["truth"] for row in group])
        cells = (f"{estimator}, {share:.0%}", str(len(group)), f"{holds:.0%}", f"{leaks:.0%}")
        lines.append(f"| {' | '.join(cells)} | {error:+.4f} |")
    for row in rows:
        if "peak_mib" in row:
            lines.append(
                f"\n{row['n']:,} rows of {row['dim']} columns with a label and scores, one thread: "
                f"{row['cpu_seconds']:.0f} CPU seconds, {row['peak_mib']:,} MiB"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--estimator", default="quick", choices=("quick", "auto"))
    parser.add_argument("--size", type=int, nargs=2, metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    about = {"versions": versions(), "revision": revision()}
    if arguments.size:
        n, dim = arguments.size
        append_row(RESULTS, {"key": f"size/{n}/{dim}", "n": n, "dim": dim, **size(n, dim), **about})
    elif not arguments.table:
        done = {row["key"] for row in read_rows(RESULTS)}
        for draw in range(arguments.draws):
            for share in SHARES:
                key = f"{arguments.estimator}/{share}/{draw}"
                if key in done:
                    continue
                row = measure(share, draw, arguments.estimator)
                named = {"estimator": arguments.estimator, "share": share, "draw": draw}
                append_row(RESULTS, {"key": key, **named, **row, **about})
    print(table(read_rows(RESULTS)))


if __name__ == "__main__":
    main()
