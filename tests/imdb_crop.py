"""A folder of the form of the IMDB face crops, with noise in place of faces."""

from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

UNKNOWN_GENDER, NO_FACE, TWO_FACES, WRONG_BIRTH, FUTURE_BIRTH = range(5)


def matlab_day(year: int, month: int, day: int) -> int:
    """Day 1 is 1 January of the year 0; Python's ordinals begin a year of 366 days later."""
    return np.datetime64(f"{year:04}-{month:02}-{day:02}").astype(int) + 719163 + 366


def write_imdb_crop(folder: Path, n: int = 40, side: int = 20, seed: int = 0) -> dict[str, list]:
    """Write imdb.mat and JPEG files of noise: n faces to keep, after five that must be dropped.

    Returns the columns of all n + 5 rows, with the age that each person has.
    """
    rng = np.random.default_rng(seed)
    rows = n + 5
    photo = rng.integers(1990, 2015, rows)
    # Every pair of gender and age group, however few the rows.
    gender = (np.arange(rows) % 2).astype(float)
    age = np.array([(5, 22, 33, 41, 52, 64, 25, 80)[i // 2 % 8] for i in range(rows)])
    late = rng.random(rows) < 0.5  # born after 1 July: the birthday is still to come
    dob = np.array(
        [
            matlab_day(int(p - a - after), 7, 2 if after else 1)
            for p, a, after in zip(photo, age, late, strict=True)
        ]
    )
    score, second = rng.uniform(1, 6, rows), np.full(rows, np.nan)
    gender[UNKNOWN_GENDER], score[NO_FACE], second[TWO_FACES] = np.nan, -np.inf, 2.0
    dob[WRONG_BIRTH], dob[FUTURE_BIRTH] = 47, matlab_day(2030, 1, 1)
    paths = np.array([f"{i % 3:02}/nm{i:07}_1990-1-1.jpg" for i in range(rows)], dtype=object)
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(0, 256, (side, side + 4, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / path)
    columns = {
        "dob": dob.astype(np.int32),
        "photo_taken": photo.astype(np.uint16),
        "full_path": paths,
        "gender": gender,
        "face_score": score,
        "second_face_score": second,
    }
    scipy.io.savemat(folder / "imdb.mat", {"imdb": columns})
    return {name: list(column) for name, column in (columns | {"age": age}).items()}
