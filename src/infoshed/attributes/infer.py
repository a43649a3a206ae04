"""The specification that raw values suggest, and the one that was saved."""

from typing import Any

from infoshed.attributes.base import Attribute
from infoshed.attributes.binary import Binary
from infoshed.attributes.categorical import Categorical
from infoshed.attributes.continuous import Continuous
from infoshed.attributes.mixed import Mixed
from infoshed.attributes.multi_categorical import MultiCategorical
from infoshed.attributes.values import by_name
from infoshed.checks import InfoshedError, as_array

SINGLE: dict[str, Any] = {cls.kind: cls for cls in (Binary, Categorical, Continuous)}
KINDS = (*SINGLE, MultiCategorical.kind, Mixed.kind)


def infer_attribute(values: Any, name: str = "c", missing: bool = False) -> Attribute:
    """The specification that raw training `values` suggest: floats are continuous, several
    columns of whole numbers or text several categoricals, two values binary, else categorical.

    Args:
        values: (n,) or (n, k); or a dict or data frame of columns (n,), which may be of different
            kinds: with floats among them it is `Mixed`.
        name: of the attribute; columns by name have their own.
        missing: leave out missing values (None or NaN) instead of refusing them.
    """
    if isinstance(values, Attribute):
        raise InfoshedError("expected attribute values, got a specification")
    named = by_name(values)
    if named is not None:
        if len(named) == 1:
            ((part, column),) = named.items()
            return infer_attribute(column, part, missing)
        kind = Mixed if any(v.dtype.kind == "f" for v in named.values()) else MultiCategorical
        return kind.from_values(named, ", ".join(named), missing=missing)
    array = as_array(name, values)
    if array.dtype.kind == "f":
        return Continuous.from_values(array, name, missing)
    if array.ndim == 2 and array.shape[1] > 1:
        return MultiCategorical.from_values(array, name, missing=missing)
    spec = Categorical.from_values(array, name, missing=missing)
    return Binary(spec.name, spec.levels, spec.probabilities) if len(spec.levels) == 2 else spec


def attribute_from_dict(state: dict[str, Any]) -> Attribute:
    """Rebuild an attribute from `Attribute.to_dict`, of this or an earlier version."""
    state = dict(state)
    kind = state.pop("kind", None)
    if kind == MultiCategorical.kind:
        return MultiCategorical(state["name"], tuple(Categorical(**p) for p in state["parts"]))
    if kind == Mixed.kind:
        return Mixed(state["name"], tuple(map(attribute_from_dict, state["parts"])))
    if kind not in SINGLE:
        raise InfoshedError(f"unknown attribute kind {kind!r}")
    return SINGLE[kind](**state)
