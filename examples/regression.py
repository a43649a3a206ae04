"""Predicting a quantity: prices that the district moves in the training rows only.

Flats in the north are dearer in the training rows, and a column of the table tells the district.
Where the district no longer matters, a plain regression is led astray; `DebiasedRegressor` is not,
and its representation tells less of the district.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression

from infoshed import DebiasedRegressor


def flats(rows: int, tied: bool, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (size, distance to the park in the north), price, district; prices are alike in both."""
    rng = np.random.default_rng(seed)
    north = rng.integers(0, 2, rows)
    value = rng.normal(size=rows) + 2 * (north if tied else rng.integers(0, 2, rows))
    size = 60 + 12 * value + rng.normal(0, 12, rows)
    park = 5 - 3 * north + rng.normal(0, 0.5, rows)
    return np.column_stack([size, park]), 200_000 + 40_000 * value, north


if __name__ == "__main__":
    X, price, north = flats(1500, tied=True, seed=0)
    X_new, price_new, north_new = flats(4000, tied=False, seed=1)
    half = len(X_new) // 2
    for name, c in (("plain", None), ("debiased", north)):
        model = DebiasedRegressor(epochs=12, batch_size=64).fit(X, price, sensitive_features=c)
        z = model.transform(X_new)
        probe = LogisticRegression().fit(z[:half], north_new[:half])
        error = np.abs(model.predict(X_new) - price_new).mean()
        print(
            f"{name:9} R2 {model.score(X_new, price_new):.3f}  mean absolute error {error:,.0f}  "
            f"district read from z {probe.score(z[half:], north_new[half:]):.1%}"
        )
