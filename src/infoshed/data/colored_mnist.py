"""MNIST in colour, the field's common yardstick: the full protocol of `infoshed.data.color`.

60,000 training images (of which `VALIDATION` are held out, with their biased colours) and 10,000
test images, painted twice: as the training data are, and with colours independent of the digit.
The four idx files are read from a data folder, or downloaded with checksums where there is a
network (extra `infoshed[download]`).
"""

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np

from infoshed.checks import InfoshedError
from infoshed.data.cache import cache_dir, cached
from infoshed.data.color import (
    biased_colors,
    check_sigma2,
    colored_data,
    unbiased_colors,
)
from infoshed.data.folders import folders
from infoshed.seeds import numpy_generator
from infoshed.types import DataSet, Recipe

VALIDATION = 5000
URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}


def colored_mnist(
    *, sigma2: float = 0.02, seed: int = 0, data_dir: str | Path | None = None
) -> DataSet:
    """Coloured MNIST.

    Args:
        sigma2: variance of the colour around the mean of its class; the literature uses 0.020
            (most biased) to 0.050.
        seed: of the validation split and the colours.
        data_dir: the folder with the four idx .gz files; unless given, $INFOSHED_DATA/mnist, then
            the cache, then a download.
    """
    check_sigma2(sigma2)
    folder = mnist_folder(data_dir)
    arrays = cached(
        "colored-mnist",
        {"version": 1, "sigma2": sigma2, "seed": seed, "files": MD5},
        lambda: _make(folder, sigma2, seed),
    )
    return colored_data(
        "colored-mnist",
        "MNIST digits, 28x28. In the training data the colour follows the digit; in the "
        "unbiased test it is drawn independently of the digit.",
        arrays,
        lambda bits: np.unpackbits(bits, axis=1, count=784).reshape(-1, 28, 28) > 0,
        Recipe(encoder="conv", epochs=10, batch_size=128, lr=1e-3),
        {"sigma2": sigma2, "seed": seed},
    )


def read_idx(path: Path) -> np.ndarray:
    """An idx .gz file of unsigned bytes as an array. Raises `InfoshedError` if it is not one."""
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise InfoshedError(f"cannot read {path}: {error}") from None
    dims = raw[3] if len(raw) > 3 else 0
    shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(dims)]
    if raw[:3] != b"\0\0\x08" or len(raw) != 4 + 4 * dims + int(np.prod(shape)):
        raise InfoshedError(f"{path} is not an idx file of unsigned bytes")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dims).reshape(shape)


def mnist_folder(data_dir: str | Path | None) -> Path:
    """The folder that holds the four files, fetched if need be: `data_dir` or mnist/ in it, else
    $INFOSHED_DATA/mnist, the cache, a download. Raises `InfoshedError` when none has them."""
    cache = cache_dir() / "mnist"
    places = folders(data_dir, "mnist")
    for folder in places if data_dir is not None else [*places, cache]:
        if all((folder / name).is_file() for name in MD5):
            return folder
    if data_dir is None:
        return _download(cache)
    raise InfoshedError(
        f"data folder {data_dir} lacks the MNIST files {', '.join(MD5)}; "
        "point --data-dir (data_dir) at the folder that holds them"
    )


def _download(folder: Path) -> Path:
    remedy = "give the folder with the four MNIST .gz files by --data-dir (data_dir)"
    try:
        import pooch
    except ImportError:
        raise InfoshedError(
            f"the MNIST files are not on this machine; {remedy}, or install the downloader: "
            "pip install 'infoshed[download]'"
        ) from None
    try:
        for name, md5 in MD5.items():
            pooch.retrieve(URL + name, known_hash=f"md5:{md5}", fname=name, path=folder)
    except Exception as error:  # requests, urllib3 and pooch each raise their own kinds
        raise InfoshedError(f"cannot download MNIST ({type(error).__name__}); {remedy}") from error
    return folder


def read_mnist(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images (60000, 28, 28) uint8 and their classes int64, then the test ones.

    Raises `InfoshedError` unless the four files are the official ones."""
    for name, md5 in MD5.items():
        if hashlib.md5((folder / name).read_bytes()).hexdigest() != md5:
            raise InfoshedError(
                f"{folder / name} is not the official file (its md5 differs from {md5}); "
                "fetch it again"
            )
    images, y, test_images, test_y = (read_idx(folder / name) for name in MD5)
    return images, y.astype(np.int64), test_images, test_y.astype(np.int64)


def _make(folder: Path, sigma2: float, seed: int) -> dict[str, np.ndarray]:
    images, y, test_images, test_y = read_mnist(folder)
    rng = numpy_generator(seed, "colored-mnist")
    order = rng.permutation(len(y))
    train, validation = np.sort(order[VALIDATION:]), np.sort(order[:VALIDATION])
    # Masks are stored as bits: 7 MB for the whole data set instead of 160 MB of pixels.
    lit, test_lit = (
        np.packbits(i.reshape(len(i), -1) > 128, axis=1) for i in (images, test_images)
    )
    color = biased_colors(y, sigma2, rng)
    return {
        "train_lit": lit[train],
        "train_y": y[train],
        "train_color": color[train],
        "validation_lit": lit[validation],
        "validation_y": y[validation],
        "validation_color": color[validation],
        "test_lit": test_lit,
        "test_y": test_y,
        "biased_color": biased_colors(test_y, sigma2, rng),
        "unbiased_color": unbiased_colors(len(test_y), sigma2, rng),
    }
