"""The command line: parses, calls, prints. `infoshed --help` is the documentation.

Results go to standard output, everything else to standard error. A user's mistake is one line
and exit code 2; an interrupted training exits with 130.
"""

import json
import os
import sys
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Group, Parameter
from rich.console import Console

from infoshed import (
    DATASETS,
    ESTIMATORS,
    METHODS,
    DataSet,
    InfoshedError,
    __version__,
    fit,
    load,
    load_run,
)
from infoshed.commands.audit import audit
from infoshed.commands.audit_data import audit_data
from infoshed.commands.encode import encode
from infoshed.commands.export import export
from infoshed.commands.predict import predict
from infoshed.commands.reproduce import reproduce
from infoshed.commands.sweep import select, sweep
from infoshed.demo import run_demo
from infoshed.report.collect import NO_REPORT, has_report_extra, write_report
from infoshed.settings import (
    DATA,
    DATA_KEYS,
    TRAINING,
    TrainFlags,
    Whole,
    command_of,
    read_config,
    saved_settings,
)
from infoshed.tables import catalogue, estimate_text, leakage_text, results_table, run_table
from infoshed.train import check_folder, check_settings

app = App(
    name="infoshed",
    suppress_keyboard_interrupt=False,
    version=__version__,
    help="Train representations that keep the label and shed a bias attribute, by estimating "
    "their mutual information while training and backpropagating it.\n\n"
    "Start with `infoshed demo`; then `infoshed train digits`, `infoshed mi z.npy c.npy`, "
    "`infoshed list`, `infoshed train --help`. With `--debug` an error shows its traceback.",
)

ESTIMATE = Group("Estimate")
OUTPUT = Group("Output")
AttributeKind = Literal["auto", "categorical", "continuous"]
KEPT = {
    "train": "; finished epochs are kept, --resume continues",
    "reproduce": "; finished runs and epochs are kept, the same command continues",
    "sweep": "; finished runs and epochs are kept, the same command continues",
}
Json = Annotated[bool, Parameter(name="--json", negative="", group=OUTPUT)]


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


@app.command
def train(
    dataset: str | None = None,
    /,
    *,
    flags: TrainFlags | None = None,
    config: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    out: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    resume: Annotated[bool, Parameter(negative="", group=OUTPUT)] = False,
    as_json: Json = False,
) -> None:
    """Train one model and evaluate it.

    Examples: `infoshed train digits --strength 0.5`; `infoshed train colored-mnist --sigma2 0.02
    --data-dir data/mnist --budget 5%`; `infoshed train --config run.toml`.

    Your own data: `infoshed train people.csv --target income --attribute sex`, or pictures:
    `infoshed train labels.csv --images photos --target label --attribute camera`. How the columns
    were read, and how biased the rows are, is said first.

    Parameters
    ----------
    dataset
        A data set by name, see `infoshed list`; or a .csv, .tsv or .parquet file of your own.
    config
        A TOML file with the same names as these options, without dashes (`dataset`, `sigma2`,
        `critic_steps`, ...); options given here win over it.
    out
        Run folder to write; unless given, a new one under runs/.
    resume
        Continue the run in `--out` from its last finished epoch, with the settings it was
        started with: `infoshed train --out RUN --resume`; with more `--epochs`, beyond its end.
    as_json
        Print one JSON document instead of tables.
    """
    if resume and out is None:
        raise InfoshedError("--resume needs --out, the folder of the run to continue")
    settings = saved_settings(out) if resume and out else {}
    settings |= read_config(config)
    settings |= {k: v for k, v in asdict(flags or TrainFlags()).items() if v is not None}
    settings |= {"dataset": dataset} if dataset else {}
    name, seed = settings.pop("dataset", None), settings.pop("seed", 0)
    if name is None:
        known = f"one of {', '.join(DATASETS)}, or a file"
        raise InfoshedError(f"which data set? infoshed train NAME; {known}")
    params = {k: settings.pop(k) for k in DATA_KEYS if k in settings}
    method = settings.pop("method", "mi")
    check_settings(method, seed=seed, **settings)
    check_folder(out, resume)
    data = load(name, seed=seed, **params)
    folder = out or new_folder(f"{Path(name).stem}-{method}-seed{seed}")
    biased: list[str] = []

    def begin() -> None:
        if data.inputs is not None:
            biased.extend(how_biased(data))
            print("\n".join([*data.notes, *biased]), file=sys.stderr)

    run = fit(data, method, seed=seed, out=folder, resume=resume, begin=begin, **settings)
    said = [f"{line[:1].upper()}{line[1:]}." for line in biased]
    data = replace(data, description=" ".join([data.description, *said]))
    from infoshed.auditing.leakage import leakage_of  # loads scikit-learn
    from infoshed.auditing.run import collapsed

    troubles = [collapsed(run, data)]
    try:
        run.leakage = leakage_of(run, data)
        run.save_results(folder)
    except InfoshedError as error:
        troubles.append(str(error))
    report = None
    if has_report_extra():
        report = write_report([run], data, folder / "report.html", command_of(run))
    for line in filter(None, troubles):
        print(f"infoshed: {line}", file=sys.stderr)
    if as_json:
        print_json(run.summary())
        return
    print(run_table(run))
    looked = f"{leakage_text(run)} " if run.leakage else ""
    print(f"\n{looked}For the whole picture: infoshed audit {folder}")
    print(f"\nrun: {folder}" + (f"\nreport: {report}" if report else f"\n{NO_REPORT}"))


@app.command
def mi(
    z: str,
    c: str,
    /,
    *,
    given: Annotated[str | None, Parameter(group=DATA)] = None,
    weights: Annotated[str | None, Parameter(group=DATA)] = None,
    attribute_kind: Annotated[AttributeKind, Parameter(group=DATA)] = "auto",
    estimator: Annotated[str, Parameter(group=ESTIMATE)] = "auto",
    folds: Annotated[int, Whole, Parameter(group=ESTIMATE)] = 5,
    seed: Annotated[int, Whole, Parameter(group=ESTIMATE)] = 0,
    as_json: Json = False,
) -> None:
    """How much z tells about c: the mutual information I(Z;C) in nats, with a 95% interval.

    Every file is .npy, .npz, .csv, .tsv or .parquet; FILE:NAME takes one column of it, or several
    with commas, or an array of an .npz.

    `infoshed mi z.npy people.csv:sex --given people.csv:label`

    `infoshed mi data.csv data.csv:age` (z is every other column of data.csv)

    Parameters
    ----------
    z
        File of the representation: numbers, a row for each example.
    c
        File of the attribute, the same rows. Text and whole numbers are categories, fractions
        are a quantity. Rows that lack it, or the class of --given, are dropped.
    given
        File of classes y, for I(Z;C|Y): what z tells about c beyond what the class does.
    weights
        File of importances of the rows, for the information of the weighted distribution.
    attribute_kind
        What c is, where its numbers do not say.
    estimator
        auto (all judges, about half a minute for 10,000 rows), quick (the fast ones only), or an
        estimator that `infoshed list` shows.
    folds
        Of the cross-fitting, at least 2.
    seed
        Of folds, judges and permutations.
    as_json
        Print one JSON document instead of text.
    """
    # Imported here, like the experiments: scikit-learn would slow down every other command.
    from infoshed.files import read_sample
    from infoshed.offline import estimate_mi

    sample = read_sample(z, c, given, weights, attribute_kind)
    with Console(stderr=True).status(f"estimating on {len(sample.z):,} rows"):
        estimate = estimate_mi(
            sample.z, sample.c, y=sample.y, weights=sample.weights, estimator=estimator,
            folds=folds, seed=seed, name=sample.name,
        )  # fmt: skip
    for note in sample.notes:
        print(f"infoshed: {note}", file=sys.stderr)
    if as_json:
        about = {"attribute": sample.name, "values": sample.values, "columns": sample.z.shape[1]}
        print_json(estimate.to_dict() | about | {"notes": sample.notes})
        return
    print(estimate_text(estimate, sample))


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
        place = {"data_dir": data_dir} if data_dir else {}
        data = load(loaded.config.dataset, **loaded.config.params, **place)
        write_report([loaded], data, page, command_of(loaded))
    print(f"\nreport: {page}" if page.is_file() else f"\n{NO_REPORT}")


def how_biased(data: DataSet) -> list[str]:
    """How biased the training rows of the user's own data are, in sentences."""
    from infoshed.auditing import audit_data as audit_table
    from infoshed.auditing.run import target_values
    from infoshed.auditing.text import data_lines

    c = data.attribute.decode(data.train.c)
    return [
        line
        for name, y in target_values(data.target, data.train.y).items()
        for line in data_lines(audit_table(y, c, target_name=name, estimator="quick"))
    ]


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, allow_nan=False))


def new_folder(name: str) -> Path:
    """runs/NAME, or the first of runs/NAME-2, -3, ... that is not there yet."""
    folder, count = Path("runs") / name, 1
    while folder.exists():
        count += 1
        folder = Path("runs") / f"{name}-{count}"
    return folder


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
