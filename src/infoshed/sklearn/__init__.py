"""scikit-learn's estimators over `infoshed.fit`: `DebiasedClassifier`, `DebiasedTransformer`."""

from infoshed.sklearn.estimators import DebiasedClassifier, DebiasedTransformer

__all__ = ["DebiasedClassifier", "DebiasedTransformer"]
