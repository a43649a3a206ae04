"""Picture files as arrays of one size."""

from pathlib import Path

import numpy as np

from infoshed.checks import InfoshedError

UNREADABLE_SHARE = 0.05


def read_images(
    folder: Path, names: np.ndarray, size: int, color: bool, remedy: str = "mend or drop them"
) -> dict[str, np.ndarray]:
    """The files as "images" (m, 1 or 3, size, size) uint8, and "opened" (n,) bool, which of them
    could be read. Raises `InfoshedError` when more than a twentieth could not, with what to do."""
    try:
        from PIL import Image
    except ImportError:
        raise InfoshedError(
            "reading JPEG files needs Pillow: pip install 'infoshed[images]'"
        ) from None
    images = np.zeros((len(names), 3 if color else 1, size, size), np.uint8)
    opened = np.ones(len(names), dtype=bool)
    reason = ""
    for i, name in enumerate(names):
        try:
            with Image.open(folder / name) as file:
                small = file.convert("RGB" if color else "L").resize((size, size))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            opened[i] = False
            reason = reason or f"{type(error).__name__}: {error}"
            continue
        images[i] = np.atleast_3d(np.asarray(small)).transpose(2, 0, 1)
    failed = int((~opened).sum())
    if failed > UNREADABLE_SHARE * len(names):
        raise InfoshedError(
            f"{failed} of {len(names)} images in {folder} do not open (first: {reason}); {remedy}"
        )
    return {"images": images[opened], "opened": opened}
