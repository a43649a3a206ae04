"""IMDB face crops as published: gender with age as the bias, by the protocol of
`infoshed.data.extreme_bias`.

The folder imdb_crop holds imdb.mat (one Matlab structure) and the JPEG files that it names, in
sub-folders 00 to 99 (Rothe, Timofte and Van Gool, "DEX", 2015). As usual with these crops, a face
is kept only where a face was found (`face_score` at least `SCORE`), no second one was
(`second_face_score` missing), gender is known and the age is possible. The age is that on 1 July
of the year the photo was taken, as the data's own instructions have it:

    age = whole years from birth (`dob`, a Matlab day number) to 1 July of `photo_taken`

The literature trains on a further cleaned choice of faces whose list is not part of the data, so
figures on all that are kept here are near the published ones in kind, not row for row. One person
appears on many pictures, and they are not kept on one side of a split.

Reading the JPEGs takes minutes; their small versions are kept as arrays in the cache.
"""

import hashlib
import warnings
from pathlib import Path

import numpy as np

from infoshed.checks import InfoshedError, check_number
from infoshed.data.cache import cached
from infoshed.data.extreme_bias import EDGES, check_request, faces_data_set
from infoshed.data.folders import folders
from infoshed.data.images import read_images
from infoshed.resnet import SMALLEST
from infoshed.types import DataSet, Recipe

FOLDER, TABLE = "imdb_crop", "imdb.mat"
SCORE = 1.0
FIELDS = ("dob", "photo_taken", "full_path", "gender", "face_score", "second_face_score")
EPOCH = 719529  # 1 January 1970 as a Matlab day number


def imdb_faces(
    *,
    train_on: str = "EB1",
    size: int = 48,
    color: bool = False,
    seed: int = 0,
    data_dir: str | Path | None = None,
) -> DataSet:
    """IMDB face crops: gender, with age as the bias.

    Args:
        train_on: "EB1" (women 0-29, men 40+) or "EB2" (women 40+, men 0-29).
        size: side of the images in pixels, 16 to 224; all are held in memory.
        color: keep the three colour channels; otherwise the images are grey.
        seed: of the draws of the test and validation faces.
        data_dir: the folder imdb_crop; unless given, $INFOSHED_DATA/imdb_crop.
    """
    check_request(train_on, seed)
    check_number("size", size, SMALLEST, 224, integer=True)
    folder = _folder(data_dir)
    names, gender, age = read_table(folder / TABLE)
    arrays = cached(
        "imdb-faces",
        {"version": 1, "size": int(size), "color": bool(color), "files": _digest(folder, names)},
        lambda: read_images(folder, names, size, color, "unpack the archive again"),
    )
    opened = arrays["opened"]
    if not opened.all():
        warnings.warn(
            f"{(~opened).sum()} of {len(names)} images in {folder} do not open and are left out "
            f"(first: {names[int(np.argmin(opened))]})",
            stacklevel=2,
        )
    return faces_data_set(
        "imdb-faces",
        f"IMDB face crops, {size}x{size} {'colour' if color else 'grey'}.",
        arrays["images"],
        gender[opened],
        age[opened],
        {"train_on": train_on, "size": int(size), "color": bool(color), "seed": seed},
        Recipe(encoder="resnet", epochs=5, batch_size=128, lr=1e-3),
    )


def read_table(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """File names (n,), gender (n,) 0 man and 1 woman, and age (n,) in years of the faces that are
    kept. Raises `InfoshedError` when `path` is not the metadata file."""
    from scipy.io import loadmat

    try:
        table = loadmat(path, squeeze_me=True)["imdb"]
        columns = {name: np.atleast_1d(table[name].item()) for name in FIELDS}
    except Exception as error:  # scipy raises its own kinds and many of Python's on broken files
        raise InfoshedError(
            f"cannot read {path}: it must be the imdb.mat of the face crops, a structure `imdb` "
            f"with {', '.join(FIELDS)} ({type(error).__name__}: {error})"
        ) from None
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InfoshedError(f"{path}: the fields have different lengths: {lengths}")
    gender, score, second = (
        columns[name].astype(np.float64) for name in ("gender", "face_score", "second_face_score")
    )
    age = ages(columns["dob"], columns["photo_taken"])
    keep = (score >= SCORE) & np.isnan(second) & np.isin(gender, (0, 1))
    keep &= (age >= EDGES[0]) & (age < EDGES[-1])
    if not keep.any():
        raise InfoshedError(
            f"{path}: none of {len(keep)} faces has a face score of at least {SCORE:g}, no second "
            "face, a known gender and a possible age"
        )
    names = columns["full_path"][keep].astype(str)
    return names, 1 - gender[keep].astype(np.int64), age[keep]  # the table has 1 for men


def ages(dob: np.ndarray, photo_taken: np.ndarray) -> np.ndarray:
    """Whole years from births (n,), Matlab day numbers, to 1 July of the years (n,)."""
    born = (dob.astype(np.int64) - EPOCH).astype("datetime64[D]")
    year = born.astype("datetime64[Y]").astype(np.int64) + 1970
    photo = photo_taken.astype(np.int64)
    # Born later in the year than 1 July: the birthday was still to come.
    middle = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + np.timedelta64(6, "M")
    return photo - year - (born > middle.astype("datetime64[D]"))


def _folder(data_dir: str | Path | None) -> Path:
    """The folder with imdb.mat. Raises `InfoshedError` when it is not there."""
    places = folders(data_dir, FOLDER)
    if not places:
        raise InfoshedError(
            f"the IMDB crops are not on this machine: give the folder {FOLDER}, with {TABLE}, by "
            f"--data-dir (data_dir), or set INFOSHED_DATA to the folder above {FOLDER}/"
        )
    for folder in places:
        if (folder / TABLE).is_file():
            return folder
    raise InfoshedError(
        f"data folder {places[0]} lacks {TABLE}; point --data-dir (data_dir) at the folder "
        f"{FOLDER} of the published archive"
    )


def _digest(folder: Path, names: np.ndarray) -> str:
    """A hash of the names and sizes of the files: another when one is added or mended."""
    digest = hashlib.sha256()
    for name in names:
        path = folder / name
        digest.update(f"{name} {path.stat().st_size if path.is_file() else -1}\n".encode())
    return digest.hexdigest()
