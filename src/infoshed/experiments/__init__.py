"""Published comparisons as commands: `infoshed reproduce NAME`. One line in `EXPERIMENTS` each."""

from infoshed.experiments.base import Experiment
from infoshed.experiments.colored_mnist import ColoredMNIST
from infoshed.experiments.digits import Digits
from infoshed.experiments.faces import Faces
from infoshed.experiments.fairness import Fairness

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for experiment in (ColoredMNIST(), Faces(), Fairness(), Digits())
}

__all__ = ["EXPERIMENTS", "Experiment"]
