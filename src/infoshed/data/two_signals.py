"""A generated table with one direction that tells y and another that tells c.

    x = e + (y - 1/2) d_y u + (c - 1/2) d_c v,    e standard normal in 100 columns,

u and v orthonormal directions of the draw, d_y = 2.88, d_c = 6; y and c are fair coins that agree
with probability `agreement`. What is known exactly: along u the best accuracy is Phi(d_y / 2) =
92.5%, on unbiased rows and whatever c is; v tells c nearly always, so that a reader of v alone
predicts y on biased rows with accuracy `agreement`, and on unbiased ones by chance.

30,000 training rows, 5,000 for validation, tests of 50,000: differences of groups there are known
to half a percent.
"""

import numpy as np
import torch

from infoshed.attributes import Binary
from infoshed.checks import check_number
from infoshed.seeds import numpy_generator
from infoshed.types import DataSet, Recipe, Split

COLUMNS, TRAIN, VALIDATION, TEST = 100, 30_000, 5_000, 50_000
LABEL, ATTRIBUTE = 2.88, 6.0


def two_signals(*, agreement: float = 0.9, seed: int = 0) -> DataSet:
    """The generated table.

    Args:
        agreement: probability that the attribute equals the class, in biased rows.
        seed: of the directions and the rows.
    """
    check_number("agreement", agreement, 0, 1)
    rng = numpy_generator(seed, "two signals")
    u, v = np.linalg.qr(rng.standard_normal((COLUMNS, 2)))[0].T

    def split(rows: int, agreement: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        y = rng.integers(0, 2, rows)
        c = np.where(rng.random(rows) < agreement, y, 1 - y)
        x = rng.standard_normal((rows, COLUMNS), dtype=np.float32)
        x += np.outer(y - 0.5, LABEL * u) + np.outer(c - 0.5, ATTRIBUTE * v)
        return x, y, c

    raw = {
        "train": split(TRAIN, agreement),
        "validation": split(VALIDATION, agreement),
        "biased": split(TEST, agreement),
        "unbiased": split(TEST, 0.5),
    }
    attribute = Binary.from_values(raw["train"][2], "c")
    splits = {
        name: Split(torch.from_numpy(x), torch.from_numpy(y), attribute.encode(c))
        for name, (x, y, c) in raw.items()
    }
    return DataSet(
        name="two-signals",
        description="A generated table of 100 columns: one direction tells the class, another the "
        "attribute, which agrees with the class in training and is a fair coin in the unbiased "
        "test.",
        train=splits.pop("train"),
        validation=splits.pop("validation"),
        tests=splits,
        attribute=attribute,
        classes=("0", "1"),
        recipe=Recipe(encoder="mlp", dim=16, epochs=10, batch_size=256),
        params={"agreement": agreement, "seed": seed},
    )
