"""Coloured MNIST: its files, and the full protocol where they are at hand."""

import gzip
import importlib.util
import struct
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch

from infoshed import DataSet, InfoshedError, load
from infoshed.data.colored_mnist import MD5, VALIDATION, read_idx


def write_idx(path: Path, array: np.ndarray, magic: bytes = b"\0\0\x08") -> Path:
    header = magic + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))
    return path


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), (0, 3)])
def test_idx_files_are_read(tmp_path: Path, shape: tuple[int, ...]):
    array = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    np.testing.assert_array_equal(read_idx(write_idx(tmp_path / "a.gz", array)), array)


def test_files_that_are_no_idx_are_named(tmp_path: Path):
    path = tmp_path / "a.gz"
    array = np.zeros((4, 4))
    write_idx(path, array, magic=b"\0\0\x0d")  # floats
    with pytest.raises(InfoshedError, match=r"a\.gz is not an idx file of unsigned bytes"):
        read_idx(path)
    write_idx(path, array)
    whole = path.read_bytes()
    for raw in (b"", b"\0", gzip.decompress(whole)[:-1], gzip.decompress(whole) + b"\0"):
        path.write_bytes(gzip.compress(raw))
        with pytest.raises(InfoshedError, match="is not an idx file"):
            read_idx(path)
    for raw in (b"plain text", whole[:-10], whole[:12] + b"\xff" * 20):
        path.write_bytes(raw)
        with pytest.raises(InfoshedError, match=r"cannot read .*a\.gz"):
            read_idx(path)
    with pytest.raises(InfoshedError, match=r"cannot read .*none"):
        read_idx(tmp_path / "none")


@pytest.fixture
def other_files(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in MD5:
        shape = (20, 28, 28) if "images" in name else (20,)
        write_idx(folder / name, rng.integers(0, 10, shape))
    return folder


def test_files_other_than_the_official_ones_are_refused(
    other_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("INFOSHED_CACHE", str(tmp_path / "cache"))
    with pytest.raises(InfoshedError, match=r"is not the official file .*md5"):
        load("colored-mnist", data_dir=other_files)


@pytest.mark.parametrize("missing", list(MD5))
def test_a_folder_without_one_of_the_files_is_named(other_files: Path, missing: str):
    (other_files / missing).unlink()
    with pytest.raises(InfoshedError, match=f"data folder .*data lacks .*{missing}.*--data-dir"):
        load("colored-mnist", data_dir=other_files)


def test_without_a_network_the_remedy_is_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("INFOSHED_CACHE", str(tmp_path / "cache"))
    if importlib.util.find_spec("pooch") is not None:
        import pooch

        def offline(*_: object, **__: object) -> None:
            raise ConnectionError("no network")

        monkeypatch.setattr(pooch, "retrieve", offline)
    with pytest.raises(InfoshedError, match="--data-dir"):
        load("colored-mnist")


def test_the_data_folder_of_the_environment_is_used(
    other_files: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("INFOSHED_CACHE", str(tmp_path / "cache"))
    other_files.rename(tmp_path / "mnist")
    monkeypatch.setenv("INFOSHED_DATA", str(tmp_path))
    with pytest.raises(InfoshedError, match=r"mnist.* is not the official file"):
        load("colored-mnist")


@pytest.fixture(scope="module")
def mnist(mnist_folder: Path) -> DataSet:
    return load("colored-mnist", data_dir=mnist_folder)


def test_the_sizes_are_those_of_the_protocol(mnist: DataSet):
    assert len(mnist.train) == 55_000
    assert len(mnist.validation) == 5000
    assert {name: len(s) for name, s in mnist.tests.items()} == {
        "biased": 10_000,
        "unbiased": 10_000,
    }
    assert mnist.train.x.shape[1:] == (3, 28, 28)
    assert mnist.train.x.dtype == torch.uint8


def test_test_digits_are_the_official_ones_in_order(mnist: DataSet, mnist_folder: Path):
    grey = read_idx(mnist_folder / "t10k-images-idx3-ubyte.gz")
    labels = read_idx(mnist_folder / "t10k-labels-idx1-ubyte.gz")
    for split in mnist.tests.values():
        assert split.rgb is not None
        assert split.y.tolist() == labels.tolist()
        lit = torch.from_numpy(grey > 128)
        expected = lit[:, None] * split.rgb[:, :, None, None]
        assert torch.equal(split.x, expected.to(torch.uint8))


def test_training_digits_are_the_official_ones_less_those_held_out(
    mnist: DataSet, mnist_folder: Path
):
    grey = read_idx(mnist_folder / "train-images-idx3-ubyte.gz")
    labels = read_idx(mnist_folder / "train-labels-idx1-ubyte.gz")
    pixels = np.concatenate(
        [(split.x.amax(1) > 0).numpy() for split in (mnist.train, mnist.validation)]
    )
    y = np.concatenate([mnist.train.y, mnist.validation.y])
    # A digit whose lit pixels all take (0, 0, 0) cannot happen: one channel mean is above 128.
    ours = np.packbits(pixels.reshape(len(y), -1), axis=1)
    theirs = np.packbits(grey.reshape(len(labels), -1) > 128, axis=1)
    rows = [
        np.concatenate([lit, k[:, None]], 1).astype(np.uint8)
        for lit, k in ((ours, y), (theirs, labels))
    ]
    void = [np.sort(np.ascontiguousarray(r).view(f"V{r.shape[1]}").ravel()) for r in rows]
    assert (void[0] == void[1]).all()


def test_colours_follow_the_digit_everywhere_but_in_the_unbiased_test(mnist: DataSet):
    def p_value(y: torch.Tensor, code: torch.Tensor) -> float:
        table = np.zeros((10, 8))
        np.add.at(table, (y.numpy(), code.numpy()), 1)
        return float(scipy.stats.chi2_contingency(table[:, table.sum(0) > 0]).pvalue)  # type: ignore[attr-defined]

    for channel in range(3):
        for split in (mnist.train, mnist.validation, mnist.tests["biased"]):
            assert p_value(split.y, split.c[:, channel]) < 1e-200
        unbiased = mnist.tests["unbiased"]
        assert p_value(unbiased.y, unbiased.c[:, channel]) > 1e-3


def test_validation_colours_follow_the_training_distribution(mnist: DataSet):
    for k in range(10):
        for channel in range(3):
            table = np.stack(
                [
                    np.bincount(s.c[s.y == k, channel], minlength=8)
                    for s in (mnist.train, mnist.validation)
                ]
            )
            table = table[:, table.sum(0) >= 60]
            if table.shape[1] > 1:
                assert scipy.stats.chi2_contingency(table).pvalue > 1e-5  # type: ignore[attr-defined]


def test_every_variance_of_the_literature_can_be_had(mnist_folder: Path):
    wide = load("colored-mnist", data_dir=mnist_folder, sigma2=0.05)
    assert wide.params == {"sigma2": 0.05, "seed": 0}
    assert len(wide.validation) == VALIDATION
