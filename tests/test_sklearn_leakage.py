"""What the scikit-learn estimators leave in z, as fresh judges read it."""

import numpy as np
import pytest

from infoshed import DebiasedClassifier, estimate_mi


@pytest.mark.slow
def test_little_is_left_in_z_of_a_small_table():
    """2,000 rows whose attribute is read from one column and leans on the label."""
    left: dict[str, list[float]] = {"plain": [], "mi": []}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, 2000)
        c = np.where(rng.random(2000) < 0.85, y, 1 - y)
        noise = rng.normal(size=(2000, 5))
        X = np.column_stack([y * 1.2 + noise[:, 0], 3 * c + noise[:, 1], noise[:, 2:]])
        for method, found in left.items():
            model = DebiasedClassifier(method, random_state=seed).fit(X, y, sensitive_features=c)
            found.append(estimate_mi(model.transform(X), c, y=y, estimator="quick").nats)
    assert min(left["plain"]) > 0.1  # of H(C|Y) = 0.42
    assert max(left["mi"]) < 0.03
