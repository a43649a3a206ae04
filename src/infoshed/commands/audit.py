"""`infoshed audit` and `infoshed audit-data`: what is in a representation, and in a table."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from cyclopts import Group, Parameter

from infoshed.checks import InfoshedError, check_number
from infoshed.data import DATASETS, load
from infoshed.io import write_json
from infoshed.run import load_run
from infoshed.settings import DATA, Whole

if TYPE_CHECKING:
    from infoshed.auditing import Audit

AUDIT = Group("Audit")
OUTPUT = Group("Output")
LEAKS = 3
AttributeKind = Literal["auto", "categorical", "continuous"]
Panel = Literal["auto", "quick"]


def audit(
    source: str,
    /,
    *,
    attribute: Annotated[str | None, Parameter(group=DATA)] = None,
    target: Annotated[str | None, Parameter(group=DATA)] = None,
    predictions: Annotated[str | None, Parameter(group=DATA)] = None,
    scores: Annotated[str | None, Parameter(group=DATA)] = None,
    attribute_kind: Annotated[AttributeKind, Parameter(group=DATA)] = "auto",
    positive: Annotated[str | None, Parameter(group=DATA)] = None,
    split: Annotated[str | None, Parameter(group=DATA)] = None,
    data_dir: Annotated[str | None, Parameter(group=DATA)] = None,
    least_group: Annotated[int, Whole, Parameter(group=AUDIT)] = 30,
    estimator: Annotated[Panel, Parameter(group=AUDIT)] = "auto",
    seed: Annotated[int, Whole, Parameter(group=AUDIT)] = 0,
    fail_above: Annotated[float | None, Parameter(group=AUDIT)] = None,
    out: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="", group=OUTPUT)] = False,
) -> None:
    """What embeddings still tell about an attribute, and how predictions treat its groups.

    `infoshed audit z.npy --attribute people.csv:sex,race --target people.csv:label --predictions
    guess.npy`, or `infoshed audit runs/mine` for a run. Fresh probes, mutual information with an
    interval, given the target too, and figures by group. Give rows that the encoder was not trained
    on. Every file is .npy, .npz, .csv, .tsv or .parquet; FILE:NAME takes one column, or several
    with commas.

    Parameters
    ----------
    source
        File of the representation, numbers with a row for each example; or a run folder.
    attribute
        File of the attributes; several columns are audited one by one and all together.
    target
        File of what is predicted: classes, or fractions for a quantity.
    predictions
        File of predictions, in the target's own values.
    scores
        File of probabilities: of the positive class, or a column for each class in sorted order.
    attribute_kind
        What the attributes are, where numbers do not say.
    positive
        The class that is wished for, of two; the last in sorted order unless given.
    split
        Of a run: validation or a test split; unless given, unbiased, test, or the first one.
    data_dir
        Of a run: folder that holds the data set's files.
    least_group
        Groups with fewer rows are listed as left out.
    estimator
        auto, or quick for the fast judges only.
    seed
        Of everything random.
    fail_above
        Exit with code 3 if an attribute's leakage may exceed this share of H(C): the upper end of
        the 95% interval counts. 0.05 is 5%.
    out
        Write the audit to this file too: .json.
    as_json
        Print one JSON document instead of text.
    """
    from infoshed.auditing.text import audit_text

    writer = None if out is None else _writer(out)
    if fail_above is not None:
        check_number("fail-above", fail_above, 0, 1)
    settings = {"least_group": least_group, "estimator": estimator, "seed": seed}
    files = {
        "attribute": attribute, "target": target, "predictions": predictions, "scores": scores,
        "positive": positive,
    }  # fmt: skip
    if Path(source).is_dir():
        given = [f"--{name}" for name, value in files.items() if value is not None]
        if given:
            raise InfoshedError(
                f"{source} is a run folder, which has its own data; leave out {', '.join(given)}"
            )
        found, notes = _of_run(Path(source), split, data_dir, fail_above, settings), []
    else:
        if split is not None or data_dir is not None:
            raise InfoshedError("--split and --data-dir are for run folders, and this is a file")
        found, notes = _of_files(source, files, attribute_kind, fail_above, settings)
    for note in notes:
        print(f"infoshed: {note}", file=sys.stderr)
    if writer is not None and out is not None:
        writer(found, out)
    print(json.dumps(document(found), indent=2, allow_nan=False) if as_json else audit_text(found))
    if fail_above is not None:
        above = [part for part in found.parts if (part.upper_share or 0) > fail_above]
        for part in above:
            print(
                f"infoshed: {part.name}: the leakage may be {part.upper_share:.1%} of H(C), above "
                f"{fail_above:.1%}",
                file=sys.stderr,
            )
        if above:
            sys.exit(LEAKS)


def audit_data(
    source: str,
    /,
    *,
    target: Annotated[str | None, Parameter(group=DATA)] = None,
    attribute: Annotated[str | None, Parameter(group=DATA)] = None,
    attribute_kind: Annotated[AttributeKind, Parameter(group=DATA)] = "auto",
    data_dir: Annotated[str | None, Parameter(group=DATA)] = None,
    sigma2: Annotated[float | None, Parameter(group=DATA)] = None,
    train_on: Annotated[str | None, Parameter(group=DATA)] = None,
    least_cell: Annotated[int, Whole, Parameter(group=AUDIT)] = 30,
    seed: Annotated[int, Whole, Parameter(group=AUDIT)] = 0,
    as_json: Annotated[bool, Parameter(name="--json", negative="", group=OUTPUT)] = False,
) -> None:
    """How labels and attributes are tied in a table, and whether debiasing can help.

    `infoshed audit-data people.csv --target label --attribute sex,race`, or `infoshed audit-data
    digits` for the training rows of a data set of `infoshed list`.

    Parameters
    ----------
    source
        A .csv, .tsv, .parquet or .npz file, or the name of a data set.
    target
        Of a file: the column that is predicted.
    attribute
        Of a file: the columns of the attributes, with commas. Of german: sex or age.
    attribute_kind
        Of a file: what the attributes are, where numbers do not say.
    data_dir
        Of a data set: folder that holds its files.
    sigma2
        Of coloured digits: variance of the colour around its class's mean.
    train_on
        Of faces: the biased set, EB1 or EB2.
    least_cell
        Cells with fewer rows are called tiny.
    seed
        Of everything random, and of a data set.
    as_json
        Print one JSON document instead of text.
    """
    from infoshed.auditing.data import audit_data as audit_table
    from infoshed.auditing.run import named_values
    from infoshed.auditing.text import data_text

    if source in DATASETS and not Path(source).is_file():
        if target is not None:
            raise InfoshedError(f"'{source}' is a data set with its own target; leave out --target")
        given = {
            "attribute": attribute, "data_dir": data_dir, "sigma2": sigma2, "train_on": train_on,
        }  # fmt: skip
        data = load(source, seed=seed, **{k: v for k, v in given.items() if v is not None})
        y: Any = np.array(data.classes)[data.train.y.numpy()]
        c, label = named_values(data.attribute, data.train.c.numpy()), "label"
    else:
        if target is None or attribute is None:
            raise InfoshedError(
                "which columns? infoshed audit-data FILE --target NAME --attribute NAME; or the "
                f"name of a data set: {', '.join(DATASETS)}"
            )
        given = {"data-dir": data_dir, "sigma2": sigma2, "train-on": train_on}
        foreign = [f"--{name}" for name, value in given.items() if value is not None]
        if foreign:
            raise InfoshedError(f"{', '.join(foreign)}: for data sets by name, and this is a file")
        from infoshed.files import read_column, read_table

        y, label = read_column(f"{source}:{target}"), target
        c, notes = _attributes(read_table(f"{source}:{attribute}").columns, attribute_kind)
        for note in notes:
            print(f"infoshed: {note}", file=sys.stderr)
    found = audit_table(y, c, target_name=label, least_cell=least_cell, seed=seed)
    print(json.dumps(found.to_dict(), indent=2, allow_nan=False) if as_json else data_text(found))


def document(found: "Audit") -> dict[str, Any]:
    """The JSON of an audit: a verdict for each attribute, then everything (`Audit.from_dict`)."""
    from infoshed.auditing.text import verdict

    verdicts = [
        {
            "attribute": part.name,
            "leaks": part.leaks,
            "upper_share": part.upper_share,
            "sentence": verdict(part),
        }
        for part in found.parts
    ]
    return {"verdicts": verdicts, "audit": found.to_dict()}


def _write_json(found: "Audit", path: Path) -> None:
    write_json(path, document(found))


WRITERS: dict[str, Callable[["Audit", Path], None]] = {".json": _write_json}
"""What `--out` writes, by the end of the file's name."""


def _writer(out: Path) -> Callable[["Audit", Path], None]:
    if out.suffix.lower() not in WRITERS:
        raise InfoshedError(f"--out: cannot write {out}; known: {', '.join(WRITERS)}")
    if not out.parent.is_dir():
        raise InfoshedError(f"--out: the folder {out.parent} does not exist; make it first")
    return WRITERS[out.suffix.lower()]


def _of_run(
    folder: Path,
    split: str | None,
    data_dir: str | None,
    fail_above: float | None,
    settings: dict[str, Any],
) -> "Audit":
    from infoshed.auditing.run import audit_run, named_values

    run = load_run(folder)
    if run.config.dataset not in DATASETS and run.config.inputs is None:
        raise InfoshedError(
            f"the data of {folder} ('{run.config.dataset}') are not a data set of the library; in "
            "Python: infoshed.audit(run.encode(x), c, y, predictions=run.predict(x))"
        )
    place = {"data_dir": data_dir} if data_dir else {}
    data = load(run.config.dataset, **run.config.params, **place)
    if fail_above is not None:
        _refuse_quantities(named_values(run.attribute, data.train.c[:1].numpy()))
    return audit_run(run, data, split, **settings)


def _of_files(
    source: str,
    files: dict[str, str | None],
    kind: str,
    fail_above: float | None,
    settings: dict[str, Any],
) -> tuple["Audit", list[str]]:
    from infoshed.auditing import audit as audit_arrays
    from infoshed.files import read_tables

    if files["attribute"] is None:
        raise InfoshedError("which attribute? infoshed audit FILE --attribute FILE:NAME")
    missing = [f"--{name}" for name in ("predictions", "scores", "positive") if files[name]]
    if files["target"] is None and missing:
        raise InfoshedError(f"{', '.join(missing)} need --target, the file of what is predicted")
    roles = {"Z": source, "C": files["attribute"]}
    roles |= {f"--{name}": files[name] for name in ("target", "predictions", "scores")}
    tables, notes = read_tables(roles)
    c, decided = _attributes(tables["C"].columns, kind)
    if fail_above is not None:
        _refuse_quantities(c)
    label = next(iter(tables["--target"].columns), "") if files["target"] else ""
    found = audit_arrays(
        tables["Z"].matrix(),
        c,
        tables["--target"].values() if files["target"] else None,
        predictions=tables["--predictions"].values() if files["predictions"] else None,
        scores=tables["--scores"].matrix() if files["scores"] else None,
        positive=files["positive"],
        target_name=label if label and not label.isdecimal() else "y",
        **settings,
    )
    return found, notes + decided


def _attributes(
    columns: dict[str, np.ndarray], kind: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Attributes by name from the columns of a file, and what was decided about them."""
    from infoshed.files import as_kind

    found, notes = {}, []
    for name, column in columns.items():
        name = "c" if not name or (name.isdecimal() and len(columns) == 1) else name
        if column.ndim > 2:
            raise InfoshedError(f"{name} has shape {column.shape}, expected (n,) or (n, k)")
        parts = column[:, None] if column.ndim == 1 else column
        for i, part in enumerate(parts.T):
            part_name = name if parts.shape[1] == 1 else f"{name}[{i}]"
            found[part_name], said = as_kind(part, kind, part_name)
            notes += said
    return found, notes


def _refuse_quantities(c: dict[str, np.ndarray]) -> None:
    names = [name for name, values in c.items() if values.dtype.kind == "f"]
    if names:
        raise InfoshedError(
            f"--fail-above is a share of H(C), and a quantity ({', '.join(names)}) has none; bin "
            "it, or give --attribute-kind categorical"
        )
