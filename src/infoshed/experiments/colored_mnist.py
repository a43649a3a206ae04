"""MNIST in colour, the field's common yardstick: accuracy on unbiased digits against sigma2.

Protocols, a table each:

- `main`: colours as in Kim et al. (arXiv 1812.10352), seven variances, all methods; at 0.020 also
  `mi` in parts, to see what each of them does.
- `rerun`: the easier data of a later group's re-runs, seven variances; the methods with published
  figures there, and `adjust`, which is `mi` without penalty. All strengths are run with all seeds
  where they are tuned: of the five seeds of `mi` at 0.050, one collapsed at the strength that the
  rule had picked from the first.
- `published schedule`: plain training with Adam 1e-4 for 100 epochs, on which the published
  baseline rests; at both ends of the range.
- `published method`: the schedule of arXiv 2003.06430 as it is, at 0.020. A step of it costs
  about 12 times one of `mi`.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import ClassVar

from infoshed.experiments.base import (
    OURS,
    Cell,
    Contender,
    Experiment,
    Job,
    Plan,
    Row,
    contenders,
)

SIGMA2 = (0.020, 0.025, 0.030, 0.035, 0.040, 0.045, 0.050)
TUNED = (0.020, 0.035, 0.050)  # where all strengths are run; the others take the one before
EPOCHS, SEEDS, OUR_SEEDS = 5, 3, 5
PRECISION = "bfloat16"  # for speed; the published method keeps float32
FIRST = ("mi", "plain", "adjust", "reweigh", "lntl", "blindeye", "dann", "end", "group-dro")
RERUN = ("mi", "plain", "adjust", "lntl", "end")
QUICK = ("mi", "plain", "adjust")
QUICK_ROWS = 4000


class ColoredMNIST(Experiment):
    """All methods on coloured MNIST."""

    name = "colored-mnist"
    summary = "coloured MNIST at seven colour variances, as in arXiv 1812.10352"
    axis = "sigma2"
    titles: ClassVar[dict[str, str]] = {
        "main": "Colours as in arXiv 1812.10352",
        "rerun": "The easier data of later re-runs",
        "published schedule": "Plain training for 100 epochs at lr 1e-4",
        "published method": "The schedule of arXiv 2003.06430, one epoch",
        "earlier": "Rows of earlier versions, in float32, three or ten epochs",
    }

    def contenders(self, plan: Plan) -> dict[str, Contender]:
        if plan.quick:
            return {name: Contender(name) for name in QUICK}
        usual = contenders("multi-categorical", first=FIRST, leave_out=("mi-published",))
        return usual | OURS | {"mi-published": Contender("mi-published")}

    def jobs(self, rows: Sequence[Row], plan: Plan) -> Iterator[Job]:
        entrants = self.chosen_contenders(plan)
        if plan.quick:
            cells = [
                Cell("main", self.name, {"sigma2": s}, {"epochs": 2}, QUICK_ROWS)
                for s in (SIGMA2[0], SIGMA2[-1])
            ]
            return self.staged(
                cells, entrants, dict.fromkeys(entrants, plan.seeds or 1), rows, (1.0,)
            )
        published = entrants.pop("mi-published", None)
        seeds = {name: plan.seeds or (OUR_SEEDS if name == "mi" else SEEDS) for name in entrants}
        epochs = {"epochs": EPOCHS, "precision": PRECISION}
        stages = []
        for table, dataset, names, compared in (
            ("main", self.name, [name for name in entrants if name not in OURS], {}),
            ("rerun", f"{self.name}-rerun", [name for name in entrants if name in RERUN], seeds),
        ):
            cells = [Cell(table, dataset, {"sigma2": s}, epochs) for s in SIGMA2]
            tuned = [cell for cell in cells if cell.params["sigma2"] in TUNED]
            chosen = {name: entrants[name] for name in names}
            stages.append(self.staged(cells, chosen, seeds, rows, tuned=tuned, compared=compared))
        parts = {name: entrants[name] for name in OURS if name in entrants}
        cell = Cell("main", self.name, {"sigma2": SIGMA2[0]}, epochs)
        stages.append(self.staged([cell], parts, seeds, rows))
        if published:
            cell = Cell("published method", self.name, {"sigma2": SIGMA2[0]}, {"epochs": 1})
            stages.append(self.staged([cell], {"mi-published": published}, {}, rows, (1.0,)))
        if "plain" in entrants:
            schedule = {"epochs": 100, "lr": 1e-4, "average": 0.0, "precision": PRECISION}
            cells = [
                Cell("published schedule", self.name, {"sigma2": s}, schedule)
                for s in (SIGMA2[0], SIGMA2[-1])
            ]
            stages.append(self.staged(cells, {"plain": entrants["plain"]}, {}, rows))
        return chain(*stages)
