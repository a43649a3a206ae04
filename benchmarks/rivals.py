"""What a user would otherwise pick, each as a function of a sample of a case."""

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from infoshed.truth import Sample


def logistic_bound(sample: Sample) -> float:
    """H(C) minus the cross-validated cross-entropy of a logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    c = sample.c
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    p = cross_val_predict(model, sample.z, c, cv=5, method="predict_proba")
    share = np.bincount(c) / len(c)
    own = np.asarray(p)[np.arange(len(c)), c]
    return float(np.mean(np.log(np.maximum(own, 1e-12) / share[c])))


def largest_column(sample: Sample) -> float:
    """The largest of scikit-learn's estimates for single columns of z."""
    from sklearn.feature_selection import mutual_info_classif

    return float(mutual_info_classif(sample.z, sample.c, random_state=0).max())


def torch_mist(name: str) -> Callable[[Sample], float]:
    """torch-mist's estimate with its own defaults, early stopping on a tenth of the rows."""

    def estimate(sample: Sample) -> float:
        from torch_mist import estimate_mi  # type: ignore[import-not-found]

        c = sample.c
        pair = np.eye(int(c.max()) + 1)[c] if c.dtype.kind == "i" else c
        value = estimate_mi(
            data=(sample.z.astype(np.float32), pair.astype(np.float32)),
            estimator=name, hidden_dims=[64, 64], max_epochs=20, batch_size=128, verbose=False,
        )  # fmt: skip
        return float(value[0] if isinstance(value, tuple) else value)  # type: ignore[arg-type]

    return estimate


RIVALS: dict[str, Callable[[Sample], float]] = {
    "sklearn mutual_info_classif": largest_column,
    "logistic regression": logistic_bound,
}
if find_spec("torch_mist"):
    RIVALS |= {"torch-mist smile": torch_mist("smile"), "torch-mist mine": torch_mist("mine")}
