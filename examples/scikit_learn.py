"""A table with categorical columns, in scikit-learn's manner: train, audit by group, hand on z.

Loans in which sex and repayment are tied in the training data; the job gives the sex away.
"""

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, selection_rate
from sklearn.metrics import accuracy_score

from infoshed import DebiasedClassifier


def loans(rows: int, tie: float, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    paid = rng.random(rows) < 0.5
    sex = np.where(np.where(rng.random(rows) < tie, paid, ~paid), "m", "f")
    job = np.where(rng.random(rows) < 0.8, np.where(sex == "m", "smith", "nurse"), "cook")
    income = rng.normal(30, 10, rows) + 12 * paid
    return pd.DataFrame({"income": income, "job": job}), paid, sex


X, y, sex = loans(3000, tie=0.9, seed=0)
X_test, y_test, sex_test = loans(3000, tie=0.5, seed=1)  # in the world, the two are not tied
for method in ("plain", "reweigh", "mi"):
    model = DebiasedClassifier(method).fit(X, y, sensitive_features=sex)
    by = MetricFrame(
        metrics={"accuracy": accuracy_score, "selected": selection_rate},
        y_true=y_test,
        y_pred=model.predict(X_test),
        sensitive_features=sex_test,
    )
    gap = by.difference()["selected"]
    print(f"{method:8} accuracy {by.overall['accuracy']:.3f}  parity gap {gap:.3f}")
