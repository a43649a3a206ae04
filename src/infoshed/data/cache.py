"""Arrays made once, kept on disk, never half-written.

A cache file is named by what it was made from; it appears by an atomic rename, is read without
pickle, and is made anew when it cannot be read.
"""

import hashlib
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from infoshed.io import atomic_path

# What numpy and zipfile raise on absent and damaged files.
UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)


def cache_dir() -> Path:
    """$INFOSHED_CACHE, or infoshed under $XDG_CACHE_HOME or ~/.cache."""
    if "INFOSHED_CACHE" in os.environ:
        return Path(os.environ["INFOSHED_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "infoshed"


def cached(
    name: str, key: dict[str, Any], make: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """The arrays of `make()`, from the cache where (name, key) was made before.

    `key` must hold everything the arrays depend on, including a version of the generator.
    A cache folder that cannot be written is no error: the arrays are made each time.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    path = cache_dir() / f"{name}-{digest}.npz"
    try:
        # Opened here: numpy leaves its own handle open when the file is broken.
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            return {k: file[k] for k in file.files}
    except UNREADABLE:
        arrays = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    except OSError:
        return arrays
    return arrays
