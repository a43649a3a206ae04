"""Extreme bias between gender and age: EB1, EB2 and Test, the protocol for faces.

    EB1: women aged 0-29 and men aged 40 and more
    EB2: women aged 40 and more and men aged 0-29
    Test: a fifth of all faces aged 0-29 or 40 and more, drawn before EB1 and EB2 are formed

y is gender, c is age in twelve bins. Within EB1, and within EB2, age decides gender: H(Y|C) = 0,
so a network can be right on all of its training data by age alone. A model trained on one set is
tested on the other and on Test. Protocol of Kim et al., "Learning Not to Learn" (arXiv
1812.10352). Test keeps the tie of age and gender that the faces have by nature, which is weak.
Nobody aged 30-39 is ever trained on; they are a test split of their own.

Splits are drawn at random over faces, not over people: where one person appears several times,
training and test share them.
"""

from itertools import pairwise

import numpy as np
import torch

from infoshed.attributes import Categorical
from infoshed.checks import InfoshedError, check_choice, check_number
from infoshed.seeds import numpy_generator
from infoshed.types import DataSet, Recipe, Split

EDGES = (0, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 120)
LEVELS = tuple(f"{a}-{b - 1}" for a, b in pairwise(EDGES))
YOUNG, OLD = 30, 40
SETS = ("EB1", "EB2")
CLASSES = ("man", "woman")
TEST_EVERY, VALIDATION_EVERY = 5, 10
CHILD = 10


def check_request(train_on: str, seed: int) -> None:
    """Raise `InfoshedError` unless `train_on` is EB1 or EB2 and the seed a whole number."""
    check_choice("train_on", train_on, SETS)
    check_number("seed", seed, 0, integer=True)


def age_bins(age: np.ndarray) -> np.ndarray:
    """Positions in `LEVELS` of ages (n,) in years. Raises `InfoshedError` outside 0..119."""
    if len(age) and not (age.min() >= EDGES[0] and age.max() < EDGES[-1]):
        raise InfoshedError(
            f"ages must lie in {EDGES[0]}..{EDGES[-1] - 1} years, found {age.min()}..{age.max()}"
        )
    return np.digitize(age, EDGES) - 1


def extreme_bias(gender: np.ndarray, age: np.ndarray, train_on: str, seed: int):
    """Rows of every split, by name.

    Args:
        gender: (n,) 0 man, 1 woman. age: (n,) years.
        train_on: "EB1" or "EB2". seed: of the draws of Test and of validation.

    Returns a dict of sorted row numbers: train, validation (a tenth of the training set), biased
    (those in Test who are of the training set's kind), conflicting (the whole opposite set),
    unbiased (Test), ages_30_39, and the conflicting and unbiased ones without children under ten
    (conflicting_10plus, unbiased_10plus), whose gender is hard to see.
    """
    woman = gender == 1
    in_set = {
        "EB1": np.where(woman, age < YOUNG, age >= OLD),
        "EB2": np.where(woman, age >= OLD, age < YOUNG),
    }
    other = SETS[1 - SETS.index(train_on)]
    rng = numpy_generator(seed, "extreme bias")
    strata = age_bins(age) * 2 + woman
    test = _every(np.flatnonzero(in_set["EB1"] | in_set["EB2"]), strata, TEST_EVERY, rng)
    in_test = np.isin(np.arange(len(age)), test)
    pool = np.flatnonzero(in_set[train_on] & ~in_test)
    validation = _every(pool, strata, VALIDATION_EVERY, rng)
    rows = {
        "train": np.setdiff1d(pool, validation),
        "validation": validation,
        "biased": np.flatnonzero(in_set[train_on] & in_test),
        "conflicting": np.flatnonzero(in_set[other] & ~in_test),
        "unbiased": test,
        "ages_30_39": np.flatnonzero((age >= YOUNG) & (age < OLD)),
    }
    rows |= {f"{name}_10plus": _grown(rows[name], age) for name in ("conflicting", "unbiased")}
    lacking = [name for name, chosen in rows.items() if len(np.unique(gender[chosen])) < 2]
    if lacking:
        raise InfoshedError(
            f"too few faces for this protocol: '{lacking[0]}' lacks men or women "
            f"({len(age)} faces in all)"
        )
    return rows


def faces_data_set(
    name: str,
    source: str,
    images: np.ndarray,
    gender: np.ndarray,
    age: np.ndarray,
    params: dict[str, object],
    recipe: Recipe,
) -> DataSet:
    """The protocol's splits of images (n, channels, h, w) uint8 as a data set.

    Args:
        source: which faces they are, a sentence for the description.
        gender, age: (n,), as in `extreme_bias`. params: with `train_on` and `seed`.
    """
    train_on = str(params["train_on"])
    rows = extreme_bias(gender, age, train_on, int(params["seed"]))  # type: ignore[call-overload]
    levels = np.array(LEVELS)[age_bins(age)]
    attribute = Categorical.from_values(levels[rows["train"]], "age", LEVELS)
    y = torch.from_numpy(gender.astype(np.int64))
    x, codes = torch.from_numpy(images), attribute.encode(levels)
    splits = {part: Split(x[chosen], y[chosen], codes[chosen]) for part, chosen in rows.items()}
    young, old = ("women", "men") if train_on == "EB1" else ("men", "women")
    return DataSet(
        name=name,
        description=(
            f"{source} The task is gender. Training data ({train_on}) hold {young} aged 0-29 and "
            f"{old} aged 40 and more; the conflicting test holds the reverse, and the unbiased "
            "test everyone of those ages."
        ),
        train=splits.pop("train"),
        validation=splits.pop("validation"),
        tests=splits,
        attribute=attribute,
        classes=CLASSES,
        recipe=recipe,
        params=params,
        shows_images=False,
    )


def _every(rows: np.ndarray, strata: np.ndarray, step: int, rng: np.random.Generator):
    """One in `step` of `rows`, at random, each stratum in its proportion to within one row."""
    order = rows[np.lexsort((rng.random(len(rows)), strata[rows]))]
    return np.sort(order[rng.integers(step) :: step])


def _grown(rows: np.ndarray, age: np.ndarray) -> np.ndarray:
    return rows[age[rows] >= CHILD]
