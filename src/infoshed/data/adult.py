"""UCI Adult (census income): does a person earn more than 50,000 dollars a year? c is the sex.

The official split, rows without missing values only: 30,162 for training, `VALIDATION` of which
are held out by seed, and 15,060 for the test. 67.4% of the test are men and 75.4% earn at most
50K. Sex is removed from the inputs, but not what stands in for it: `relationship` says "Husband" or
"Wife" for 46% of the rows, and occupation, hours and marital status tell of it too. That is what a
method is to shed. There is no unbiased test: training and test come from the same distribution.

Source: Kohavi and Becker, UCI Machine Learning Repository, "Adult" (CC BY 4.0).
"""

from pathlib import Path

import numpy as np
import torch

from infoshed.attributes import infer_attribute
from infoshed.data.tabular import classes_of, encode, find_files, read_cells
from infoshed.seeds import stream
from infoshed.types import DataSet, Recipe, Split

VALIDATION = 0.15
FILES = ("adult.data", "adult.test")
SOURCE = "https://archive.ics.uci.edu/dataset/2/adult"
COLUMNS = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
    "income",
)
NUMERIC = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
CLASSES = ("<=50K", ">50K")


def adult(*, seed: int = 0, data_dir: str | Path | None = None) -> DataSet:
    """Adult: income over 50K, with sex as the attribute.

    Args:
        seed: of the validation split.
        data_dir: the folder with adult.data and adult.test (as they are or as .gz); unless given,
            $INFOSHED_DATA/tabular.

    x is (n, columns) float32: standardised numbers, then one-hot categories.
    """
    parts = [_read(path) for path in find_files(data_dir, FILES, SOURCE)]
    (cells, y, sex), (test_cells, test_y, test_sex) = parts
    from sklearn.model_selection import train_test_split

    train, validation = train_test_split(
        np.arange(len(y)),
        test_size=VALIDATION,
        stratify=2 * y + (sex == "Male"),
        random_state=stream(seed, "val") % 2**32,
    )
    inputs = [name for name in COLUMNS if name not in ("sex", "income")]
    x_train, x_validation, x_test = encode(
        cells[train], cells[validation], test_cells, columns=inputs, numeric=NUMERIC
    )
    attribute = infer_attribute(sex[train], "sex")

    def split(x: np.ndarray, y: np.ndarray, sex: np.ndarray) -> Split:
        return Split(torch.from_numpy(x), torch.from_numpy(y), attribute.encode(sex))

    return DataSet(
        name="adult",
        description=(
            "Adult census rows: income over 50K; the attribute is sex, which is not among the "
            "inputs. The official test, biased as the training data are."
        ),
        train=split(x_train, y[train], sex[train]),
        validation=split(x_validation, y[validation], sex[validation]),
        tests={"test": split(x_test, test_y, test_sex)},
        attribute=attribute,
        classes=CLASSES,
        recipe=Recipe(encoder="mlp", dim=4, epochs=10, batch_size=128, lr=1e-3),
        params={"seed": seed},
    )


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells of the inputs, classes and sex of the rows without missing values."""
    cells = read_cells(path, COLUMNS, ",")
    cells = cells[(cells != "?").all(1)]
    # The labels of the official test file end with a dot.
    y = classes_of(np.char.rstrip(cells[:, COLUMNS.index("income")], "."), CLASSES, path)
    sex = COLUMNS.index("sex")
    inputs = [i for i in range(len(COLUMNS) - 1) if i != sex]
    return cells[:, inputs], y, cells[:, sex]
