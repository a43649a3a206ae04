"""`infoshed reproduce`: run an experiment, write its tables and figures."""

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from infoshed.checks import check_choice, check_number
from infoshed.commands.output import OUTPUT
from infoshed.settings import DATA, Whole
from infoshed.tables import terminal_text

RUNS = Group("Runs")
QUICK = Path("runs/reproduce-quick")


def reproduce(
    name: str,
    /,
    *,
    quick: Annotated[bool, Parameter(negative="", group=RUNS)] = False,
    only: Annotated[str, Parameter(group=RUNS)] = "",
    seeds: Annotated[int | None, Whole, Parameter(group=RUNS)] = None,
    jobs: Annotated[int, Whole, Parameter(group=RUNS)] = 1,
    data_dir: Annotated[Path | None, Parameter(group=DATA)] = None,
    results: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    docs: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    tables: Annotated[bool, Parameter(negative="", group=OUTPUT)] = False,
) -> None:
    """Run a published comparison: many methods, seeds and strengths, with tables and figures.

    `infoshed reproduce colored-mnist --quick`, or faces, fairness, digits. Runs whose rows are
    there already are not made again, and a run that was cut off goes on from its last epoch: give
    the same command again at any time.

    Parameters
    ----------
    name
        colored-mnist, faces, fairness or digits.
    quick
        A few methods on little data, in minutes; its files are under runs/reproduce-quick/.
    only
        These methods only, with commas between.
    seeds
        Seeds of each method, instead of the experiment's own number.
    jobs
        Runs at a time, each a process with one thread.
    data_dir
        Folder that holds mnist/, faces/ and tabular/; unless given, $INFOSHED_DATA.
    results
        Folder of the rows, one JSON line per run (benchmarks/results).
    docs
        Folder for tables and figures (docs/results).
    tables
        Run nothing; only write tables and figures from the rows.
    """
    # Imported here: scikit-learn would slow down every other command.
    from infoshed.experiments import EXPERIMENTS
    from infoshed.experiments.base import Plan
    from infoshed.experiments.rows import read_rows
    from infoshed.experiments.runner import Places
    from infoshed.experiments.runner import reproduce as run_missing
    from infoshed.experiments.tables import markdown, write_documents

    check_choice("experiment", name, EXPERIMENTS)
    if seeds is not None:
        check_number("seeds", seeds, 1, integer=True)
    experiment = EXPERIMENTS[name]
    plan = Plan(quick, tuple(part.strip() for part in only.split(",") if part.strip()), seeds)
    rows_folder = results or (QUICK / "results" if quick else Path("benchmarks/results"))
    docs_folder = docs or (QUICK / "docs" if quick else Path("docs/results"))
    work = QUICK / "work" / name if quick else Path("runs/reproduce") / name
    places = Places(rows_folder / f"{name}.jsonl", work, data_dir)
    rows = read_rows(places.rows) if tables else run_missing(experiment, plan, places, jobs)
    print(terminal_text(markdown(experiment, rows)))
    for path in write_documents(experiment, rows, docs_folder):
        print(f"written: {path}")
