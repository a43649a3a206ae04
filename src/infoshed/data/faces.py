"""UTKFace crops, 48x48 grey: gender with age as the bias, by the protocol of
`infoshed.data.extreme_bias`.

One file, utkface_48_gray.npz, with images (n, 48, 48) uint8, age, gender (0 man, 1 woman) and
first_same, the position of the first picture identical to each. Repeats are dropped: some of them
disagree on gender, and they would put one picture into training and test. Who is on a picture is
not known, so several pictures of one person may still be on both sides.

UTKFace (Zhang et al., arXiv 1702.08423) is for non-commercial research only; the file is not part
of this library, and reports never show its faces.
"""

from pathlib import Path

import numpy as np

from infoshed.checks import InfoshedError
from infoshed.data.cache import UNREADABLE
from infoshed.data.extreme_bias import check_request, faces_data_set
from infoshed.data.folders import folders
from infoshed.types import DataSet, Recipe

FILE = "utkface_48_gray.npz"
SIDE = 48


def faces(*, train_on: str = "EB1", seed: int = 0, data_dir: str | Path | None = None) -> DataSet:
    """UTKFace: gender, with age as the bias.

    Args:
        train_on: "EB1" (women 0-29, men 40+) or "EB2" (women 40+, men 0-29).
        seed: of the draws of the test and validation faces.
        data_dir: the folder with utkface_48_gray.npz; unless given, $INFOSHED_DATA/faces.
    """
    check_request(train_on, seed)
    images, gender, age = read_faces(_file(data_dir))
    return faces_data_set(
        "faces",
        "UTKFace crops, 48x48 grey, without repeated pictures.",
        images[:, None],
        gender,
        age,
        {"train_on": train_on, "seed": seed},
        Recipe(encoder="resnet", epochs=12, batch_size=64, lr=1e-3),
    )


def read_faces(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (n, 48, 48) uint8, gender (n,) and age (n,) of the first of each set of identical
    pictures. Raises `InfoshedError` when `path` is not such a file."""
    names = ("images", "gender", "age", "first_same")
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            images, gender, age, first_same = (file[name] for name in names)
    except UNREADABLE as error:
        raise InfoshedError(f"cannot read {path}: {error}") from None
    n = len(images)
    if images.dtype != np.uint8 or images.shape != (n, SIDE, SIDE):
        raise InfoshedError(
            f"{path}: images must be uint8 of shape (n, {SIDE}, {SIDE}), "
            f"got {images.dtype} {images.shape}"
        )
    for name, column in zip(names[1:], (gender, age, first_same), strict=True):
        if column.shape != (n,) or column.dtype.kind not in "iu":
            raise InfoshedError(
                f"{path}: {name} must be whole numbers of shape ({n},), "
                f"got {column.dtype} {column.shape}"
            )
    if not np.isin(gender, (0, 1)).all():
        raise InfoshedError(f"{path}: gender must be 0 or 1, found {np.unique(gender)[:5]}")
    first = first_same == np.arange(n)
    return images[first], gender[first].astype(np.int64), age[first].astype(np.int64)


def _file(data_dir: str | Path | None) -> Path:
    """Where the file is. Raises `InfoshedError` when it is not there."""
    places = folders(data_dir, "faces")
    if not places:
        raise InfoshedError(
            f"the faces are not on this machine: give the folder with {FILE} by --data-dir "
            "(data_dir), or set INFOSHED_DATA to the folder above faces/"
        )
    for folder in places:
        if (folder / FILE).is_file():
            return folder / FILE
    raise InfoshedError(
        f"data folder {places[0]} lacks {FILE}; point --data-dir (data_dir) at the folder that "
        "holds it"
    )
