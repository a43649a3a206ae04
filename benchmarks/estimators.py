"""Every estimator on every case of known information, and what a user would otherwise pick.

    python benchmarks/estimators.py --quick          # a small selection, under ten minutes
    python benchmarks/estimators.py --jobs 2         # everything, resumable, for hours
    python benchmarks/estimators.py --table          # print the committed rows

Suites (`--suites`):

- targets   the automatic estimate on the cases that it was built for, n = 10,000
- null      no dependence at all: size of the estimate, false alarms
- weak      a weak dependence: how often it is found
- coverage  how often the 95% interval holds the truth, closed-form judges only
- zoo       every named estimator, and rivals, on a case of every family, n = 2,000
- online    what a critic is worth while training, by online.py (rows in online.jsonl)

One row for each estimate in benchmarks/results/estimators.jsonl. Rivals: scikit-learn's
mutual_info_classif (the largest column, since it knows no joint), a logistic regression's
cross-validated bound, KSG and Ross through the library's own "ksg", and torch-mist where it is
installed (pip install --no-deps torch-mist pyro-ppl pyro-api opt_einsum hydra-core omegaconf
antlr4-python3-runtime mpld3, and pandas).
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

import infoshed
import online
from infoshed.run import versions
from infoshed.truth import build_case
from rivals import RIVALS
from tables import matrix, table

RESULTS = Path(__file__).parent / "results" / "estimators.jsonl"


@dataclass(frozen=True)
class Job:
    """One estimate to make."""

    suite: str
    case: str
    contender: str
    n: int
    seed: int
    params: dict[str, Any] = field(default_factory=dict)

    def key(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


DISCRETE_TARGETS: list[tuple[str, dict[str, Any]]] = [
    *[("gaussian_classes", {"classes": m, "share": s}) for m in (2, 10)
      for s in (0.0, 0.02, 0.25, 0.5, 0.75, 0.9, 0.99)],
    ("gaussian_classes", {"dim": 2}),
    ("gaussian_classes", {"classes": 2, "balance": "rare"}),
    ("gaussian_classes", {"balance": "rare"}),
    ("gaussian_classes", {"balance": "long-tailed"}),
    ("gaussian_classes", {"decades": 6}),
    ("noisy_labels", {}),
    ("noisy_labels", {"classes": 10, "flip": 0.3}),
    ("discrete_codes", {}),
    ("several_categoricals", {"sizes": (2, 3), "latent": 4}),
    ("conditional_gaussian", {}),
    ("conditional_null", {}),
    ("weighted_null", {}),
    ("weighted_gaussian", {}),
]  # fmt: skip
NONLINEAR_TARGETS: list[tuple[str, dict[str, Any]]] = [
    ("parity", {}),
    ("parity", {"rotate": True}),
    ("variance_only", {}),
    ("variance_only", {"rotate": True}),
    ("warped", {}),
    ("warped", {"classes": 2}),
]
CONTINUOUS_TARGETS: list[tuple[str, dict[str, Any]]] = [
    *[("linear_gaussian", {"nats": v, "columns": k}) for k in (1, 3) for v in (0.5, 1.0, 2.0)],
    ("swiss_roll", {}),
    ("half_cube", {}),
    ("spiral", {}),
    ("student_t", {}),
    ("student_t", {"asinh": True}),
]
FAMILIES: list[tuple[str, dict[str, Any]]] = [
    ("gaussian_classes", {}),
    ("gaussian_classes", {"classes": 2, "share": 0.1}),
    ("gaussian_classes", {"share": 0.9}),
    ("gaussian_classes", {"balance": "long-tailed"}),
    ("noisy_labels", {}),
    ("variance_only", {}),
    ("warped", {}),
    ("discrete_codes", {}),
    ("conditional_gaussian", {}),
    ("weighted_gaussian", {}),
    ("linear_gaussian", {"dim": 8}),
    ("half_cube", {}),
]
ZOO: list[tuple[str, dict[str, Any]]] = [
    ("gaussian_classes", {"classes": 2, "share": 0.0}),
    ("gaussian_classes", {}),
    ("gaussian_classes", {"share": 0.9}),
    ("gaussian_classes", {"dim": 2}),
    ("parity", {}),
    ("variance_only", {}),
    ("discrete_codes", {}),
    ("conditional_gaussian", {}),
    ("weighted_gaussian", {}),
    ("linear_gaussian", {"dim": 8}),
    ("spiral", {}),
]


def jobs_of(suite: str, quick: bool) -> list[Job]:
    """What a suite runs."""
    jobs: list[Job] = []

    def add(cases: list[tuple[str, dict[str, Any]]], contenders: list[str], n: int, seeds: range):
        for seed in seeds:
            for case, params in cases:
                for contender in contenders:
                    if takes(contender, case, params):
                        jobs.append(Job(suite, case, contender, n, seed, params))

    named = [*infoshed.ESTIMATORS, *RIVALS]
    null = [("gaussian_classes", {"classes": 2, "share": 0.0, "dim": d}) for d in (64, 512)]
    weak = [("gaussian_classes", {"classes": 2, "share": 0.02})]
    if suite == "targets" and quick:
        add([*NONLINEAR_TARGETS[::2], DISCRETE_TARGETS[10]], ["auto"], 4000, range(1))
        add(CONTINUOUS_TARGETS[::5], ["auto"], 2000, range(1))
    elif suite == "targets":
        cases = [*DISCRETE_TARGETS, *NONLINEAR_TARGETS]
        add(cases, ["auto"], 10_000, range(2))
        add(CONTINUOUS_TARGETS, ["auto"], 10_000, range(2))
        wide = [("gaussian_classes", {"dim": 512})]
        add(wide, ["auto"], 10_000, range(2))
        add(wide, ["quick"], 40_000, range(2))
    elif suite == "null":
        add(null[:1], ["quick"], 500, range(5 if quick else 100))
        if not quick:
            add(null[1:], ["quick"], 500, range(50))
            for n, few in ((2000, 20), (10_000, 5)):
                add(null[:1], ["quick"], n, range(few))
                add(null[1:], ["quick"], n, range(3))
            add(null, ["auto"], 2000, range(3))
    elif suite == "weak":
        add(weak, ["quick"], 10_000, range(2 if quick else 100))
    elif suite == "coverage":
        add(FAMILIES[:1] if quick else FAMILIES[:-2], ["quick"], 2000, range(5 if quick else 100))
        if not quick:
            add(FAMILIES[-2:], ["quick"], 1000, range(100))
    elif suite == "zoo" and quick:
        contenders = ["auto", "class-scoring", "shuffled-dv", "mine", "ksg", *RIVALS]
        add([ZOO[0], ZOO[1], ZOO[9]], contenders, 1000, range(1))
    elif suite == "zoo":
        add(ZOO, ["auto", "quick", *named], 2000, range(2))
    return jobs


def takes(contender: str, name: str, params: dict[str, Any]) -> bool:
    """Whether the contender can be asked about the case at all."""
    case = build_case(name, **params)
    plain = case.kind == "discrete" and not case.conditional and not name.startswith("weighted")
    if contender in RIVALS:
        return plain or (contender.startswith("torch-mist") and case.kind == "continuous")
    if contender not in infoshed.ESTIMATORS:
        return True
    if contender == "ksg" and case.draw(10, 0).z.shape[1] > 20:
        return False
    weighted = name.startswith("weighted")
    if weighted and contender == "ksg":
        return False
    return case.kind in infoshed.ESTIMATORS[contender].takes


def run(job: Job) -> dict[str, Any]:
    """The row of one estimate."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    case = build_case(job.case, **job.params)
    sample = case.draw(job.n, job.seed)
    row: dict[str, Any] = asdict(job) | {
        "truth": case.nats, "truth_se": case.standard_error, "entropy": case.entropy,
    }  # fmt: skip
    start = time.perf_counter()
    try:
        if job.contender in RIVALS:
            row["nats"] = RIVALS[job.contender](sample)
        else:
            found = infoshed.estimate_mi(
                sample.z, sample.c, y=sample.y if case.conditional else None,
                weights=sample.weights, estimator=job.contender, seed=job.seed,
            )  # fmt: skip
            row |= {k: getattr(found, k) for k in ("nats", "low", "high", "null_p", "unit")}
            row["warnings"] = list(found.warnings)
    except Exception as error:
        row["error"] = f"{type(error).__name__}: {error}"
    row["seconds"] = round(time.perf_counter() - start, 2)
    return row


def run_all(jobs: list[Job], path: Path, workers: int) -> None:
    """Run what is missing in `path`, appending rows as they come."""
    done = {key_of(row) for row in rows_of(path)}
    missing = [job for job in jobs if job.key() not in done]
    print(f"{len(jobs)} estimates, {len(missing)} to be made", file=sys.stderr)
    about = {"versions": versions(), "revision": revision()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool, path.open("a") as file:
        for i, future in enumerate(as_completed([pool.submit(run, job) for job in missing])):
            file.write(json.dumps(future.result() | about) + "\n")
            file.flush()
            print(f"\r{i + 1}/{len(missing)}", end="", file=sys.stderr)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows in `path`."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def key_of(row: dict[str, Any]) -> str:
    """The key of the job that made a row."""
    names = ("suite", "case", "contender", "n", "seed", "params")
    return json.dumps({name: row[name] for name in names}, sort_keys=True)


def revision() -> str:
    """The git revision, short."""
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()


SUITES = ("targets", "null", "weak", "coverage", "zoo", "online")
ONLINE = ("class-scoring", "class-dv", "shuffled-dv", "mine", "infonce")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--quick", action="store_true", help="a small selection, not committed")
    parser.add_argument("--table", action="store_true", help="print the committed rows only")
    parser.add_argument("--suites", nargs="+", choices=SUITES, default=list(SUITES))
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    arguments = parser.parse_args()
    path = Path("runs/estimators-quick.jsonl") if arguments.quick else RESULTS
    if not arguments.table:
        if arguments.quick:
            path.unlink(missing_ok=True)
        jobs = [job for suite in arguments.suites for job in jobs_of(suite, arguments.quick)]
        # In the order of seeds: a run that is cut short has every case.
        run_all(sorted(jobs, key=lambda job: job.seed), path, arguments.jobs)
    for suite in arguments.suites:
        rows = rows_of(path)
        text = matrix(rows) if suite == "zoo" else table(rows, suite)
        if text:
            print(f"\n{text}")
    if "online" in arguments.suites:
        print("\n**online**: a critic while training\n")
        if arguments.quick:
            for name in ("class-scoring", "shuffled-dv"):
                print(name)
                online.measure(name, seeds=1, quick=True)
            return
        if not arguments.table:
            folder = Path(__file__).parent
            command = [sys.executable, str(folder / "online.py"), "--estimators", *ONLINE]
            subprocess.run(command, check=True)
        print(online.table())


if __name__ == "__main__":
    main()
