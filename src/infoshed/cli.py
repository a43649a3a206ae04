"""The command line: parses, calls, prints. `infoshed --help` is the documentation.

Results go to standard output, everything else to standard error. A user's mistake is one line
and exit code 2; an interrupted training exits with 130.
"""

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from infoshed import (
    DATASETS,
    ESTIMATORS,
    METHODS,
    InfoshedError,
    __version__,
    load_run,
)
from infoshed.commands.audit import audit
from infoshed.commands.audit_data import audit_data
from infoshed.commands.encode import encode
from infoshed.commands.export import export
from infoshed.commands.mi import mi
from infoshed.commands.output import OUTPUT, Json, print_json
from infoshed.commands.predict import predict
from infoshed.commands.reproduce import reproduce
from infoshed.commands.sweep import select, sweep
from infoshed.commands.train import train
from infoshed.demo import run_demo
from infoshed.report.collect import NO_REPORT, has_report_extra, write_report
from infoshed.run import data_of
from infoshed.settings import DATA, TRAINING, Whole, command_of
from infoshed.tables import catalogue, results_table, run_table

app = App(
    name="infoshed",
    suppress_keyboard_interrupt=False,
    version=__version__,
    help="Train representations that keep the label and shed a bias attribute, by estimating "
    "their mutual information while training and backpropagating it.\n\n"
    "Start with `infoshed demo`; then `infoshed train digits`, `infoshed mi z.npy c.npy`, "
    "`infoshed list`, `infoshed train --help`. With `--debug` an error shows its traceback.",
)

KEPT = {
    "train": "; finished epochs are kept, --resume continues",
    "reproduce": "; finished runs and epochs are kept, the same command continues",
    "sweep": "; finished runs and epochs are kept, the same command continues",
}


@app.command
def demo(
    *,
    seeds: Annotated[int, Whole, Parameter(group=TRAINING)] = 3,
    epochs: Annotated[int | None, Whole, Parameter(group=TRAINING)] = None,
    out: Annotated[Path, Parameter(group=OUTPUT)] = Path("runs/demo"),
    as_json: Json = False,
) -> None:
    """A plain classifier and a debiased one, side by side, on bundled handwritten digits.

    In the training data each digit has its colour; in the unbiased test colours are random. Takes
    a few minutes and writes a report page.

    Parameters
    ----------
    seeds
        Runs per method.
    epochs
        Fewer for a quick look.
    out
        Folder for the runs and the report; a demo that is there already is replaced.
    as_json
        Print one JSON document instead of tables.
    """
    runs, report = run_demo(seeds, epochs, out)
    if as_json:
        print_json({"runs": [run.summary() for run in runs]})
        return
    print(results_table(runs))
    print(f"\nreport: {report}" if report else NO_REPORT)


app.command(train)
app.command(mi)
app.command(audit)
app.command(audit_data)
app.command(predict)
app.command(encode)
app.command(export)
app.command(reproduce)
app.command(sweep)
app.command(select)


@app.command(name="list")
def list_(*, as_json: Json = False) -> None:
    """Data sets, methods and estimators, a line each.

    Parameters
    ----------
    as_json
        Print one JSON document instead of a table.
    """
    entries = catalogue(DATASETS, METHODS, ESTIMATORS)
    if as_json:
        print_json(entries)
        return
    width = max(len(name) for group in entries.values() for name in group)
    for title, group in entries.items():
        print(f"{title}:")
        for name, line in group.items():
            print(f"  {name:<{width}}  {line}")


@app.command
def show(
    run: Path,
    /,
    *,
    data_dir: Annotated[str | None, Parameter(group=DATA)] = None,
    as_json: Json = False,
) -> None:
    """What a run folder holds: its figures as a table, and its report page.

    Parameters
    ----------
    run
        The folder that `infoshed train` or `Run.save` wrote. A report page is made if it lacks one.
    data_dir
        Folder that holds the data set's files, for making the report page.
    as_json
        Print one JSON document instead of a table.
    """
    loaded = load_run(run)
    if as_json:
        print_json(loaded.summary() | {"metrics": loaded.metrics})
        return
    print(run_table(loaded))
    page = run / "report.html"
    known = loaded.config.dataset in DATASETS or loaded.config.inputs is not None
    if not page.is_file() and known and has_report_extra():
        data = data_of(loaded.config, data_dir)
        write_report([loaded], data, page, command_of(loaded.config))
    print(f"\nreport: {page}" if page.is_file() else f"\n{NO_REPORT}")


def _warn(message: Warning | str, category: type[Warning], *_: object) -> None:
    """A warning in a line, without the place in the code."""
    print(f"infoshed: {message}", file=sys.stderr)


def main() -> None:
    """Entry of the `infoshed` command."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            app(arguments, exit_on_error=False, print_error=False)
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has had enough. Python would complain once more
        # when it closes standard output at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        kept = KEPT.get("".join(arguments[:1]), "")
        print(f"infoshed: interrupted{kept}", file=sys.stderr)
        sys.exit(130)
    except (InfoshedError, CycloptsError, OSError) as error:
        if debug:
            raise
        text = " ".join(str(error).split())
        print(f"infoshed: {text} (--debug shows the traceback)", file=sys.stderr)
        sys.exit(2)
