"""What codes of an attribute must be; values are looked at on the CPU only, as a GPU would wait."""

import torch
from torch import Tensor

from infoshed.attributes.base import Attribute
from infoshed.checks import InfoshedError, check_finite


def check_codes(attribute: Attribute, c: Tensor) -> None:
    """Raise `InfoshedError` unless `c` (n, columns) are codes as `attribute.encode` makes them."""
    if c.ndim != 2 or c.shape[1] != attribute.columns:
        raise InfoshedError(
            f"`c` must be codes of shape (n, {attribute.columns}) as `attribute.encode` makes "
            f"them, got {tuple(c.shape)}"
        )
    if attribute.heads:
        if c.is_floating_point():
            raise InfoshedError(f"`c` must be integer codes, got {c.dtype}; use `attribute.encode`")
    elif not c.is_floating_point() or (
        len(attribute.parts) > 1 and c.dtype not in (torch.float32, torch.float64)
    ):
        # A half has too few bits for the codes of a categorical part.
        raise InfoshedError(f"`c` must be float32 codes, got {c.dtype}; use `attribute.encode`")
    elif c.device.type == "cpu":
        check_finite("`c`", c, "drop or fill these rows")
    if c.device.type != "cpu" or not len(c):
        return
    first = 0
    for part, code in zip(attribute.parts, attribute.split(c), strict=True):
        if part.heads:
            (m,), low, high = part.heads, int(code.min()), int(code.max())
            if low == -1:
                raise InfoshedError(
                    f"column {first} of `c` holds the code -1: '{attribute.name}' is missing; "
                    "leave these rows out, or give a penalty training codes of which some are "
                    "missing too"
                )
            if low < 0 or high >= m:
                raise InfoshedError(
                    f"column {first} of `c` holds the code {low if low < 0 else high}, but "
                    f"'{attribute.name}' has codes 0 to {m - 1} there; use `attribute.encode`"
                )
        first += part.columns
