"""Values by name as one text, for the command line and files of settings: sex=0.3,age=5%."""

from collections.abc import Mapping
from typing import Any

from infoshed.checks import InfoshedError


def assignments(value: Any) -> Any:
    """A text such as "sex=0.3,age=5%" as a dict, {"sex": "0.3", "age": "5%"}; anything without
    "=" as it is. Raises `InfoshedError` for a piece without a name or a value, or a name twice."""
    if not isinstance(value, str) or "=" not in value:
        return value
    found: dict[str, str] = {}
    for piece in value.split(","):
        # Names may hold "=" themselves, numbers do not.
        name, _, given = (part.strip() for part in piece.rpartition("="))
        if not name or not given or name in found:
            raise InfoshedError(
                f"expected NAME=VALUE, with commas and each name once; got {piece!r} in {value!r}"
            )
        found[name] = given
    return found


def as_text(value: Any) -> str:
    """What `assignments` reads: of a dict one text, else str of the value."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}={given}" for name, given in value.items())
    return str(value)
