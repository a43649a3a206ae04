"""`infoshed sweep` and `infoshed select`: many strengths, and one of them picked."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from infoshed.checks import InfoshedError
from infoshed.commands.output import OUTPUT, Json, command_line, print_json
from infoshed.settings import METHOD, SharedFlags, Whole
from infoshed.tables import folded, terminal_text, text_table

RUNS = Group("Runs")


def sweep(
    dataset: str,
    /,
    *,
    strengths: Annotated[str | None, Parameter(group=METHOD)] = None,
    budgets: Annotated[str | None, Parameter(group=METHOD)] = None,
    flags: SharedFlags | None = None,
    quick: Annotated[bool, Parameter(negative="", group=RUNS)] = False,
    seeds: Annotated[int | None, Whole, Parameter(group=RUNS)] = None,
    jobs: Annotated[int | None, Whole, Parameter(group=RUNS)] = None,
    ray: Annotated[str | None, Parameter(group=RUNS)] = None,
    out: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
) -> None:
    """Train a method at many strengths, and show what each costs and sheds.

    Examples: `infoshed sweep digits --quick --jobs 2`; `infoshed sweep adult --method dann
    --strengths 0.1,0.3,1,3 --seeds 5`; `infoshed sweep digits --budgets 5%,10%,label`.

    Finished runs are not made again, and a run that was cut off goes on from its last epoch: give
    the same command again at any time. `infoshed select` picks one setting.

    Parameters
    ----------
    dataset
        A data set by name, see `infoshed list`; or a file of your own, as in `infoshed train`.
    strengths
        To try, with commas between, of mi also such as move ("0 to 0.3 over 2"); unless given, 0 to
        10 times the method's default.
    budgets
        To try instead, for mi: nats, a share of H(C), or "label", with commas between.
    quick
        Few strengths, seeds, epochs and rows, in minutes.
    seeds
        Seeds of each strength (3).
    jobs
        Runs at a time, each a process with one thread (1); with --ray a limit.
    ray
        Give the runs to Ray: "local", "auto" for the cluster of this machine, or an address. Needs
        the extra `ray`; the data lie at the same path on all machines.
    out
        Folder for the rows, the run folders, the table, the figure and the page report.html
        (runs/sweep-DATASET).
    """
    # Imported here: scikit-learn would slow down every other command.
    from infoshed.experiments.choice import choose, read_sweep
    from infoshed.experiments.rows import read_rows
    from infoshed.experiments.sweep import ROWS, read_grid, sweep_folder
    from infoshed.experiments.sweep import sweep as run_sweep
    from infoshed.experiments.trade_off import write_sweep

    folder = out or sweep_folder(dataset, quick)
    settings = {k: v for k, v in asdict(flags or SharedFlags()).items() if v is not None}
    try:
        run_sweep(
            dataset, settings.pop("method", "mi"), strengths=listed(strengths),
            budgets=listed(budgets), seeds=seeds, quick=quick, out=folder, jobs=jobs, ray=ray,
            **settings,
        )  # fmt: skip
    except KeyboardInterrupt:
        planned = {key for keys in read_grid(folder).values() for key in keys}
        left = len(planned - {row["key"] for row in read_rows(folder / ROWS)})
        said = f"the grid is incomplete: {left} of {len(planned)} runs have not ended"
        print(f"infoshed: {said}", file=sys.stderr)
        raise
    choices = choose(*read_sweep(folder))
    print(text_of(choices, None))
    for path in write_sweep(choices, folder, command_line()):
        print(f"written: {path}")


def select(
    out: Path,
    /,
    *,
    oracle: Annotated[str | None, Parameter(group=OUTPUT)] = None,
    as_json: Json = False,
) -> None:
    """Pick one setting of a sweep by the rule that looks at biased data only.

    Prints the rule, every setting in its order, the chosen one and the folders of its runs.

    Parameters
    ----------
    out
        The folder of a sweep, or a file of rows.
    oracle
        Show also what is best on this test split, such as unbiased. In practice nobody knows it.
    as_json
        Print one JSON document instead of text.
    """
    from infoshed.experiments.choice import choose, read_sweep, to_dict

    choices = choose(*read_sweep(out))
    if all(choice.chosen is None for choice in choices):
        raise InfoshedError(
            f"nothing to choose from in {out}: no setting has figures for the rule from every run"
        )
    if as_json:
        print_json(to_dict(choices, oracle))
    else:
        print(folded(text_of(choices, oracle)))


def text_of(choices, split: str | None) -> str:
    """The choices for the terminal: tables, verdicts, the rule."""
    from infoshed.experiments.choice import oracle, oracle_line, table_head, table_rows, verdict
    from infoshed.experiments.selection import RULE

    parts = []
    for choice in choices:
        lines = [
            choice.title,
            "",
            text_table(table_head(choice), table_rows(choice)),
            "",
            *verdict(choice),
        ]
        found = None if split is None or len(choice.entries) < 2 else oracle(choice, split)
        parts.append("\n".join(lines + ([oracle_line(found, choice.score)] if found else [])))
    if any(entry.seeds > 1 for choice in choices for entry in choice.entries):
        parts.append("figures: mean over the seeds (lowest to highest)")
    return "\n\n".join([*parts, terminal_text(f"rule: {RULE}")]) + "\n"


def listed(text: str | None) -> list[str] | None:
    """What is between commas."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]
