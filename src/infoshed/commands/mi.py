"""`infoshed mi`: the information that one file tells about another."""

import sys
from typing import Annotated

from cyclopts import Group, Parameter
from rich.console import Console

from infoshed.commands.output import Json, print_json
from infoshed.settings import DATA, AttributeKind, Whole
from infoshed.tables import estimate_text

ESTIMATE = Group("Estimate")


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
    kind = f"has {sample.values:,} values" if sample.values else "is continuous"
    columns = sample.z.shape[1]
    columns_text = f"{columns:,} column{'s' * (columns != 1)} of z"
    print(estimate_text(estimate, f"{estimate.rows:,} rows, {columns_text}; {sample.name} {kind}"))
