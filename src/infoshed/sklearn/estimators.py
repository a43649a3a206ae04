"""Estimators with scikit-learn's conventions: fit(X, y, sensitive_features=c), the rest as there.

    z = g(x),   y from h(z) (see `infoshed.targets`),   trained by a method of `infoshed.METHODS`

`transform` gives z, `predict` reads x alone: c is needed for training only. Without
`sensitive_features` training is plain (see `infoshed.sklearn.base`).

Where c is one discrete attribute and only the predictions matter, `method="reweigh"` is hard to
beat: faster, nothing to set, as accurate (see docs/scikit-learn.md). The information methods are
for z: what is handed on, probed or audited.

scikit-learn reads an estimator's parameters off the signature of its own class, so classes with
other parameters than the base repeat them.
"""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from torch import nn

from infoshed.sklearn.base import Debiased

SETTINGS = """

    Args:
        method: a name in `infoshed.METHODS`. "mi" sheds information while training; "reweigh"
            weighs rows so that y and c are independent, the better choice where only predictions
            count and c is discrete; "plain" is blind to c.
        strength: weight of what is shed; for mi 3 unless it or a budget is given.
        budget: with mi: nats, a share of H(C) ("5%"), or "label", instead of a strength.
        options: further options of the method, such as {"conditional": False}.
        encoder: a name in `infoshed.nn.ENCODERS`, or a module from inputs to (n, dim).
        dim: columns of z; unless given, as many as there are classes or numbers, but 2 to 16: in
            more, z hides from the critic what it should shed.
        epochs, batch_size: unless given, by the number of rows: batches of 32 to 512, and at least
            500 steps within 4 to 100 epochs.
        lr: Adam's learning rate; unless given, the method's own, for most 1e-3.
        attribute_kind: "categorical" or "continuous", where sensitive features do not say.
        validation_fraction: rows held out to watch the critic and to steer a budget.
        random_state: of everything random.

    Attributes: `n_features_in_`, `feature_names_in_`, `n_iter_`, `encoding_`, and
    `run_`, the `infoshed.Run`.
    """

CLASS_WEIGHT = """
    `class_weight` is {class: weight}, or "balanced"; it is multiplied with `sample_weight`.
    """


class DebiasedTransformer(Debiased):
    __doc__ = (
        "X -> z (n, dim), a representation that keeps what predicts y and sheds what tells the "
        "sensitive features. y are classes (n,), an indicator matrix (n, k) of labels, or numbers "
        '(n,) or (n, k); target_kind says "classes" or "numbers" where y does not, numbers being '
        "those with fractions." + SETTINGS + CLASS_WEIGHT
    )

    def __init__(
        self,
        method: str = "mi",
        *,
        strength: float | str | dict[str, float] | None = None,
        budget: float | str | dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        encoder: str | nn.Module | None = None,
        dim: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        class_weight: dict[Any, float] | str | None = None,
        attribute_kind: str = "auto",
        target_kind: str = "auto",
        validation_fraction: float = 0.1,
        random_state: Any = 0,
    ):
        super().__init__(
            method,
            strength=strength,
            budget=budget,
            options=options,
            encoder=encoder,
            dim=dim,
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            class_weight=class_weight,
            attribute_kind=attribute_kind,
            validation_fraction=validation_fraction,
            random_state=random_state,
        )
        self.target_kind = target_kind

    @property
    def _target_kind(self) -> str:
        return self.target_kind


class DebiasedClassifier(ClassifierMixin, Debiased):
    __doc__ = (
        "A classifier whose representation sheds what tells the sensitive features; it reads X "
        "alone. y are classes (n,), or an indicator matrix (n, k) of labels; `classes_` are the "
        "classes, or 0..k-1." + SETTINGS + CLASS_WEIGHT
    )

    @property
    def _target_kind(self) -> str:
        return "classes"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities (n, classes), in the order of `classes_`; of labels (n, labels), each
        the probability that the label is there."""
        outputs = self._outputs(X)
        return self.run_.target.probabilities(outputs).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """Classes (n,) as `fit` was given them, or labels (n, labels) of 0 and 1."""
        outputs = self._outputs(X)
        guess = self.run_.target.predictions(outputs).numpy()
        return self.classes_[guess] if guess.ndim == 1 else guess


class DebiasedRegressor(RegressorMixin, Debiased):
    __doc__ = (
        "A regressor whose representation sheds what tells the sensitive features; it reads X "
        "alone. y are numbers (n,) or (n, k); the loss is the squared error of standardised y. "
        "Unless given, dim is that of y, but 2 to 16, and the critic of mi takes 5 steps for each "
        "of the encoder: in more columns, or from fewer, z hides what it should shed." + SETTINGS
    )

    def __init__(
        self,
        method: str = "mi",
        *,
        strength: float | str | dict[str, float] | None = None,
        budget: float | str | dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        encoder: str | nn.Module | None = None,
        dim: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        attribute_kind: str = "auto",
        validation_fraction: float = 0.1,
        random_state: Any = 0,
    ):
        super().__init__(
            method,
            strength=strength,
            budget=budget,
            options=options,
            encoder=encoder,
            dim=dim,
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            attribute_kind=attribute_kind,
            validation_fraction=validation_fraction,
            random_state=random_state,
        )

    @property
    def _target_kind(self) -> str:
        return "numbers"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: Any) -> np.ndarray:
        """Numbers (n,) or (n, k) in the unit of y."""
        outputs = self._outputs(X)
        return self.run_.target.predictions(outputs).numpy()
