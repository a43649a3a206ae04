"""The pictures of the README, from the code: `make pictures` (after `make demo`).

docs/images/digits.png: training digits, whose colour follows the class, above test digits, whose
colour does not. docs/images/demo.svg: what the demo's runs in runs/demo measured.
"""

from pathlib import Path

import numpy as np
from PIL import Image

import infoshed
from infoshed.report.figures import accuracy_bars

IMAGES = Path(__file__).parent / "images"
SCALE, GAP = 5, 1


def digits_picture(columns: int = 10, rows: int = 3) -> Image.Image:
    """Three rows of training digits 0..9 above three rows of unbiased test digits."""
    data = infoshed.load("digits")
    halves = []
    for split in (data.train, data.tests["unbiased"]):
        picked = [[int(i) for i in (split.y == k).nonzero()[:, 0]] for k in range(columns)]
        # every fifth: each test digit is there five times, in different colours
        grid = [[split.x[picked[k][7 * r]].numpy() for k in range(columns)] for r in range(rows)]
        halves.append(np.concatenate([_row(images) for images in grid], axis=0))
    space = np.full((6, halves[0].shape[1], 3), 255, np.uint8)
    picture = np.concatenate([halves[0], space, halves[1]], axis=0)
    size = (picture.shape[1] * SCALE, picture.shape[0] * SCALE)
    return Image.fromarray(picture).resize(size, Image.Resampling.NEAREST)


def _row(images: list[np.ndarray]) -> np.ndarray:
    padded = [
        np.pad(image.transpose(1, 2, 0), ((0, GAP), (0, GAP), (0, 0)), constant_values=255)
        for image in images
    ]
    return np.concatenate(padded, axis=1)


def demo_picture(folder: Path) -> str:
    """The demo's accuracy bars as a stand-alone SVG on white."""
    accuracy: dict[str, dict[str, list[float]]] = {"biased": {}, "unbiased": {}}
    for path in sorted(folder.glob("*-*")):
        run = infoshed.load_run(path)
        for split in accuracy:
            values = accuracy[split].setdefault(run.config.method, [])
            values.append(run.results[split]["accuracy"])
    ordered = {split: {m: group[m] for m in ("plain", "mi")} for split, group in accuracy.items()}
    svg = accuracy_bars(ordered, chance=0.1, label="Accuracy in the demo", prefix="demo")
    svg = svg.replace("currentColor", "#1f2328").replace("var(--page, #fff)", "#fff")
    opening = svg.index(">", svg.index("<svg"))
    style = ' xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" width="480"'
    head = svg[:opening].replace(' xmlns="http://www.w3.org/2000/svg"', "") + style
    return head + '><rect width="100%" height="100%" fill="#fff"/>' + svg[opening + 1 :]


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    digits_picture().save(IMAGES / "digits.png", optimize=True)
    demo = Path("runs/demo")
    if demo.is_dir():
        (IMAGES / "demo.svg").write_text(demo_picture(demo), encoding="utf-8")


if __name__ == "__main__":
    main()
