"""Sample images as data URIs, for ``<img src>`` without a file beside the page."""

import base64
from io import BytesIO

import numpy as np
from PIL import Image

MAX_SIDE = 64


def png_uri(image: np.ndarray) -> str:
    """(h, w, 3) uint8 image as a PNG data URI, reduced to ``MAX_SIDE`` pixels where larger.

    Small images keep their pixels; the page enlarges them.
    """
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    buffer = BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
