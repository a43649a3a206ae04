"""Your own pictures, with a table of labels (needs the extra `images`).

Writes handwritten digits 3 and 8 (scikit-learn's) as PNG files on paper whose shade leans on
the digit, with a table that names them, then trains on the folder:

    infoshed train photos/labels.csv --images photos --target digit --attribute paper
    infoshed predict runs/photos photos
"""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

rng = np.random.default_rng(0)
folder = Path("photos")
folder.mkdir(exist_ok=True)
pixels, digit = map(np.asarray, load_digits(return_X_y=True))
chosen = np.flatnonzero(np.isin(digit, [3, 8]))
with open(folder / "labels.csv", "w", newline="", encoding="utf-8") as file:
    table = csv.writer(file)
    table.writerow(["file", "digit", "paper"])
    for i in chosen:
        dark = (digit[i] == 8) == (rng.random() < 0.9)
        ink = np.kron(pixels[i].reshape(8, 8) / 16, np.ones((3, 3)))
        picture = np.uint8(255 * np.clip(ink + (0.1 if dark else 0.4), 0, 1))
        Image.fromarray(picture).save(folder / f"{i}.png")
        table.writerow([f"{i}.png", digit[i], "dark" if dark else "light"])

words = ["--images", "photos", "--target", "digit", "--attribute", "paper", "--size", "24"]
words += ["--no-color", "--epochs", "6", "--out", "runs/photos"]
infoshed = [sys.executable, "-m", "infoshed"]
subprocess.run([*infoshed, "train", "photos/labels.csv", *words], check=True)
guess = ["predict", "runs/photos", "photos/labels.csv", "--out", "p.csv"]
subprocess.run([*infoshed, *guess], check=True)
