"""`infoshed audit`: what is in a representation, and how predictions treat groups."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from cyclopts import Group, Parameter

from infoshed.checks import InfoshedError, check_number
from infoshed.commands.output import (
    OUTPUT,
    Findings,
    Json,
    command_line,
    print_json,
    shown,
    writer,
)
from infoshed.data import DATASETS
from infoshed.progress import working
from infoshed.run import Config, Run, check_unchanged, data_of, load_run, versions
from infoshed.settings import DATA, AttributeKind, Whole
from infoshed.tables import folded
from infoshed.types import DataSet

if TYPE_CHECKING:
    from infoshed.auditing import Audit

AUDIT = Group("Audit")
LEAKS = 3
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
    before: Annotated[str | None, Parameter(group=AUDIT)] = None,
    least_group: Annotated[int, Whole, Parameter(group=AUDIT)] = 30,
    estimator: Annotated[Panel, Parameter(group=AUDIT)] = "auto",
    seed: Annotated[int, Whole, Parameter(group=AUDIT)] = 0,
    fail_above: Annotated[str | None, Parameter(group=AUDIT)] = None,
    out: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    as_json: Json = False,
) -> None:
    """What embeddings still tell about an attribute, and how predictions treat its groups.

    `infoshed audit z.npy --attribute people.csv:sex,race --target people.csv:label --predictions
    guess.npy`, or `infoshed audit runs/mine` for a run; with `--out report.html` a page to read.
    Fresh probes, mutual information with an interval, given the target too, and figures by group.
    Give rows that the encoder was not trained on. Every file is .npy, .npz, .csv, .tsv or .parquet;
    FILE:NAME takes one column, or several with commas.

    Parameters
    ----------
    source
        File of the representation, numbers with a row for each example; or a run folder.
    attribute
        File of the attributes; several columns are audited one by one and all together. Rows that
        lack one are dropped.
    target
        File of what is predicted: classes, or fractions for a quantity. Rows without are dropped.
    predictions
        File of predictions, in the target's own values.
    scores
        File of probabilities: of the positive class, or a column for each class in sorted order.
    attribute_kind
        What the attributes are, where numbers do not say; of files, as a run has decided.
    positive
        The class that is wished for, of two; the last unless given, in sorted order of files.
    split
        Of a run: validation or a test split; unless given, unbiased, test, or the first one.
    data_dir
        Of a run: folder that holds the data set's files.
    before
        Compare with this, audited on the same rows: the file of another representation, or the
        folder of another run on the same data.
    least_group
        Groups with fewer rows are listed as left out.
    estimator
        auto, or quick for the fast judges only, which can miss some; not with --fail-above.
    seed
        Of everything random.
    fail_above
        Exit with code 3 if an attribute's leakage may exceed this share of H(C), 0.05 or 5%: the
        upper end of the 95% interval counts, and 100% where most values are too rare to tell.
    out
        Write the audit to this file too: .html, a page to read, or .json.
    as_json
        Print one JSON document instead of text.
    """
    from infoshed.auditing.text import audit_text

    write = writer(out)
    most = None if fail_above is None else share_of("fail-above", fail_above)
    if most is not None and estimator == "quick":
        raise InfoshedError(
            "--fail-above goes by the upper end of the interval, and quick judges can miss what "
            "lies above it; leave out --estimator quick"
        )
    settings = {"least_group": least_group, "estimator": estimator, "seed": seed}
    files = {
        "attribute": attribute, "target": target, "predictions": predictions, "scores": scores,
        "positive": positive,
    }  # fmt: skip
    if Path(source).is_dir():
        given = [f"--{n}" for n, value in files.items() if value is not None and n != "positive"]
        if given:
            raise InfoshedError(
                f"{source} is a run folder, which has its own data; leave out {', '.join(given)}"
            )
        if attribute_kind != "auto":
            raise InfoshedError(
                f"--attribute-kind is for files; {source} has its attribute as it was trained: "
                "`infoshed train ... --attribute-kind` decides, and an audit of files may differ"
            )
        found = _of_run(source, before, split, data_dir, most, settings | {"positive": positive})
    else:
        _check_file(source)
        if split is not None or data_dir is not None:
            raise InfoshedError("--split and --data-dir are for run folders, and this is a file")
        found = _of_files(source, before, files, attribute_kind, most, settings)
    about = files | {"attribute kind": attribute_kind, "split": split, "before": before}
    about |= {"least group": least_group, "estimator": estimator, "seed": seed}
    write(Findings(found.document(), lambda: found.page(source, shown(about))))
    if as_json:
        print_json(found.document())
    else:
        print(folded(audit_text(found.audit, found.before)))
    if most is not None:
        above = [part for part in found.audit.parts if (part.upper_share or 0) > most]
        for part in above:
            print(
                f"infoshed: {part.name}: the leakage may be {part.upper_share:.1%} of H(C), above "
                f"{most:.1%}",
                file=sys.stderr,
            )
        if above:
            sys.exit(LEAKS)


@dataclass(frozen=True)
class Audited:
    """What came of it: the audit, that of `--before` if there is one, and of a run its data and the
    runs by name."""

    audit: "Audit"
    before: "Audit | None"
    runs: dict[str, Run]
    data: DataSet | None = None

    def document(self) -> dict[str, Any]:
        """As JSON: a verdict for each attribute, then everything (`Audit.from_dict`)."""
        compared = {} if self.before is None else {"before": document(self.before)}
        return document(self.audit) | compared

    def page(self, source: str, settings: dict[str, str]) -> str:
        """As an HTML page."""
        import sklearn

        from infoshed.report.audit import AuditContent, render_audit
        from infoshed.report.collect import config_of, training_of

        training = None
        if self.data is not None:
            training = training_of(self.runs, self.data)
            newest = list(self.runs.values())[-1]
            config = config_of(newest)
            settings |= shown({"training seed": config.pop("seed")} | config)
        return render_audit(
            AuditContent(
                audit=self.audit,
                subject=source,
                before=None if self.before is None else (settings["before"], self.before),
                training=training,
                settings=settings,
                command=command_line(),
                versions=versions() | {"scikit-learn": sklearn.__version__},
            )
        )


def document(found: "Audit") -> dict[str, Any]:
    """The JSON of one audit."""
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


def share_of(name: str, text: str) -> float:
    """A share from 0.05 or 5%. Raises `InfoshedError` unless it is one."""
    percent = text.strip().endswith("%")
    try:
        value = float(text.strip().removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        raise InfoshedError(f"`{name}` must be a share such as 0.05 or 5%; got {text!r}") from None
    if not percent and value > 1:
        raise InfoshedError(f"`{name}` must be a share such as 0.05 or 5%; got {text!r}")
    check_number(name, value, 0, 1)
    return value


def _check_file(source: str) -> None:
    """Raise `InfoshedError` where `source` is meant as a run folder, and there is none."""
    from infoshed.files.formats import FORMATS
    from infoshed.files.table import split_source

    path = split_source(source)[0]
    if path.suffix.lower() not in FORMATS and not path.exists():
        near = [str(p.parent) for p in sorted(path.parent.glob("*/config.json"))][:5]
        there = f" (there are {', '.join(near)})" if near else ""
        raise InfoshedError(
            f"{source} does not exist; give a run folder that `infoshed train` wrote{there}, or a "
            f"file: {', '.join(FORMATS)}"
        )


def _of_run(
    folder: str,
    before: str | None,
    split: str | None,
    data_dir: str | None,
    fail_above: float | None,
    settings: dict[str, Any],
) -> Audited:
    from infoshed.auditing.run import audit_run

    run = load_run(folder)
    config = run.config
    if config.dataset not in DATASETS and config.inputs is None:
        raise InfoshedError(
            f"the data of {folder} ('{config.dataset}') are not a data set of the library; in "
            "Python: infoshed.audit(run.encode(x), c, y, predictions=run.predict(x))"
        )
    other = None if before is None else load_run(before)
    differ = [] if other is None else differences(other.config, config)
    if differ:
        raise InfoshedError(
            f"--before: {before} and {folder} must be runs on the same data, split and all; "
            f"they differ in {', '.join(differ)}"
        )
    data = data_of(config, data_dir)
    if other is not None:
        check_unchanged(other.config, data)
    if fail_above is not None:
        _refuse_quantities(run.attribute.decode(data.train.c[:1]))
    with working(f"audit of {folder}") as say:
        found = audit_run(run, data, split, say=say, **settings)
    if other is None:
        return Audited(found, None, {config.method: run}, data)
    with working(f"audit of {before}") as say:
        compared = audit_run(other, data, split, say=say, **settings)
    runs = {f"before, {other.config.method}": other, f"after, {config.method}": run}
    return Audited(found, compared, runs, data)


def differences(one: Config, other: Config) -> list[str]:
    """The entries in which the data of two runs differ, each with its two values; none where they
    are the same."""
    if one.dataset != other.dataset:
        return [f"the data set ({one.dataset} and {other.dataset})"]
    pairs = {name: (one.params.get(name), other.params.get(name)) for name in
             {**one.params, **other.params}}  # fmt: skip
    said = {k: ["none" if v is None else str(v) for v in pair] for k, pair in pairs.items()}
    return [f"{name} ({' and '.join(pair)})" for name, pair in said.items() if pair[0] != pair[1]]


def _of_files(
    source: str,
    before: str | None,
    files: dict[str, str | None],
    kind: str,
    fail_above: float | None,
    settings: dict[str, Any],
) -> Audited:
    from infoshed.auditing import audit as audit_arrays
    from infoshed.files import read_tables, split_source

    if files["attribute"] is None:
        raise InfoshedError("which attribute? infoshed audit FILE --attribute FILE:NAME")
    missing = [f"--{name}" for name in ("predictions", "scores", "positive") if files[name]]
    if files["target"] is None and missing:
        raise InfoshedError(f"{', '.join(missing)} need --target, the file of what is predicted")
    roles = {"Z": source, "C": files["attribute"]}
    roles |= {f"--{name}": files[name] for name in ("target", "predictions", "scores")}
    tables, notes = read_tables(roles)
    other = None if before is None else read_tables(roles | {"Z": before})[0]["Z"].matrix()
    c, decided = read_attributes(tables["C"].columns, kind)
    if len(c) > 1 and split_source(files["attribute"])[1] is None:
        decided.append(
            f"--attribute {files['attribute']} names no column, so all {len(c)} are audited: "
            f"{', '.join(c)}; {files['attribute']}:NAME audits one"
        )
    if fail_above is not None:
        _refuse_quantities(c)
    for note in notes + decided:
        print(f"infoshed: {note}", file=sys.stderr)
    label = next(iter(tables["--target"].columns), "") if files["target"] else ""
    given: dict[str, Any] = {
        "y": tables["--target"].values() if files["target"] else None,
        "target_name": label if label and not label.isdecimal() else "y",
        **settings,
    }
    with working(f"audit of {source}") as say:
        found = audit_arrays(
            tables["Z"].matrix(),
            c,
            **given,
            positive=files["positive"],
            predictions=tables["--predictions"].values() if files["predictions"] else None,
            scores=tables["--scores"].matrix() if files["scores"] else None,
            say=say,
        )
    compared = None
    if other is not None:  # predictions are those of z, not of what was before it
        with working(f"audit of {before}") as say:
            compared = audit_arrays(other, c, say=say, **given)
    return Audited(found, compared, {})


def read_attributes(
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
