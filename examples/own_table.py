"""Your own table, from the command line: train, look, predict.

Writes a small table of made-up loan requests, in which women were granted fewer, then does what you
would type:

    infoshed train loans.csv --target granted --attribute sex --out runs/loans
    infoshed audit runs/loans
    infoshed predict runs/loans new.csv --out predictions.csv
"""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np


def write_loans(path: str, rows: int, seed: int) -> None:
    """Loans follow income and years in the job; sex enters too, and the job tells of it."""
    rng = np.random.default_rng(seed)
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["income", "years", "job", "sex", "granted"])
        for _ in range(rows):
            woman = rng.random() < 0.5
            income, years = rng.normal(30, 8), rng.integers(0, 30)
            nurse = rng.random() < (0.7 if woman else 0.2)
            score = (income - 30) / 8 + (years - 15) / 10 - 1.2 * woman + rng.normal(0, 0.5)
            cells = [f"{income:.1f}" if rng.random() < 0.95 else "", years]
            cells += ["nurse" if nurse else "smith", "f" if woman else "m"]
            table.writerow([*cells, "yes" if score > -0.6 else "no"])


def infoshed(*words: str) -> None:
    """The command line, in a process of its own."""
    print("\n$ infoshed", *words, flush=True)
    subprocess.run([sys.executable, "-m", "infoshed", *words], check=True)


if __name__ == "__main__":
    write_loans("loans.csv", 2000, seed=0)
    write_loans("new.csv", 200, seed=1)
    columns = ("--target", "granted", "--attribute", "sex")
    infoshed("train", "loans.csv", *columns, "--epochs", "5", "--out", "runs/loans")
    infoshed("audit", "runs/loans", "--estimator", "quick")
    infoshed("predict", "runs/loans", "new.csv", "--out", "predictions.csv")
    print(Path("predictions.csv").read_text(encoding="utf-8")[:120])
