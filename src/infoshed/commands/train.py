"""`infoshed train`: one model, its figures, and what fresh judges read in its z."""

import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from infoshed.checks import InfoshedError
from infoshed.commands.output import OUTPUT, Json, print_json
from infoshed.data import DATASETS, load
from infoshed.report.collect import NO_REPORT, has_report_extra, write_report
from infoshed.run import load_run
from infoshed.settings import DATA_KEYS, TrainFlags, command_of, read_config, saved_settings
from infoshed.tables import leakage_text, run_table
from infoshed.train import check_folder, check_settings, fit
from infoshed.types import DataSet


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
    data_dir = params.get("data_dir")
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
        report = write_report([run], data, folder / "report.html", command_of(run.config))
    for line in filter(None, troubles):
        print(f"infoshed: {line}", file=sys.stderr)
    if as_json:
        print_json(run.summary())
        return
    print(run_table(run))
    looked = f"{leakage_text(run)} " if run.leakage else ""
    print(f"\n{looked}For the whole picture: infoshed audit {shlex.quote(str(folder))}")
    if method != "plain":
        print(f"\nAgainst plain training: {against_plain(folder, data_dir)}")
    print(f"\nrun: {folder}" + (f"\nreport: {report}" if report else f"\n{NO_REPORT}"))


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


def against_plain(folder: Path, data_dir: str | None) -> str:
    """The commands that show what the run in `folder` gains over plain training with the same
    settings; the second alone where that has been trained beside it already."""
    config = load_run(folder).config
    plain = replace(config, method="plain", options={})
    usual = f"{Path(config.dataset).stem}-plain-seed{config.seed}"
    for beside in (folder.parent / usual, folder.with_name(f"{folder.name}-plain")):
        look = shlex.join(["infoshed", "audit", str(folder), "--before", str(beside)])
        if (beside / "results.json").is_file() and load_run(beside).config == plain:
            return look
        if not beside.exists():
            break
    words = ["--data-dir", data_dir] if data_dir else []
    return f"{command_of(plain)} {shlex.join([*words, '--out', str(beside)])}; then {look}"


def new_folder(name: str) -> Path:
    """runs/NAME, or the first of runs/NAME-2, -3, ... that is not there yet."""
    folder, count = Path("runs") / name, 1
    while folder.exists():
        count += 1
        folder = Path("runs") / f"{name}-{count}"
    return folder
