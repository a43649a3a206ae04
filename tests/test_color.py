"""The facts of the coloured-digits protocol, tested statistically.

Seeds are fixed, so the tests are deterministic; the bounds are those a right generator misses for
fewer than one seed in a thousand.
"""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from infoshed import DataSet, InfoshedError, load
from infoshed.data.color import MEANS, biased_colors, bins, paint, unbiased_colors

N = 8000
SIGMA2 = [0.02, 0.05]
every_class = pytest.mark.parametrize("k", range(10))


def truncated(mean: float, sigma2: float):
    """The normal distribution given that it lies in (0, 1)."""
    s = sigma2**0.5
    return scipy.stats.truncnorm(-mean / s, (1 - mean) / s, mean, s)


def colors_of(k: int, sigma2: float) -> np.ndarray:
    return biased_colors(np.full(N, k), sigma2, np.random.default_rng(k))


def test_the_ten_means_are_those_of_the_literature():
    published = "220,20,60 0,128,128 253,233,16 0,149,182 237,145,33 145,30,188 70,240,240"
    published += " 250,197,187 210,245,60 128,0,0"
    expected = [[int(v) for v in color.split(",")] for color in published.split()]
    np.testing.assert_array_equal((MEANS * 255).round().astype(int), expected)


@every_class
@pytest.mark.parametrize("sigma2", SIGMA2)
def test_mean_colours_are_those_of_the_truncated_normal(k: int, sigma2: float):
    colors = colors_of(k, sigma2)
    assert colors.dtype == np.uint8
    assert colors.shape == (N, 3)
    for channel in range(3):
        law = truncated(MEANS[k, channel], sigma2)
        # int() cuts half a step off on average.
        mean = (colors[:, channel].astype(float) + 0.5).mean() / 255
        assert abs(mean - law.mean()) < 4.5 * law.std() / N**0.5


@every_class
@pytest.mark.parametrize("sigma2", SIGMA2)
def test_colours_are_redrawn_at_the_border_and_not_clipped(k: int, sigma2: float):
    colors = colors_of(k, sigma2)
    assert colors.max() < 255  # int(255 c) with c below 1
    edges = np.array([0, 1, 2, 4, 8, *range(16, 240, 16), 247, 251, 253, 254, 255])
    for channel in range(3):
        law = truncated(MEANS[k, channel], sigma2)
        expected = N * np.diff(law.cdf(edges / 255))
        observed, _ = np.histogram(colors[:, channel], edges)
        # Cells of fewer than five expected are joined to their neighbours.
        group = np.minimum((np.cumsum(expected) // 5), expected.sum() // 5 - 1).astype(int)
        observed, expected = (np.bincount(group, v) for v in (observed, expected))
        filled = expected > 0
        p = scipy.stats.chisquare(
            observed[filled], expected[filled] * N / expected[filled].sum()
        ).pvalue
        assert p > 1e-5


def test_unbiased_colours_are_an_even_mixture_of_the_ten():
    colors = unbiased_colors(40_000, 0.02, np.random.default_rng(0))
    for channel in range(3):
        laws = [truncated(mean, 0.02) for mean in MEANS[:, channel]]
        means = np.array([law.mean() for law in laws])
        variance = means.var() + np.mean([law.var() for law in laws])
        mean = (colors[:, channel].astype(float) + 0.5).mean() / 255
        assert abs(mean - means.mean()) < 4.5 * (variance / 40_000) ** 0.5


def test_a_smaller_variance_ties_colour_and_class_more_tightly():
    y = np.random.default_rng(0).integers(0, 10, N)
    spreads = [
        (biased_colors(y, s, np.random.default_rng(0)) / 255 - MEANS[y]).std()
        for s in (0.005, 0.02, 0.05)
    ]
    assert spreads == sorted(spreads)


def test_bins_are_eighths_of_the_range():
    values = np.array([[0, 31, 32], [63, 128, 254]], np.uint8)
    np.testing.assert_array_equal(bins(values), [[0, 0, 1], [1, 4, 7]])


def test_lit_pixels_take_the_colour_and_others_none():
    lit = np.array([[[True, False], [False, True]]])
    image = paint(lit, np.array([[10, 20, 0]], np.uint8))
    assert image.dtype == torch.uint8
    assert image.tolist() == [[[[10, 0], [0, 10]], [[20, 0], [0, 20]], [[0, 0], [0, 0]]]]


@pytest.mark.parametrize("sigma2", [0, -0.02, 2.0, float("nan"), "0.02"])
def test_a_variance_out_of_range_is_refused(sigma2: float):
    with pytest.raises(InfoshedError, match=r"`sigma2` must be a finite number at least 0.001"):
        load("digits", sigma2=sigma2)


def one_flat_colour(x: Tensor, rgb: Tensor) -> np.ndarray:
    """Asserts that every image is its colour on black; returns the lit pixels."""
    lit = x.amax(1) > 0
    expected = lit[:, None] * rgb[:, :, None, None]
    assert torch.equal(x, expected.to(torch.uint8))
    return lit.numpy()


def test_digits_are_lit_where_their_grey_exceeds_half_and_none_is_shared_between_splits(
    digits: DataSet,
):
    images, labels = load_digits(return_X_y=True)
    known = Counter(
        (int(k), (grey * 255 / 16 > 128).tobytes()) for grey, k in zip(images, labels, strict=True)
    )
    found: Counter[tuple[int, bytes]] = Counter()
    for split in (digits.train, digits.validation, digits.tests["unbiased"]):
        assert split.rgb is not None
        lit = one_flat_colour(split.x, split.rgb).reshape(-1, 64)
        once = slice(None, None, 5 if split is digits.tests["unbiased"] else 1)
        found.update(
            (k, mask.tobytes()) for k, mask in zip(split.y[once].tolist(), lit[once], strict=True)
        )
    assert found == known
    assert [len(s) for s in (digits.train, digits.validation)] == [1237, 200]
    assert {name: len(s) for name, s in digits.tests.items()} == {"biased": 1800, "unbiased": 1800}


def test_both_tests_show_the_same_digits(digits: DataSet):
    biased, unbiased = digits.tests["biased"], digits.tests["unbiased"]
    assert torch.equal(biased.y, unbiased.y)
    assert torch.equal(biased.x.amax(1) > 0, unbiased.x.amax(1) > 0)
    assert not torch.equal(biased.c, unbiased.c)


def independence(y: Tensor, code: Tensor) -> float:
    """p-value of independence of label and bin."""
    table = np.zeros((10, 8))
    np.add.at(table, (y.numpy(), code.numpy()), 1)
    table = table[:, table.sum(0) > 0]
    return float(scipy.stats.chi2_contingency(table).pvalue)  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("channel", range(3))
def test_label_and_colour_are_independent_in_the_unbiased_test_only(seed: int, channel: int):
    data = load("digits", seed=seed)
    unbiased, train = data.tests["unbiased"], data.train
    assert independence(unbiased.y, unbiased.c[:, channel]) > 1e-3
    assert independence(train.y, train.c[:, channel]) < 1e-100


def test_validation_colours_follow_the_training_distribution(digits: DataSet):
    p_values = []
    for split in (digits.validation, digits.tests["biased"]):
        for k in range(10):
            for channel in range(3):
                assert split.rgb is not None
                assert digits.train.rgb is not None
                ours = split.rgb[split.y == k, channel].numpy()
                theirs = digits.train.rgb[digits.train.y == k, channel].numpy()
                p_values.append(scipy.stats.ks_2samp(ours, theirs, method="asymp")[1])
    assert min(p_values) > 1e-4  # of sixty


def test_validation_has_every_class_in_its_share(digits: DataSet):
    share = np.bincount(digits.train.y) / len(digits.train)
    ours = np.bincount(digits.validation.y) / len(digits.validation)
    np.testing.assert_allclose(ours, share, atol=0.006)


def test_each_seed_has_its_own_split_and_colours(digits: DataSet):
    other = load("digits", seed=1)
    assert not torch.equal(digits.train.y, other.train.y)
    assert not torch.equal(digits.tests["unbiased"].c, other.tests["unbiased"].c)


def test_numpy_seeds_are_seeds(digits: DataSet):
    assert torch.equal(load("digits", seed=np.int64(0)).train.x, digits.train.x)


def test_generators_differ_between_names_and_seeds():
    from infoshed.seeds import numpy_generator, stream, torch_generator

    draws: list[Callable[[], float]] = [
        lambda: float(torch.rand(1, generator=torch_generator(0, "a"))),
        lambda: float(torch.rand(1, generator=torch_generator(1, "a"))),
        lambda: float(torch.rand(1, generator=torch_generator(0, "b"))),
        lambda: float(numpy_generator(0, "a").random()),
    ]
    assert len({draw() for draw in draws}) == 4
    assert [draw() for draw in draws] == [draw() for draw in draws]
    assert 0 <= stream(0, "a") < 2**63
