"""scikit-learn's estimators over `infoshed.fit`: `DebiasedClassifier`, `DebiasedRegressor`,
`DebiasedTransformer`."""

from infoshed.sklearn.estimators import (
    DebiasedClassifier,
    DebiasedRegressor,
    DebiasedTransformer,
)

__all__ = ["DebiasedClassifier", "DebiasedRegressor", "DebiasedTransformer"]
