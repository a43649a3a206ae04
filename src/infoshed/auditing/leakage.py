"""What fresh judges read of each attribute in z of a run's validation rows: a first look, kept with
the run (`Run.leakage`). `infoshed.audit_run` is the whole audit.

    I(Z;C)  by the quick judges of `infoshed.estimate_mi`, fitted afresh, beside
    I(Y;C)  of the training table: what predicting y without error tells of c by itself
"""

from typing import Any

from infoshed.checks import InfoshedError
from infoshed.evaluate import features_of
from infoshed.information import label_information
from infoshed.offline import estimate_mi
from infoshed.run import Run
from infoshed.types import DataSet


def leakage_of(run: Run, data: DataSet) -> list[dict[str, Any]]:
    """What is left of every attribute in z, as `Run.leakage` has it. Raises `InfoshedError` where
    the validation rows are too few to tell."""
    split, told = data.validation, {}
    known = run.attribute.known(split.c)
    z = features_of(run.model, split)[known]
    y = run.target.strata(data.train.y)
    for part, codes in zip(run.attribute.parts, run.attribute.split(data.train.c), strict=True):
        if part.heads:
            rows = part.known(codes)
            told[part.name] = float(label_information(y[rows], codes[rows], part))
    found = []
    for name, values in run.attribute.decode(split.c[known]).items():
        try:
            estimate = estimate_mi(z, values, estimator="quick", name=name)
        except InfoshedError as error:
            raise InfoshedError(f"what z tells of {name} could not be estimated: {error}") from None
        found.append(
            {
                "attribute": name,
                "rows": len(z),
                "nats": estimate.nats,
                "low": estimate.low,
                "high": estimate.high,
                "share_of_entropy": estimate.share_of_entropy,
                "label_nats": told.get(name),
            }
        )
    return found
