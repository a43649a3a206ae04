"""Made-up files of the form of UCI Adult and German credit."""

import gzip
from pathlib import Path

import numpy as np

from infoshed.data.adult import COLUMNS as ADULT
from infoshed.data.german import COLUMNS, NUMERIC

TRAIN, TEST, GERMAN = 600, 300, 400
MISSING, TEST_MISSING = 24, 12
ONLY_IN_TEST = "Holand-Netherlands"


def adult_rows(n: int, seed: int, missing: int, country: str, dot: str) -> list[str]:
    """Lines of Adult: sex leans on relationship and income; the first `missing` rows lack their
    workclass; the last row's country is `country`."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        man = rng.random() < 0.67
        rich = rng.random() < (0.31 if man else 0.12)
        married = rng.random() < 0.5
        at_home = ("Husband" if man else "Wife") if married else "Not-in-family"
        cells = {
            "age": rng.integers(17, 90),
            "workclass": "?" if i < missing else rng.choice(["Private", "State-gov"]),
            "fnlwgt": rng.integers(20_000, 900_000),
            "education": rng.choice(["HS-grad", "Bachelors", "11th"]),
            "education-num": rng.integers(1, 17) + 2 * rich,
            "marital-status": "Married-civ-spouse" if married else "Divorced",
            "occupation": rng.choice(["Sales", "Craft-repair", "Tech-support"]),
            "relationship": at_home,
            "race": rng.choice(["White", "Black"]),
            "sex": "Male" if man else "Female",
            "capital-gain": 5000 * rich,
            "capital-loss": 0,
            "hours-per-week": rng.integers(1, 99),
            "native-country": country if i == n - 1 else rng.choice(["United-States", "Cuba"]),
            "income": (">50K" if rich else "<=50K") + dot,
        }
        assert tuple(cells) == ADULT
        rows.append(", ".join(map(str, cells.values())))
    return rows


def write_adult(folder: Path) -> None:
    """adult.data.gz and adult.test.gz, with the comment, dots and blank line of the originals."""
    train = adult_rows(TRAIN, 0, MISSING, "Cuba", "")
    test = ["|1x3 Cross validator", *adult_rows(TEST, 1, TEST_MISSING, ONLY_IN_TEST, ".")]
    for name, rows in (("data", train), ("test", test)):
        text = "\n".join(rows) + "\n\n"
        (folder / f"adult.{name}.gz").write_bytes(gzip.compress(text.encode()))


def write_german(folder: Path) -> None:
    """german.data: 70% good, women a little less often, no woman single."""
    rng = np.random.default_rng(2)
    rows = []
    for _ in range(GERMAN):
        man = rng.random() < 0.69
        good = rng.random() < (0.73 if man else 0.62)
        cells: list[object] = []
        for i, name in enumerate(COLUMNS):
            if name == "personal-status-and-sex":
                cells.append(rng.choice(["A91", "A93", "A94"]) if man else "A92")
            elif name == "age":
                cells.append(rng.integers(19, 75))
            elif name == "credit":
                cells.append(1 if good else 2)
            elif name in NUMERIC:
                cells.append(rng.integers(1, 5) + 3 * good)
            else:
                cells.append(f"A{i + 1}{rng.integers(1, 4)}")
        rows.append(" ".join(map(str, cells)))
    (folder / "german.data").write_text("\n".join(rows) + "\n")
