"""A number that tells states and data apart: of two that differ it is another but by a chance of
2^-63."""

import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor


def fingerprint(state: Any) -> int:
    """A number of 63 bits, the same on every machine.

    Args:
        state: tensors, arrays (n,) of numbers or text, bytes and other values, in dictionaries,
            lists and tuples.
    """
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, Tensor):
            flat = value.detach().cpu().contiguous().flatten()
            digest.update(flat.view(torch.uint8).numpy().data)
        elif isinstance(value, np.ndarray) and value.dtype.kind == "U":
            digest.update("\0".join(value.tolist()).encode())  # as wide as the longest otherwise
        elif isinstance(value, np.ndarray):
            digest.update(np.ascontiguousarray(value).view(np.uint8).data)
        elif isinstance(value, bytes):
            digest.update(value)
        elif isinstance(value, dict):
            for name in value:
                digest.update(str(name).encode())
                add(value[name])
        elif isinstance(value, list | tuple):
            for each in value:
                add(each)
        else:
            digest.update(repr(value).encode())

    add(state)
    return int.from_bytes(digest.digest()[:8], "little") >> 1
