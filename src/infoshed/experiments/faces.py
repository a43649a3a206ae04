"""Gender of a face, with age as the bias: train on one extreme, test on the other.

EB1 is women of 0-29 and men of 40 and more, EB2 the other way round; train on one, test on the
other ("conflicting") and on those in neither ("unbiased"). Protocol of arXiv 1812.10352, here on
small grey crops of UTKFace: from the pixels with a residual network, and from fixed features of
them with a linear encoder.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import ClassVar

from infoshed.experiments.base import (
    FACTORS,
    OURS,
    Cell,
    Contender,
    Experiment,
    Job,
    Plan,
    Row,
    contenders,
)
from infoshed.hog import FEATURES

EPOCHS, SEEDS = 8, 3
PRECISION = "bfloat16"  # for speed
FEATURE_SETTINGS = {"epochs": 12}
FIRST = ("mi", "plain", "ancova", "reweigh", "lntl", "blindeye", "dann", "end", "group-dro")
# z is all of the features, which one epoch hardly turns.
ANCOVA = {
    name: Contender("ancova", {"levels": levels}, {"faces-hog": {"dim": FEATURES, "epochs": 1}})
    for name, levels in (("ancova", "numbers"), ("ancova-ranks", "ranks"))
}
QUICK = ("mi", "plain", "ancova")
QUICK_EPOCHS, QUICK_ROWS = 3, 3000


class Faces(Experiment):
    """All methods on faces, trained on EB1 and on EB2."""

    name = "faces"
    summary = "gender of faces with age as the bias, trained on EB1 and on EB2"
    titles: ClassVar[dict[str, str]] = {
        "EB1": "Trained on EB1: women 0-29 and men 40+",
        "EB2": "Trained on EB2: women 40+ and men 0-29",
        "EB1 features": "Trained on EB1, from fixed features (faces-hog)",
        "EB2 features": "Trained on EB2, from fixed features (faces-hog)",
        "earlier": "Rows of earlier versions, in float32, trained on EB1",
    }
    columns: ClassVar[dict[str, str]] = {
        "accuracy_conflicting": "opposite set, %",
        "accuracy_unbiased": "Test, %",
        "accuracy_conflicting_10plus": "opposite set, ages 10+, %",
        "accuracy_unbiased_10plus": "Test, ages 10+, %",
        "accuracy_biased": "same set, %",
    }

    def contenders(self, plan: Plan) -> dict[str, Contender]:
        usual = contenders("categorical", first=FIRST, leave_out=("mi-published", "adjust"))
        everyone = {**usual, **ANCOVA, **OURS}
        return {name: everyone[name] for name in QUICK} if plan.quick else everyone

    def jobs(self, rows: Sequence[Row], plan: Plan) -> Iterator[Job]:
        entrants = self.chosen_contenders(plan)
        epochs, limit = (QUICK_EPOCHS, QUICK_ROWS) if plan.quick else (EPOCHS, None)
        settings = {"epochs": epochs, "precision": PRECISION}
        sets = ("EB1",) if plan.quick else ("EB1", "EB2")
        cells = [Cell(part, "faces", {"train_on": part}, settings, limit) for part in sets]
        features = [
            Cell(f"{part} features", "faces-hog", {"train_on": part}, FEATURE_SETTINGS, limit)
            for part in sets
        ]
        seeds = dict.fromkeys(entrants, plan.seeds or (1 if plan.quick else SEEDS))
        factors = (1.0,) if plan.quick else FACTORS
        return chain(
            self.staged(features, entrants, seeds, rows, factors),
            self.staged(cells, entrants, seeds, rows, factors),
        )
