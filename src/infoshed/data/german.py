"""UCI German credit (Statlog): is a borrower a good risk? c is sex, or whether age is over 25.

1,000 rows, 70% of them good. Train, validation and test are cut by seed, stratified by (y, c);
there is no unbiased test. The attribute is removed from the inputs in every coding:

- sex is a part of "personal status and sex". Splitting that column would not do: no woman is
  coded as single, so "single" alone says "man". The whole column is left out.
- age over 25 is decided by the age in years, which is left out.

Proxies stay (employment, housing, credit history): they are what a method is to shed.

Source: Hofmann, UCI Machine Learning Repository, "Statlog (German Credit Data)" (CC BY 4.0).
"""

from pathlib import Path

import numpy as np
import torch

from infoshed.attributes import infer_attribute
from infoshed.checks import InfoshedError, check_choice
from infoshed.data.tabular import classes_of, encode, find_files, read_cells
from infoshed.seeds import stream
from infoshed.types import DataSet, Recipe, Split

TEST, VALIDATION = 0.25, 0.15
SOURCE = "https://archive.ics.uci.edu/dataset/144/statlog+german+credit+data"
COLUMNS = (
    "checking-account",
    "duration",
    "credit-history",
    "purpose",
    "amount",
    "savings",
    "employment-since",
    "instalment-rate",
    "personal-status-and-sex",
    "other-debtors",
    "residence-since",
    "property",
    "age",
    "other-instalment-plans",
    "housing",
    "existing-credits",
    "job",
    "liable-people",
    "telephone",
    "foreign-worker",
    "credit",
)
NUMERIC = (
    "duration",
    "amount",
    "instalment-rate",
    "residence-since",
    "age",
    "existing-credits",
    "liable-people",
)
GOOD = ("2", "1")  # the file's codes for bad and good, in the order of `CLASSES`
CLASSES = ("bad", "good")
MALE, FEMALE = ("A91", "A93", "A94"), ("A92", "A95")
HIDDEN = {"sex": "personal-status-and-sex", "age": "age"}


def german(*, attribute: str = "sex", seed: int = 0, data_dir: str | Path | None = None) -> DataSet:
    """German credit: good risks, with sex or age as the attribute.

    Args:
        attribute: "sex" (female, male) or "age" (whether over 25 years).
        seed: of the split into train, validation and test.
        data_dir: the folder with german.data (as it is or as .gz); unless given,
            $INFOSHED_DATA/tabular.

    x is (n, columns) float32: standardised numbers, then one-hot categories.
    """
    check_choice("attribute", attribute, HIDDEN)
    (path,) = find_files(data_dir, ("german.data",), SOURCE)
    cells = read_cells(path, COLUMNS, None)
    y = classes_of(cells[:, COLUMNS.index("credit")], GOOD, path)
    c = _group(cells[:, COLUMNS.index(HIDDEN[attribute])], attribute, path)
    strata = np.unique(np.stack([y.astype(str), c]), axis=1, return_inverse=True)[1]
    from sklearn.model_selection import train_test_split

    rows, test = train_test_split(
        np.arange(len(y)),
        test_size=TEST,
        stratify=strata,
        random_state=stream(seed, "test") % 2**32,
    )
    train, validation = train_test_split(
        rows,
        test_size=VALIDATION / (1 - TEST),
        stratify=strata[rows],
        random_state=stream(seed, "val") % 2**32,
    )
    inputs = [i for i, name in enumerate(COLUMNS) if name not in ("credit", HIDDEN[attribute])]
    names = [COLUMNS[i] for i in inputs]
    parts = (train, validation, test)
    x = encode(*(cells[p][:, inputs] for p in parts), columns=names, numeric=NUMERIC)
    spec = infer_attribute(c[train], attribute)
    splits = [
        Split(torch.from_numpy(a), torch.from_numpy(y[p]), spec.encode(c[p]))
        for a, p in zip(x, parts, strict=True)
    ]
    return DataSet(
        name="german",
        description=(
            f"German credit: good and bad risks; the attribute is {attribute}, which is not among "
            "the inputs. The test is biased as the training data are."
        ),
        train=splits[0],
        validation=splits[1],
        tests={"test": splits[2]},
        attribute=spec,
        classes=CLASSES,
        recipe=Recipe(encoder="mlp", dim=4, epochs=20, batch_size=32, lr=1e-3),
        params={"attribute": attribute, "seed": seed},
    )


def _group(cells: np.ndarray, attribute: str, path: Path) -> np.ndarray:
    """The attribute's value as text, (n,)."""
    if attribute == "age":
        try:
            return np.where(cells.astype(np.float64) > 25, "over 25", "25 or younger")
        except ValueError as error:
            raise InfoshedError(f"{path}: column 'age' must hold numbers: {error}") from None
    strange = ~np.isin(cells, MALE + FEMALE)
    if strange.any():
        raise InfoshedError(
            f"{path}: personal status must be one of {', '.join(sorted(MALE + FEMALE))}; "
            f"found {cells[strange][0].item()!r}"
        )
    return np.where(np.isin(cells, MALE), "male", "female")
