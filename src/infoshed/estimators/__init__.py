"""Estimators of I(Z;C): one small class each, and a line in `ESTIMATORS`."""

import torch

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError, check_choice
from infoshed.estimators.base import Estimator
from infoshed.estimators.class_nwj import ClassNWJ
from infoshed.estimators.class_scoring import ClassDonskerVaradhan, ClassScoring
from infoshed.estimators.club import Club
from infoshed.estimators.gaussian import Gaussian
from infoshed.estimators.hsic import HSIC
from infoshed.estimators.infonce import InfoNCE
from infoshed.estimators.jsd import JensenShannon
from infoshed.estimators.ksg import NearestNeighbours
from infoshed.estimators.l1out import LeaveOneOut
from infoshed.estimators.mine import Mine
from infoshed.estimators.nwj import NWJ
from infoshed.estimators.parts import SumOfParts
from infoshed.estimators.shuffled import ShuffledDonskerVaradhan
from infoshed.estimators.slices import SliceInfomin
from infoshed.estimators.smile import Smile

ESTIMATORS: dict[str, type[Estimator]] = {
    "class-scoring": ClassScoring,
    "class-dv": ClassDonskerVaradhan,
    "class-nwj": ClassNWJ,
    "shuffled-dv": ShuffledDonskerVaradhan,
    "mine": Mine,
    "nwj": NWJ,
    "jsd": JensenShannon,
    "smile": Smile,
    "infonce": InfoNCE,
    "club": Club,
    "l1out": LeaveOneOut,
    "gaussian": Gaussian,
    "ksg": NearestNeighbours,
    "hsic": HSIC,
    "slice-infomin": SliceInfomin,
}


def build_estimator(
    name: str,
    dim: int,
    attribute: Attribute,
    c: torch.Tensor,
    y: torch.Tensor | None = None,
    *,
    weights: torch.Tensor | None = None,
    scaled: bool = True,
) -> Estimator:
    """The estimator called `name`; "auto" is class-scoring for discrete c, else shuffled-dv. Of
    mixed attributes every part has one, and their sum is what is estimated.

    Args:
        dim: columns of z. c: training codes (n, columns).
        y: training classes (n,), given where I(Z;C|Y) is wanted.
        weights: importance of the training rows (n,), on any scale.
        scaled: standardise z inside the estimator.

    Raises `InfoshedError` when the estimator does not take such an attribute.
    """
    mixed = len(attribute.parts) > 1 and not attribute.heads
    if name == "auto" and not mixed:
        name = "class-scoring" if attribute.heads else "shuffled-dv"
    if name != "auto":
        check_choice("critic", name, ESTIMATORS)
        if not ESTIMATORS[name].handles(attribute):
            raise InfoshedError(
                f"critic '{name}' does not take {attribute.kind} attributes such as "
                f"'{attribute.name}'; use auto or shuffled-dv"
            )
    if not mixed:
        return ESTIMATORS[name](dim, attribute, c, y, weights=weights, scaled=scaled)

    def of_part(part: Attribute, codes: torch.Tensor) -> Estimator:
        return build_estimator(name, dim, part, codes, y, weights=weights, scaled=False)

    return SumOfParts(of_part, dim, attribute, c, y, weights=weights, scaled=scaled)


__all__ = ["ESTIMATORS", "Estimator", "build_estimator"]
