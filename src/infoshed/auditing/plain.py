"""Frozen records from JSON: the way back from `dataclasses.asdict`.

A record is a dataclass whose fields are numbers, text, None, tuples, dicts with text as keys, and
records. `read_record` rebuilds it from what JSON made of it, by the types of its fields.
"""

from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from infoshed.checks import InfoshedError

T = TypeVar("T")


def read_record(kind: type[T], state: Any) -> T:
    """A record of class `kind` from its JSON form. Raises `InfoshedError` where that is no such
    record."""
    names = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(state, dict) or set(state) != names:
        raise InfoshedError(f"not the record of {kind.__name__}: expected {sorted(names)}")
    hints = get_type_hints(kind)
    return kind(**{name: _read(hints[name], state[name], name) for name in names})


def _read(kind: Any, value: Any, name: str) -> Any:
    if get_origin(kind) is UnionType:
        if value is None:
            return None
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
    if is_dataclass(kind):
        return read_record(kind, value)  # type: ignore[arg-type]
    container, parts = get_origin(kind), get_args(kind)
    wanted = {tuple: list | tuple, dict: dict, float: float | int}.get(container or kind, kind)
    if not isinstance(value, wanted):
        raise InfoshedError(f"`{name}` must be {kind}, got {value!r}")
    if container is tuple:
        kinds = [parts[0]] * len(value) if Ellipsis in parts else parts
        return tuple(_read(k, v, name) for k, v in zip(kinds, value, strict=True))
    if container is dict:
        return {key: _read(parts[1], v, name) for key, v in value.items()}
    return value
