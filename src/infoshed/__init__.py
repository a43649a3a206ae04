"""infoshed: train representations that keep the label and shed a bias attribute.

Given inputs x, labels y and an attribute c that is tied to y in the training data only, train
z = g(x) that predicts y and tells little about c, by estimating the mutual information I(Z;C)
with a critic while training and backpropagating it (arXiv 2003.06430).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from infoshed.attributes import (
    Attribute,
    Binary,
    Categorical,
    Continuous,
    Mixed,
    MultiCategorical,
    infer_attribute,
)
from infoshed.checks import InfoshedError, NonFiniteError
from infoshed.data import DATASETS, load
from infoshed.estimators import ESTIMATORS
from infoshed.label_prior import LabelPrior
from infoshed.layer import ShedLayer
from infoshed.methods import METHODS
from infoshed.penalty import MutualInformationPenalty
from infoshed.pressure import Budget, FixedStrength, Ramp
from infoshed.run import Run, load_run
from infoshed.targets import Classes, Labels, Numbers, Target
from infoshed.train import fit
from infoshed.types import Batch, DataSet, Recipe, Split
from infoshed.version import __version__

if TYPE_CHECKING:
    from infoshed.auditing import (
        Audit,
        DataAudit,
        audit,
        audit_data,
        audit_encoder,
        audit_run,
    )
    from infoshed.offline import MIEstimate, estimate_mi
    from infoshed.sklearn import DebiasedClassifier, DebiasedRegressor, DebiasedTransformer

# Imported when first asked for: they need scikit-learn, slower to import than all the rest.
LAZY = {
    "Audit": "infoshed.auditing",
    "DataAudit": "infoshed.auditing",
    "DebiasedClassifier": "infoshed.sklearn",
    "DebiasedRegressor": "infoshed.sklearn",
    "DebiasedTransformer": "infoshed.sklearn",
    "MIEstimate": "infoshed.offline",
    "audit": "infoshed.auditing",
    "audit_data": "infoshed.auditing",
    "audit_encoder": "infoshed.auditing",
    "audit_run": "infoshed.auditing",
    "estimate_mi": "infoshed.offline",
}


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(LAZY[name]), name)


__all__ = [
    "__version__",
    "Attribute",
    "Audit",
    "Batch",
    "Binary",
    "Budget",
    "Categorical",
    "Classes",
    "Continuous",
    "DATASETS",
    "DataAudit",
    "DataSet",
    "DebiasedClassifier",
    "DebiasedRegressor",
    "DebiasedTransformer",
    "ESTIMATORS",
    "FixedStrength",
    "InfoshedError",
    "LabelPrior",
    "Labels",
    "METHODS",
    "MIEstimate",
    "Mixed",
    "MultiCategorical",
    "MutualInformationPenalty",
    "NonFiniteError",
    "Numbers",
    "Ramp",
    "Recipe",
    "Run",
    "ShedLayer",
    "Split",
    "Target",
    "audit",
    "audit_data",
    "audit_encoder",
    "audit_run",
    "estimate_mi",
    "fit",
    "infer_attribute",
    "load",
    "load_run",
]
