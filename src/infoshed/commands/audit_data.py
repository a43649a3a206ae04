"""`infoshed audit-data`: how labels and attributes are tied in a table."""

import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from infoshed.checks import InfoshedError, meant
from infoshed.commands.audit import AUDIT, read_attributes
from infoshed.commands.output import (
    OUTPUT,
    Findings,
    Json,
    command_line,
    print_json,
    shown,
    writer,
)
from infoshed.data import DATASETS, load
from infoshed.run import versions
from infoshed.settings import DATA, AttributeKind, Whole
from infoshed.tables import folded


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
    out: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    as_json: Json = False,
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
    out
        Write the audit to this file too: .html, a page to read, or .json.
    as_json
        Print one JSON document instead of text.
    """
    from infoshed.auditing.data import audit_data as audit_table
    from infoshed.auditing.text import data_text

    write = writer(out)
    if source in DATASETS and not Path(source).is_file():
        if target is not None:
            raise InfoshedError(f"'{source}' is a data set with its own target; leave out --target")
        given = {
            "attribute": attribute, "data_dir": data_dir, "sigma2": sigma2, "train_on": train_on,
        }  # fmt: skip
        data = load(source, seed=seed, **{k: v for k, v in given.items() if v is not None})
        y: Any = np.array(data.classes)[data.train.y.numpy()]
        c, label = data.attribute.decode(data.train.c), "label"
    else:
        if not Path(source).suffix and not Path(source).exists():
            raise InfoshedError(
                f"{source} is neither a file nor a data set; data sets are {', '.join(DATASETS)}"
                f"{meant(source, DATASETS)}"
            )
        if target is None or attribute is None:
            raise InfoshedError(
                "which columns? infoshed audit-data FILE --target NAME --attribute NAME; or the "
                f"name of a data set: {', '.join(DATASETS)}"
            )
        given = {"data-dir": data_dir, "sigma2": sigma2, "train-on": train_on}
        foreign = [f"--{name}" for name, value in given.items() if value is not None]
        if foreign:
            raise InfoshedError(f"{', '.join(foreign)}: for data sets by name, and this is a file")
        from infoshed.files import read_table
        from infoshed.files.gaps import complete_tables

        asked = {"target": target, "attribute": attribute}
        tables, dropped = complete_tables(
            {k: read_table(f"{source}:{names}", missing=True) for k, names in asked.items()}, asked
        )
        y, label = tables["target"].values(), target
        c, notes = read_attributes(tables["attribute"].columns, attribute_kind)
        for note in dropped + notes:
            print(f"infoshed: {note}", file=sys.stderr)
    found = audit_table(y, c, target_name=label, least_cell=least_cell, seed=seed)
    settings = {**given, "target": target, "attribute": attribute, "least cell": least_cell}

    def page() -> str:
        from infoshed.report.data import DataContent, render_data_audit

        about = shown(settings | {"seed": seed})
        return render_data_audit(DataContent(found, source, about, command_line(), versions()))

    write(Findings(found.to_dict(), page))
    if as_json:
        print_json(found.to_dict())
    else:
        print(folded(data_text(found)))
