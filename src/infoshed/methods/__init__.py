"""Methods: what the bias attribute does to training. One line in `METHODS` each."""

from dataclasses import fields
from typing import Any

from infoshed.checks import InfoshedError, check_choice
from infoshed.methods.base import Method, Setting
from infoshed.methods.mi import MI
from infoshed.methods.mi_published import MIPublished
from infoshed.methods.supervised import Adjust, Plain, Reweigh

METHODS: dict[str, type[Method]] = {
    "mi": MI,
    "mi-published": MIPublished,
    "plain": Plain,
    "adjust": Adjust,
    "reweigh": Reweigh,
}


def method_options(name: str, given: dict[str, Any]) -> Any:
    """The options of the method called `name`, checked. Raises `InfoshedError` for an unknown
    method, or an option that it does not take."""
    check_choice("method", name, METHODS)
    known = [f.name for f in fields(METHODS[name].Options)]
    strange = sorted(set(given) - set(known))
    if strange:
        takes = f"it takes {', '.join(known)}" if known else "it takes none of its own"
        raise InfoshedError(f"method '{name}' has no option `{strange[0]}`; {takes}")
    return METHODS[name].Options(**given)


__all__ = ["METHODS", "Method", "Setting", "method_options"]
