"""Made-up files of the kind that people have: a table with gaps, and pictures with labels."""

from pathlib import Path

import numpy as np

LACKING = 6  # rows without a target; as many without an attribute


def people(n: int = 400, seed: int = 0) -> dict[str, list[str]]:
    """Columns of text: income follows hours and leans on sex; hours and job have gaps."""
    rng = np.random.default_rng(seed)
    rich = rng.integers(0, 2, n)
    man = np.where(rng.random(n) < 0.8, rich, 1 - rich)
    hours = 30 + 12 * rich + rng.normal(0, 4, n)
    columns = {
        "id": [str(i + 1) for i in range(n)],
        "hours": [f"{h:.2f}" for h in hours],
        "job": rng.choice(["clerk", "cook", "pilot"], n).tolist(),
        "zip": rng.choice(["10115", "20095", "80331"], n).tolist(),
        "country": ["here"] * n,
        "note": [f"remark {i}" for i in range(n)],
        "age": [str(a) for a in rng.integers(18, 80, n)],
        "sex": np.where(man, "male", "female").tolist(),
        "income": np.where(rich, "high", "low").tolist(),
    }
    for i in range(20):
        columns["hours"][i] = ""
        columns["job"][i + 20] = "?"
    for i in range(LACKING):
        columns["income"][i + 50] = ""
        columns["sex"][i + 60] = "NA"
    return columns


def write_table(path: Path, columns: dict[str, list[str]], delimiter: str = ",") -> Path:
    """Delimited text with a header."""
    rows = [list(columns), *map(list, zip(*columns.values(), strict=True))]
    path.write_text("".join(delimiter.join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_pictures(folder: Path, n: int = 80, broken: int = 2) -> Path:
    """labels.csv and n pictures of bars in a colour that leans on their direction; the first
    `broken` of them do not open. Returns labels.csv."""
    from PIL import Image

    folder.mkdir()
    rng = np.random.default_rng(0)
    columns: dict[str, list[str]] = {"file": [], "label": [], "camera": [], "iso": []}
    for i in range(n):
        flat = int(rng.integers(0, 2))
        red = flat if rng.random() < 0.8 else 1 - flat
        pixels = np.full((30, 40, 3), 40, np.uint8)
        pixels[..., 0 if red else 2] += 100
        pixels[(slice(10, 20), slice(None)) if flat else (slice(None), slice(15, 25))] = 240
        Image.fromarray(pixels).save(folder / f"{i}.png")
        for name, value in zip(
            columns, (f"{i}.png", ["up", "flat"][flat], ["A", "B"][red], "100"), strict=True
        ):
            columns[name].append(value)
    for i in range(broken):
        (folder / f"{i}.png").write_bytes(b"no picture")
    return write_table(folder / "labels.csv", columns)
