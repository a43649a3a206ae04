"""infoshed: train representations that keep the label and shed a bias attribute.

Given inputs x, labels y and an attribute c that is tied to y in the training data only, train
z = g(x) that predicts y and tells little about c, by estimating the mutual information I(Z;C)
with a critic while training and backpropagating it (arXiv 2003.06430).
"""

from infoshed.attributes import (
    Attribute,
    Binary,
    Categorical,
    Continuous,
    MultiCategorical,
    infer_attribute,
)
from infoshed.checks import InfoshedError, NonFiniteError
from infoshed.data import DATASETS, load
from infoshed.estimators import ESTIMATORS
from infoshed.methods import METHODS
from infoshed.offline import MIEstimate, estimate_mi
from infoshed.penalty import MutualInformationPenalty
from infoshed.pressure import Budget, FixedStrength
from infoshed.run import Run, load_run
from infoshed.train import fit
from infoshed.types import Batch, DataSet, Recipe, Split
from infoshed.version import __version__

__all__ = [
    "__version__",
    "Attribute",
    "Batch",
    "Binary",
    "Budget",
    "Categorical",
    "Continuous",
    "DATASETS",
    "DataSet",
    "ESTIMATORS",
    "FixedStrength",
    "InfoshedError",
    "METHODS",
    "MIEstimate",
    "MultiCategorical",
    "MutualInformationPenalty",
    "NonFiniteError",
    "Recipe",
    "Run",
    "Split",
    "estimate_mi",
    "fit",
    "infer_attribute",
    "load",
    "load_run",
]
