"""The command line: parses, calls, prints. `infoshed --help` is the documentation.

Results go to standard output, everything else to standard error. A user's mistake is one line
and exit code 2; an interrupted training exits with 130.
"""

import json
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

from cyclopts import App, CycloptsError, Group, Parameter, Token
from rich.console import Console

from infoshed import (
    DATASETS,
    ESTIMATORS,
    METHODS,
    InfoshedError,
    Run,
    __version__,
    estimate_mi,
    fit,
    load,
    load_run,
)
from infoshed.demo import run_demo
from infoshed.io import read_json
from infoshed.report.collect import NO_REPORT, has_report_extra, write_report
from infoshed.run import Config
from infoshed.sample import read_sample
from infoshed.tables import catalogue, estimate_text, results_table, run_table

app = App(
    name="infoshed",
    suppress_keyboard_interrupt=False,
    version=__version__,
    help="Train representations that keep the label and shed a bias attribute, by estimating "
    "their mutual information while training and backpropagating it.\n\n"
    "Start with `infoshed demo`; then `infoshed train digits`, `infoshed mi z.npy c.npy`, "
    "`infoshed list`, `infoshed train --help`. With `--debug` an error shows its traceback.",
)


def whole_number(_: Any, tokens: Sequence[Token]) -> int:
    """Cyclopts by itself rounds: `--epochs 1.5` would silently train one epoch."""
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"a whole number is expected, got {tokens[0].value}") from None


DATA = Group("Data")
TRAINING = Group("Training")
METHOD = Group("Method (see `infoshed list`)")
ESTIMATE = Group("Estimate")
OUTPUT = Group("Output")
KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
DATA_KEYS = ("sigma2", "data_dir")
Whole = Parameter(converter=whole_number)
AttributeKind = Literal["auto", "categorical", "continuous"]
Json = Annotated[bool, Parameter(name="--json", negative="", group=OUTPUT)]


@Parameter(name="*")
@dataclass
class TrainFlags:
    """Settings of `infoshed train`; the same names are the keys of its TOML file."""

    sigma2: Annotated[float | None, Parameter(group=DATA)] = None
    "Variance of the colour around its class's mean (0.02); smaller is more biased."
    data_dir: Annotated[str | None, Parameter(group=DATA)] = None
    "Folder that holds the data set's files."

    seed: Annotated[int | None, Whole, Parameter(group=TRAINING)] = None
    "Seed of everything: split, colours, weights, batches (0)."
    epochs: Annotated[int | None, Whole, Parameter(group=TRAINING)] = None
    "Passes over the training data; unless given, the data set's recipe."
    batch_size: Annotated[int | None, Whole, Parameter(group=TRAINING)] = None
    "Rows per step; unless given, the data set's recipe."
    lr: Annotated[float | None, Parameter(group=TRAINING)] = None
    "Adam's learning rate; unless given, the data set's recipe."
    average: Annotated[float | None, Parameter(group=TRAINING)] = None
    "Decay of the averaged weights that are kept (0.995); 0 keeps the last weights."
    encoder: Annotated[str | None, Parameter(group=TRAINING)] = None
    "conv, conv-small or mlp; unless given, the data set's recipe."

    method: Annotated[str | None, Parameter(group=METHOD)] = None
    "mi (the default), plain (the baseline), mi-published, adjust, reweigh."
    strength: Annotated[float | None, Parameter(group=METHOD)] = None
    "Pressure on the information: the paper's lambda (1). 0 is plain training."
    budget: Annotated[str | float | None, Parameter(group=METHOD)] = None
    'Hold the information at a level instead: nats ("0.05"), a share of H(C) ("5%"), or "label".'
    conditional: Annotated[bool | None, Parameter(group=METHOD)] = None
    "Penalise I(Z;C|Y) rather than I(Z;C)."
    loss: Annotated[str | None, Parameter(group=METHOD)] = None
    "Task loss of mi: adjusted (the default), plain or reweighed."
    critic: Annotated[str | None, Parameter(group=METHOD)] = None
    "Estimator that is backpropagated; auto picks by the kind of attribute."
    critic_steps: Annotated[int | None, Whole, Parameter(group=METHOD)] = None
    "Critic steps per encoder step, K (2)."
    critic_batch: Annotated[int | None, Whole, Parameter(group=METHOD)] = None
    "Rows of each critic step; as --batch-size unless given."
    critic_lr: Annotated[float | None, Parameter(group=METHOD)] = None
    "Learning rate of the critic (0.001)."


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

    Parameters
    ----------
    dataset
        A data set by name; see `infoshed list`.
    config
        A TOML file with the same names as these options, without dashes (`dataset`, `sigma2`,
        `critic_steps`, ...); options given here win over it.
    out
        Run folder to write; unless given, a new one under runs/.
    resume
        Continue the run in `--out` from its last finished epoch, with the settings it was
        started with: `infoshed train --out RUN --resume`.
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
        raise InfoshedError(f"which data set? infoshed train NAME; one of {', '.join(DATASETS)}")
    data = load(name, seed=seed, **{k: settings.pop(k) for k in DATA_KEYS if k in settings})
    method = settings.pop("method", "mi")
    folder = out or new_folder(f"{name}-{method}-seed{seed}")
    run = fit(data, method, seed=seed, out=folder, resume=resume, **settings)
    report = None
    if has_report_extra():
        report = write_report([run], data, folder / "report.html", command_of(run))
    if as_json:
        print_json(run.summary())
        return
    print(run_table(run))
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

    Examples: `infoshed mi z.npy people.csv:sex --given people.csv:label`;
    `infoshed mi data.csv data.csv:age --json`, which takes all other columns of data.csv for z.

    Parameters
    ----------
    z
        File of the representation: numbers, a row for each example.
    c
        File of the attribute, the same rows. Text and whole numbers are categories, fractions
        are a quantity.
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
    if not page.is_file() and loaded.config.dataset in DATASETS and has_report_extra():
        place = {"data_dir": data_dir} if data_dir else {}
        data = load(loaded.config.dataset, **loaded.config.params, **place)
        write_report([loaded], data, page, command_of(loaded))
    print(f"\nreport: {page}" if page.is_file() else f"\n{NO_REPORT}")


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, allow_nan=False))


def read_config(path: Path | None) -> dict[str, Any]:
    """The settings in a TOML file. Raises `InfoshedError` for broken files and unknown keys."""
    if path is None:
        return {}
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InfoshedError(f"cannot read {path}: {error}") from None
    known = {"dataset", *(f.name for f in fields(TrainFlags))}
    strange = sorted(set(settings) - known)
    if strange:
        raise InfoshedError(
            f"{path} has the unknown key `{strange[0]}`; known: {', '.join(sorted(known))}"
        )
    kinds = get_type_hints(TrainFlags) | {"dataset": str}
    for key, value in settings.items():
        allowed = [k for k in get_args(kinds[key]) if k is not type(None)] or [kinds[key]]
        whole = type(value) is int and float in allowed
        if type(value) not in allowed and not whole:
            names = " or ".join(KINDS[k] for k in allowed)
            raise InfoshedError(f"{path}: `{key}` must be {names}, got {value!r}")
    return settings


def saved_settings(folder: Path) -> dict[str, Any]:
    """The settings that the run in `folder` was started with, by the names of `TrainFlags`."""
    if not (folder / "config.json").is_file():
        raise InfoshedError(
            f"no run in {folder}: it has no config.json; start one with `infoshed train NAME "
            f"--out {folder}`, without --resume"
        )
    config = Config.from_dict(read_json(folder / "config.json"))
    settings = {f.name: getattr(config, f.name, None) for f in fields(TrainFlags)}
    settings |= {"dataset": config.dataset, **config.params, **config.options}
    return {k: v for k, v in settings.items() if v is not None}


def command_of(run: Run) -> str:
    """The command that trains `run` again; a data folder is left out, being the machine's own."""
    config = run.config
    settings = {"method": config.method, "seed": config.seed, "epochs": config.epochs}
    settings |= {k: getattr(config, k) for k in ("batch_size", "lr", "average", "encoder")}
    settings |= {k: v for k, v in config.params.items() if k != "seed"}
    settings |= {k: v for k, v in config.options.items() if v is not None}
    words = [f"--{k.replace('_', '-')} {v}" for k, v in settings.items() if not isinstance(v, bool)]
    words += [f"--{'' if v else 'no-'}{k}" for k, v in settings.items() if isinstance(v, bool)]
    return f"infoshed train {config.dataset} {' '.join(words)}"


def new_folder(name: str) -> Path:
    """runs/NAME, or the first of runs/NAME-2, -3, ... that is not there yet."""
    folder, count = Path("runs") / name, 1
    while folder.exists():
        count += 1
        folder = Path("runs") / f"{name}-{count}"
    return folder


def main() -> None:
    """Entry of the `infoshed` command."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    try:
        app(arguments, exit_on_error=False, print_error=False)
    except KeyboardInterrupt:
        print(
            "infoshed: interrupted; finished epochs are kept, --resume continues", file=sys.stderr
        )
        sys.exit(130)
    except (InfoshedError, CycloptsError, OSError) as error:
        if debug:
            raise
        text = " ".join(str(error).split())
        print(f"infoshed: {text} (--debug shows the traceback)", file=sys.stderr)
        sys.exit(2)
