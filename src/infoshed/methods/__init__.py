"""Methods: what the bias attribute does to training. One line in `METHODS` each."""

from dataclasses import fields
from typing import Any

from infoshed.checks import InfoshedError, check_choice, meant
from infoshed.methods.ancova import Ancova
from infoshed.methods.base import Method, Setting
from infoshed.methods.blindeye import BlindEye
from infoshed.methods.dann import DANN
from infoshed.methods.end import EnD
from infoshed.methods.estimator_penalty import ClubPenalty, HSICPenalty, SlicesPenalty
from infoshed.methods.group_dro import GroupDRO
from infoshed.methods.leace import LEACE
from infoshed.methods.lntl import LNTL
from infoshed.methods.maxent import MaxEnt
from infoshed.methods.mi import MI
from infoshed.methods.mi_published import MIPublished
from infoshed.methods.resample import Resample
from infoshed.methods.supervised import Adjust, Plain, Reweigh
from infoshed.types import DataSet

METHODS: dict[str, type[Method]] = {
    "mi": MI,
    "mi-published": MIPublished,
    "plain": Plain,
    "adjust": Adjust,
    "reweigh": Reweigh,
    "dann": DANN,
    "lntl": LNTL,
    "blindeye": BlindEye,
    "maxent": MaxEnt,
    "resample": Resample,
    "group-dro": GroupDRO,
    "end": EnD,
    "hsic": HSICPenalty,
    "slices": SlicesPenalty,
    "club": ClubPenalty,
    "leace": LEACE,
    "ancova": Ancova,
}


COMMON = (
    "seed", "epochs", "batch_size", "lr", "average", "encoder", "dim", "precision", "out", "resume",
    "quiet", "track", "begin",
)  # fmt: skip
"""What `infoshed.fit` takes for every method."""


def method_options(name: str, given: dict[str, Any]) -> Any:
    """The options of the method called `name`, checked. Raises `InfoshedError` for an unknown
    method, or an option that it does not take."""
    check_choice("method", name, METHODS)
    known = [f.name for f in fields(METHODS[name].Options)]
    strange = sorted(set(given) - set(known))
    if strange:
        takes = f"it takes {', '.join(known)}" if known else "it takes none of its own"
        near = meant(strange[0], [*known, *COMMON])
        raise InfoshedError(f"method '{name}' has no option `{strange[0]}`; {takes}{near}")
    return METHODS[name].Options(**given)


def check_data(name: str, data: DataSet) -> None:
    """Raise `InfoshedError` where the method called `name` does not take such an attribute or
    target, row weights, or rows without an attribute."""
    kinds, attribute = METHODS[name].kinds, data.attribute
    if attribute.kind not in kinds:
        fitting = ", ".join(k for k, m in METHODS.items() if attribute.kind in m.kinds)
        raise InfoshedError(
            f"method '{name}' takes attributes of kind {', '.join(kinds)}, but "
            f"'{attribute.name}' is {attribute.kind}; methods that take it: {fitting}"
        )
    if data.target.kind not in METHODS[name].targets:
        fitting = ", ".join(k for k, m in METHODS.items() if data.target.kind in m.targets)
        raise InfoshedError(
            f"method '{name}' takes {', '.join(METHODS[name].targets)} as the target, but "
            f"'{data.target.name}' is {data.target.kind}; methods that take it: {fitting}"
        )
    if METHODS[name].weighs:
        return
    fitting = ", ".join(k for k, m in METHODS.items() if m.weighs)
    missing = int((~attribute.known(data.train.c)).sum())
    if missing:
        raise InfoshedError(
            f"'{attribute.name}' is missing in {missing} training rows, which method '{name}' "
            f"cannot use; drop them, or use one of {fitting}"
        )
    if data.train.weights is not None:
        raise InfoshedError(f"method '{name}' takes no row weights; methods that do: {fitting}")


__all__ = ["METHODS", "Method", "Setting", "check_data", "method_options"]
