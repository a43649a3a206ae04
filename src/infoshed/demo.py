"""The demonstration: plain and debiased training on bundled digits, several seeds each."""

import shutil
from pathlib import Path

from infoshed.checks import InfoshedError, check_number
from infoshed.data import load
from infoshed.report.collect import has_report_extra, write_report
from infoshed.run import Run
from infoshed.train import fit


def run_demo(seeds: int, epochs: int | None, out: Path) -> tuple[list[Run], Path | None]:
    """Train `plain` and `mi` with `seeds` seeds each on `digits`.

    Args:
        seeds: runs per method, at least 1; each seed has its own split, colours and weights.
        epochs: unless given, the data set's recipe.
        out: folder for the runs and report.html; an earlier demo there is replaced.

    Returns the runs, and the path of the report (None without the `report` extra).
    """
    check_number("seeds", seeds, 1, integer=True)
    if out.exists():
        if any(out.iterdir()) and not (out / "demo").is_file():
            raise InfoshedError(f"{out} holds something else than a demo; choose another --out")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / "demo").touch()  # marks the folder as ours to replace
    runs = []
    for method in ("plain", "mi"):
        for seed in range(seeds):
            data = load("digits", seed=seed)
            runs.append(fit(data, method, seed=seed, epochs=epochs, out=out / f"{method}-{seed}"))
    report = None
    if has_report_extra():
        report = write_report(runs, load("digits", seed=0), out / "report.html", "infoshed demo")
    return runs, report
