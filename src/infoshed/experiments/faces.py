"""Gender of a face, with age as the bias: train on one extreme, test on the other.

EB1 is women of 0-29 and men of 40 and more, EB2 the other way round; train on one, test on the
other ("conflicting") and on those in neither ("unbiased"). Protocol of arXiv 1812.10352, here on
small grey crops of UTKFace.
"""

from collections.abc import Iterator, Sequence
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

EPOCHS, SEEDS = 8, 3
PRECISION = "bfloat16"  # for speed
FIRST = ("mi", "plain", "adjust", "reweigh", "lntl", "blindeye")
QUICK = ("mi", "plain")
QUICK_EPOCHS, QUICK_ROWS = 3, 3000


class Faces(Experiment):
    """All methods on faces, trained on EB1 and on EB2."""

    name = "faces"
    summary = "gender of faces with age as the bias, trained on EB1 and on EB2"
    titles: ClassVar[dict[str, str]] = {
        "EB1": "Trained on EB1: women 0-29 and men 40+",
        "EB2": "Trained on EB2: women 40+ and men 0-29",
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
        if plan.quick:
            return {name: Contender(name) for name in QUICK}
        return contenders("categorical", first=FIRST, leave_out=("mi-published",)) | OURS

    def jobs(self, rows: Sequence[Row], plan: Plan) -> Iterator[Job]:
        entrants = self.chosen_contenders(plan)
        epochs, limit = (QUICK_EPOCHS, QUICK_ROWS) if plan.quick else (EPOCHS, None)
        settings = {"epochs": epochs, "precision": PRECISION}
        cells = [
            Cell(part, "faces", {"train_on": part}, settings, limit)
            for part in (("EB1",) if plan.quick else ("EB1", "EB2"))
        ]
        seeds = plan.seeds or (1 if plan.quick else SEEDS)
        factors = (1.0,) if plan.quick else FACTORS
        return self.staged(cells, entrants, dict.fromkeys(entrants, seeds), rows, factors)
