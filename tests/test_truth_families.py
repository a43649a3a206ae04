"""Truths of each family, found another way: quadrature, tables, determinants, densities."""

from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.stats
from scipy.special import logsumexp, ndtri
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import log_loss, mutual_info_score

from infoshed.truth import Sample, build_case
from infoshed.truth.continuous import student_correction
from infoshed.truth.discrete import _table
from infoshed.truth.gaussian import BALANCES, class_shares, two_class_information


def binary_entropy(p: float) -> float:
    return float(scipy.stats.entropy([p, 1 - p]))


def covariance_information(z: np.ndarray, c: np.ndarray) -> float:
    """I of jointly normal z and c by the determinants of the sample's covariances."""

    def logdet(x: np.ndarray) -> float:
        return float(np.linalg.slogdet(np.atleast_2d(np.cov(x.T)))[1])

    return (logdet(z) + logdet(c) - logdet(np.concatenate([z, c], 1))) / 2


# Gaussian classes


def quadrature(p: float, distance: float) -> float:
    """I of two unit Gaussians by adaptive quadrature of h(mixture) - h(Gaussian)."""

    def integrand(x: float) -> float:
        density = (1 - p) * scipy.stats.norm.pdf(x) + p * scipy.stats.norm.pdf(x - distance)
        return float(-density * np.log(density)) if density > 0 else 0.0

    h, _ = scipy.integrate.quad(
        integrand, -15, distance + 15, points=[0, distance / 2, distance], limit=500, epsabs=1e-12
    )
    return float(h - np.log(2 * np.pi * np.e) / 2)


@pytest.mark.parametrize("p", [0.5, 0.01, 0.99])
@pytest.mark.parametrize("distance", [0.1, 1.0, 3.0, 9.0])
def test_two_classes_agree_with_adaptive_quadrature(p: float, distance: float):
    assert two_class_information(p, distance) == pytest.approx(quadrature(p, distance), abs=1e-9)


@pytest.mark.parametrize("balance", ["balanced", "rare"])
def test_two_classes_lie_as_far_apart_as_their_information_needs(balance: str):
    case = build_case("gaussian_classes", classes=2, dim=4, balance=balance, share=0.4)
    sample = case.draw(400_000, seed=0)
    centres = [sample.z[sample.c == k].mean(0) for k in (0, 1)]
    distance = float(np.linalg.norm(centres[1] - centres[0]))
    assert quadrature(float(sample.c.mean()), distance) == pytest.approx(case.nats, rel=0.04)
    assert np.cov(sample.z[sample.c == 1].T) == pytest.approx(np.eye(4), abs=0.02)


@pytest.mark.parametrize("balance", BALANCES)
@pytest.mark.parametrize(("classes", "dim"), [(2, 64), (10, 2), (10, 64)])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_the_share_is_reached(balance: str, classes: int, dim: int, share: float):
    case = build_case("gaussian_classes", classes=classes, dim=dim, balance=balance, share=share)
    assert case.entropy is not None
    found = case.nats if case.surprises is None else case.monte_carlo(seed=0, draws=50_000)[0]
    assert found / case.entropy == pytest.approx(share, abs=0.02)


def test_balances():
    assert class_shares(10, "balanced") == pytest.approx(np.full(10, 0.1))
    assert class_shares(2, "rare") == pytest.approx([0.01, 0.99])
    assert class_shares(10, "rare")[[0, 1, 9]] == pytest.approx([0.01, 0.11, 0.11])
    tail = class_shares(10, "long-tailed")
    assert tail[0] / tail[-1] == pytest.approx(100)
    assert np.ptp(tail[1:] / tail[:-1]) < 1e-12


def test_scaled_and_bent_columns_leave_the_information():
    plain = build_case("gaussian_classes")
    assert build_case("gaussian_classes", decades=6).nats == plain.nats
    bent = build_case("warped")
    error = np.hypot(plain.standard_error, bent.standard_error)
    assert abs(bent.nats - plain.nats) <= 4 * error
    deviations = build_case("gaussian_classes", decades=6).draw(2000, 0).z.std(0)
    assert deviations.min() < 2e-3
    assert deviations.max() > 500


def test_bent_columns_keep_rows_apart_and_are_not_straight():
    z = build_case("warped").draw(2000, 0).z
    assert all(len(np.unique(column.astype(np.float32))) > 1900 for column in z.T)
    # A straight map would keep the normal's ratio of the outer to the inner spread.
    outer, inner = (np.subtract(*np.quantile(z, [1 - a, a], 0)) for a in (0.05, 0.3))
    assert np.ptp(np.log(outer / inner)) > 1


# Discrete tables


def table_information(table: np.ndarray) -> float:
    """By scikit-learn, which takes whole counts only."""
    counts = np.round(table * 10**7).astype(np.int64)
    return mutual_info_score(None, None, contingency=counts)


@pytest.mark.parametrize(("classes", "flip"), [(2, 0.1), (2, 0.0), (4, 0.3)])
def test_noisy_labels_against_the_exact_table(classes: int, flip: float):
    table = np.full((classes, classes), flip / (classes - 1))
    np.fill_diagonal(table, 1 - flip)
    case = build_case("noisy_labels", classes=classes, flip=flip)
    assert case.nats == pytest.approx(table_information(table), abs=1e-6)
    if classes == 2:
        assert case.nats == pytest.approx(np.log(2) - binary_entropy(flip))


def test_codes_against_the_exact_table_and_the_draws():
    case = build_case("discrete_codes")
    table = _table(3, 4, 4, 2.0).reshape(64, 4)
    assert case.nats == pytest.approx(table_information(table), abs=1e-6)
    sample = case.draw(300_000, seed=0)
    code = sample.z.astype(int) @ [16, 4, 1]
    assert mutual_info_score(code, sample.c) == pytest.approx(case.nats, abs=5e-3)


def test_no_column_of_a_code_orders_the_classes():
    sample = build_case("discrete_codes").draw(200_000, seed=0)
    for column in sample.z.T:
        steps = np.diff([sample.c[column == v].mean() for v in range(4)])
        assert steps.min() < 0 < steps.max()


def test_several_categoricals_against_counts():
    case = build_case("several_categoricals", sizes=(2, 3, 2), latent=3, dim=6)
    sample = case.draw(150_000, seed=0)
    w = KMeans(3, random_state=0).fit(sample.z[:3000]).predict(sample.z)
    joint = sample.c @ [6, 2, 1]
    assert mutual_info_score(w, joint) == pytest.approx(case.nats, abs=4e-3)
    parts = sum(scipy.stats.entropy(np.bincount(part)) for part in sample.c.T)
    assert case.entropy is not None
    assert case.entropy < parts - 0.05


# Hidden in products and spreads


def test_parity_needs_all_of_its_columns():
    sample = build_case("parity").draw(100_000, seed=0)
    signs = (sample.z[:, :3] > 0).astype(int)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert mutual_info_score(2 * signs[:, i] + signs[:, j], sample.c) < 1e-4
    assert mutual_info_score(signs.sum(1) % 2, sample.c) > 0.3
    assert abs(np.corrcoef(sample.z.T, sample.c)[-1, :-1]).max() < 0.015


def test_parity_in_closed_special_cases():
    one = build_case("parity", bits=1, amplitude=1.0)
    assert one.nats == pytest.approx(two_class_information(0.5, 2.0), abs=4 * one.standard_error)
    plain = build_case("parity", amplitude=10.0, flip=0.1)
    assert plain.nats == pytest.approx(np.log(2) - binary_entropy(0.1), abs=1e-9)
    assert build_case("parity", rotate=True).nats == build_case("parity").nats


def test_variance_only_against_quadrature_over_the_length():
    case = build_case("variance_only", columns=4, scales=(0.6, 1.6))

    def lost(x: float) -> float:
        p = np.array([scipy.stats.chi2.pdf(x, 4, scale=s**2) for s in (0.6, 1.6)]) / 2
        return float(p.sum() * scipy.stats.entropy(p))

    unknown = scipy.integrate.quad(lost, 1e-9, 150, points=[1, 5, 10, 30], limit=300)[0]
    assert case.nats == pytest.approx(np.log(2) - unknown, abs=4 * case.standard_error)


def test_variance_only_has_the_same_means():
    sample = build_case("variance_only").draw(100_000, seed=0)
    first, second = (sample.z[sample.c == k] for k in (0, 1))
    assert abs(first.mean(0) - second.mean(0)).max() < 0.05
    assert first[:, :4].std(0) == pytest.approx(np.full(4, 0.6), abs=0.01)
    assert second[:, :4].std(0) == pytest.approx(np.full(4, 1.6), abs=0.02)
    assert second[:, 4:].std(0) == pytest.approx(np.ones(60), abs=0.02)


# Continuous attributes: undo the maps, then determinants


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("nats", [0.0, 0.5, 2.0])
def test_linear_gaussian_by_determinants(columns: int, nats: float):
    case = build_case("linear_gaussian", columns=columns, nats=nats, dim=8)
    sample = case.draw(200_000, seed=0)
    assert case.nats == nats
    assert covariance_information(sample.z, sample.c) == pytest.approx(nats, abs=6e-3)


def unspiral(x: np.ndarray, first: int, speed: float) -> np.ndarray:
    """Row by row with the matrix exponential of the skew generator."""
    skew = np.zeros((x.shape[1], x.shape[1]))
    skew[first, first + 1], skew[first + 1, first] = -1, 1
    return np.stack([scipy.linalg.expm(-speed * (row @ row) * skew) @ row for row in x])


@pytest.mark.parametrize("structure", ["pairs", "dense"])
def test_half_cube_and_spiral_by_determinants_of_the_normals(structure: str):
    case = build_case("half_cube", structure=structure)
    sample = case.draw(100_000, seed=0)
    normals = [np.sign(x) * abs(x) ** (2 / 3) for x in (sample.z, sample.c)]
    assert covariance_information(*normals) == pytest.approx(case.nats, abs=0.015)

    case = build_case("spiral", structure=structure, dim=3, speed=0.5)
    sample = case.draw(10_000, seed=0)
    normals = unspiral(sample.z, 0, 0.5), unspiral(sample.c, 1, 0.5)
    assert covariance_information(*normals) == pytest.approx(case.nats, abs=0.05)


def test_swiss_roll_by_the_correlation_of_what_is_rolled():
    case = build_case("swiss_roll", rho=0.8)
    sample = case.draw(50_000, seed=0)
    u = ndtri((np.linalg.norm(sample.z, axis=1) * 21 / (1.5 * np.pi) - 1) / 2)
    v = ndtri(sample.c[:, 0])
    assert scipy.stats.kstest(v, "norm").pvalue > 1e-3
    assert covariance_information(u[:, None], v[:, None]) == pytest.approx(case.nats, abs=0.02)
    assert case.nats == pytest.approx(-0.5 * np.log(1 - 0.64))


@pytest.mark.parametrize(("structure", "df"), [("pairs", 2.0), ("dense", 5.0)])
def test_student_against_log_densities(structure: str, df: float):
    dim = 2
    case = build_case("student_t", dim=dim, df=df, structure=structure)
    sample = case.draw(200_000, seed=0)
    if structure == "pairs":
        shape = np.kron([[1, 0.8], [0.8, 1]], np.eye(dim))
    else:
        shape = 0.5 * (np.eye(2 * dim) + 1)

    def log_density(x: np.ndarray, columns: slice) -> np.ndarray:
        own: Any = shape[columns, columns]
        return scipy.stats.multivariate_t(shape=own, df=df).logpdf(x)  # type: ignore[arg-type]

    both = log_density(np.concatenate([sample.z, sample.c], 1), slice(None))
    values = both - log_density(sample.z, slice(0, dim)) - log_density(sample.c, slice(dim, None))
    assert values.mean() == pytest.approx(case.nats, abs=4 * values.std() / np.sqrt(200_000))


def test_student_tends_to_the_gaussian_and_asinh_is_one_to_one():
    assert student_correction(1e7, 5, 5) == pytest.approx(0, abs=1e-6)
    plain, tame = build_case("student_t"), build_case("student_t", asinh=True)
    assert tame.nats == plain.nats > build_case("spiral").nats
    np.testing.assert_allclose(tame.draw(100, 0).z, np.arcsinh(plain.draw(100, 0).z))


# Labels and weights


def class_means(sample: Sample) -> np.ndarray:
    """Means of z by (y, c), shape (labels, classes, d)."""
    assert sample.y is not None
    labels, classes = sample.y.max() + 1, sample.c.max() + 1
    return np.array(
        [
            [sample.z[(sample.y == y) & (sample.c == c)].mean(0) for c in range(classes)]
            for y in range(labels)
        ]
    )


def log_densities(z: np.ndarray, means: np.ndarray) -> np.ndarray:
    """log N(z; mean, I) + constant, (n, labels, classes)."""
    return -((z[:, None, None] - means) ** 2).sum(3) / 2


def test_conditional_information_from_the_means_of_the_draws():
    case = build_case("conditional_gaussian", dim=8)
    sample = case.draw(200_000, seed=0)
    assert sample.y is not None
    table = np.array([np.bincount(sample.c[sample.y == y]) for y in range(3)])
    prior = np.log(table / table.sum(1, keepdims=True))
    rows = case.draw(40_000, seed=1)
    assert rows.y is not None
    log_p = log_densities(rows.z, class_means(sample))[np.arange(40_000), rows.y]
    own = log_p[np.arange(40_000), rows.c]
    values = own - logsumexp(log_p + prior[rows.y], 1)
    assert values.mean() == pytest.approx(case.nats, abs=4 * values.std() / 200)


def test_weighted_information_from_the_means_of_the_draws():
    case = build_case("weighted_gaussian", dim=8)
    means = class_means(case.draw(200_000, seed=0))
    rows = case.draw(40_000, seed=1)
    assert rows.weights is not None
    # y and c are independent and uniform under the weights.
    log_p = logsumexp(log_densities(rows.z, means), 1) - np.log(3)
    values = rows.weights * (log_p[np.arange(40_000), rows.c] - logsumexp(log_p, 1) + np.log(3))
    assert values.mean() == pytest.approx(case.nats, abs=4 * values.std() / 200)


@pytest.mark.parametrize("name", ["conditional_null", "weighted_null"])
def test_a_null_tells_c_only_through_y(name: str):
    case = build_case(name)
    sample = case.draw(100_000, seed=0)
    means = class_means(sample)
    assert case.nats == case.standard_error == 0
    assert np.ptp(means, axis=1).max() < 0.12  # the same for every c
    assert np.ptp(means, axis=0).max() > 1
    train, test = slice(0, 50_000), slice(50_000, None)
    model = LinearDiscriminantAnalysis().fit(sample.z[train], sample.c[train])
    lost = log_loss(sample.c[test], model.predict_proba(sample.z[test]))
    assert lost < np.log(3) - 0.2  # without the condition or the weights, z tells c


@pytest.mark.parametrize("name", ["weighted_null", "weighted_gaussian"])
def test_weights_make_label_and_class_independent(name: str):
    sample = build_case(name).draw(200_000, seed=0)
    assert sample.y is not None
    assert sample.weights is not None
    assert sample.weights.mean() == pytest.approx(1, abs=0.01)
    biased, even = np.zeros((3, 3)), np.zeros((3, 3))
    np.add.at(biased, (sample.y, sample.c), 1.0)
    np.add.at(even, (sample.y, sample.c), sample.weights)
    assert table_information(even / even.sum()) < 1e-3
    assert table_information(biased / biased.sum()) > 0.3
