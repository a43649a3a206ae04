"""What all tests share: one thread, a cache of their own, and small generated data sets."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings

from infoshed import METHODS, Attribute, DataSet, Recipe, Run, Split, infer_attribute, load
from places import SHARED

torch.set_num_threads(1)
settings.register_profile("infoshed", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("infoshed")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's cache and data folders are neither read nor written."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("INFOSHED_CACHE", str(folder))
        patch.delenv("INFOSHED_DATA", raising=False)
        yield folder


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """The folder with the official MNIST files, outside the repository."""
    folder = SHARED / "mnist"
    if not folder.is_dir():
        pytest.skip(f"no MNIST files: {folder} is not there")
    return folder


@pytest.fixture(scope="session")
def make_data() -> Callable[..., DataSet]:
    """A generated table by the kind of its attribute: y is plain to see in one column of x, c in
    another, and c follows y in training."""

    def values(kind: str, follows: np.ndarray, rng: np.random.Generator) -> Any:
        n = len(follows)
        if kind == "binary":
            return follows
        if kind == "categorical":
            return 2 * follows + rng.integers(0, 2, n)
        if kind == "multi-categorical":
            return np.stack([follows, rng.integers(0, 3, n)], 1)
        size = follows + rng.normal(scale=0.5, size=n)
        return {"group": follows, "size": size} if kind == "mixed" else size

    def make(kind: str = "binary", n: int = 320, seed: int = 0, **changes: Any) -> DataSet:
        rng = np.random.default_rng(seed)

        def split(rows: int, agreement: float, attribute: Attribute | None = None):
            y = rng.integers(0, 2, rows)
            c = values(kind, np.where(rng.random(rows) < agreement, y, 1 - y), rng)
            seen = c["group"] if kind == "mixed" else c if c.ndim == 1 else c[:, 0]
            signs = np.stack([2 * y - 1, 2 * seen - 1], 1)
            x = np.concatenate(
                [signs * [1, 2] + rng.normal(size=(rows, 2)), rng.normal(size=(rows, 4))], 1
            )
            attribute = attribute or infer_attribute(c, "group")
            x, y = torch.from_numpy(x).float(), torch.from_numpy(y)
            return Split(x, y, attribute.encode(c)), attribute

        train, attribute = split(n, 0.85)
        parts: dict[str, Any] = {
            "name": "table",
            "description": "A generated table.",
            "train": train,
            "validation": split(n // 2, 0.85, attribute)[0],
            "tests": {
                "biased": split(n // 2, 0.85, attribute)[0],
                "unbiased": split(n // 2, 0.5, attribute)[0],
            },
            "attribute": attribute,
            "classes": ("no", "yes"),
            "recipe": Recipe(encoder="mlp", dim=8, epochs=3, batch_size=64),
        }
        return DataSet(**(parts | changes))

    return make


@pytest.fixture(scope="session")
def table(make_data: Callable[..., DataSet]) -> DataSet:
    """A table with two classes and a binary attribute."""
    return make_data()


@pytest.fixture(scope="session")
def images() -> DataSet:
    """Images of 3x8x8 pixels: a bar whose direction is the class, in a colour that follows it."""
    rng = np.random.default_rng(3)

    def split(rows: int, agreement: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        y = rng.integers(0, 2, rows)
        c = np.where(rng.random(rows) < agreement, y, 1 - y)
        x = np.zeros((rows, 3, 8, 8), np.uint8)
        for i, at in enumerate(rng.integers(0, 8, rows)):
            bar = (slice(None), at) if y[i] else (at, slice(None))
            x[i, c[i]][bar] = 200
        return x, y, c

    raw = {"train": split(96, 0.9), "validation": split(48, 0.9), "unbiased": split(48, 0.5)}
    attribute = infer_attribute(raw["train"][2], "colour")
    splits = {
        name: Split(torch.from_numpy(x), torch.from_numpy(y), attribute.encode(c))
        for name, (x, y, c) in raw.items()
    }
    return DataSet(
        name="bars",
        description="Generated bars.",
        train=splits["train"],
        validation=splits["validation"],
        tests={"unbiased": splits["unbiased"]},
        attribute=attribute,
        classes=("flat", "upright"),
        recipe=Recipe(encoder="conv-small", dim=8, epochs=1, batch_size=32),
        shows_images=True,
    )


@pytest.fixture(scope="session")
def digits() -> DataSet:
    return load("digits")


@pytest.fixture(scope="session")
def fast_options() -> Callable[[str], dict[str, Any]]:
    """Options that make any method cheap on tiny data."""

    def options(method: str) -> dict[str, Any]:
        known = {f.name for f in fields(METHODS[method].Options)}
        return {k: v for k, v in {"critic_steps": 2}.items() if k in known}

    return options


@pytest.fixture(scope="session")
def same_run() -> Callable[[Run, Run], None]:
    """Asserts that two runs agree bit for bit in all but the time they took."""

    def check(a: Run, b: Run) -> None:
        theirs = b.model.state_dict()
        for name, value in a.model.state_dict().items():
            assert torch.equal(value, theirs[name]), name
        rows = [
            [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics]
            for run in (a, b)
        ]
        assert rows[0] == rows[1]
        assert a.results == b.results

    return check
