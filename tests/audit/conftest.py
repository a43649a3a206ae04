"""An audit of a small table."""

import numpy as np
import pytest

from infoshed import Audit, audit


def people(n: int = 600, seed: int = 0) -> dict[str, np.ndarray]:
    """z shows the label, sex and some of age; sex follows the label; guesses lean on sex."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    sex = np.where(rng.random(n) < 0.8, y, 1 - y)
    age = 40 + 10 * rng.normal(size=n)
    z = rng.normal(size=(n, 4))
    z[:, 0] += 2 * y
    z[:, 1] += 1.5 * sex
    z[:, 2] += (age - 40) / 8
    guess = (z[:, 0] + 1.5 * sex > 1.75).astype(int)
    return {
        "z": z,
        "y": np.array(["no", "yes"])[y],
        "sex": np.array(["f", "m"])[sex],
        "race": rng.choice(["a", "b", "c"], n, p=[0.6, 0.38, 0.02]),
        "age": age,
        "guess": np.array(["no", "yes"])[guess],
        "score": 1 / (1 + np.exp(-2 * (z[:, 0] - 1))),
    }


@pytest.fixture(scope="module")
def table() -> dict[str, np.ndarray]:
    return people()


@pytest.fixture(scope="module")
def found(table: dict[str, np.ndarray]) -> Audit:
    """An audit of two discrete attributes and a quantity, with predictions and scores."""
    c = {name: table[name] for name in ("sex", "race", "age")}
    return audit(
        table["z"],
        c,
        table["y"],
        predictions=table["guess"],
        scores=table["score"],
        target_name="label",
        estimator="quick",
    )
