"""The bundled 8x8 digits in colour: the development set.

Settings of the library, and the rule of selection, were settled with its test figures in view; it
is no blind test of anything.
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

EPOCHS, QUICK_EPOCHS, SEEDS = 40, 5, 6


class Digits(Experiment):
    """All methods on `digits` at sigma2 0.02."""

    name = "digits"
    summary = "bundled 8x8 digits in colour, sigma2 0.02: the development set"
    titles: ClassVar[dict[str, str]] = {
        "main": "All methods",
        "earlier": "Rows of earlier versions, without figures for the rule",
    }

    def contenders(self, plan: Plan) -> dict[str, Contender]:
        first = ("mi", "plain", "adjust", "reweigh")
        if plan.quick:
            return {name: Contender(name) for name in first}
        return contenders("multi-categorical", first=first) | OURS

    def jobs(self, rows: Sequence[Row], plan: Plan) -> Iterator[Job]:
        entrants = self.chosen_contenders(plan)
        epochs = QUICK_EPOCHS if plan.quick else EPOCHS
        cell = Cell("main", "digits", {"sigma2": 0.02}, {"epochs": epochs})
        seeds = plan.seeds or (1 if plan.quick else SEEDS)
        factors = (1.0,) if plan.quick else FACTORS
        return self.staged([cell], entrants, dict.fromkeys(entrants, seeds), rows, factors)
