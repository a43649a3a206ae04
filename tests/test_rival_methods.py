"""Resampling, group DRO, EnD, penalties by an estimator and LEACE, against independent truth."""

import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from infoshed import METHODS, Batch, DataSet, InfoshedError, Run, Split, fit, load_run
from infoshed.estimators import build_estimator
from infoshed.evaluate import features_of
from infoshed.groups import Groups
from infoshed.label_prior import TargetPrior
from infoshed.methods import Setting, method_options
from infoshed.methods.end import end_terms
from infoshed.nn import build_model

PENALTIES = ("end", "hsic", "slices", "club")


def method_on(data: DataSet, name: str, **options: Any) -> Any:
    model = build_model("mlp", data.train.x.shape[1:], 8, len(data.classes), seed=0)
    model = METHODS[name].extend(model)
    prior = TargetPrior(data.target, data.train.y, data.train.c, data.attribute)
    return METHODS[name](Setting(model, data, 1e-3, 64, prior, 0), method_options(name, options))


def fresh_of(data: DataSet) -> Callable[[int], Batch]:
    generator = torch.Generator().manual_seed(0)
    return lambda n: data.train.take(torch.randint(len(data.train), (n,), generator=generator))


def rows_of(data: DataSet, n: int = 64) -> Batch:
    return data.train.take(torch.arange(n))


@pytest.mark.parametrize("method", PENALTIES)
def test_strength_0_is_plain_to_the_last_bit(
    method: str, table: DataSet, same_run: Callable[[Run, Run], None]
):
    same_run(fit(table, "plain", epochs=2), fit(table, method, epochs=2, strength=0))


OPTIONS = [(m, f.name) for m in ("group-dro", *PENALTIES) for f in fields(METHODS[m].Options)]


@pytest.mark.parametrize(("method", "option"), OPTIONS)
def test_options_out_of_range_are_refused(method: str, option: str):
    with pytest.raises(InfoshedError, match=f"`{option}` must be .* at least"):
        method_options(method, {option: -1})


def test_resample_trains_on_batches_with_every_group_equally_often(table: DataSet):
    method = method_on(table, "resample")
    seen: list[Batch] = []
    inner = method.task_loss
    method.task_loss = lambda logits, batch: (seen.append(batch), inner(logits, batch))[1]
    for _ in range(100):
        method.step(rows_of(table), fresh_of(table))
    y, c = (torch.cat([getattr(batch, k).flatten() for batch in seen]) for k in "yc")
    shares = torch.bincount(2 * y + c) / len(y)
    # 6,400 draws: standard error 0.0054; in the table itself two groups have 42% and two 8%.
    torch.testing.assert_close(shares, torch.full((4,), 0.25), atol=0.022, rtol=0)
    known = {tuple(row) for row in table.train.x.tolist()}
    assert {tuple(row) for batch in seen for row in batch.x.tolist()} <= known


def test_weights_of_group_dro_take_the_step_of_the_paper(table: DataSet):
    method = method_on(table, "group-dro", strength=0.5)
    groups = Groups(table.train.y, table.train.c, table.attribute)
    logits = torch.randn(64, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    weights = np.full(len(groups), 1 / len(groups))
    for start in (0, 64):
        batch = table.train.take(torch.arange(start, start + 64))
        loss = method.task_loss(logits, batch)
        of = groups.index[start : start + 64].numpy()
        losses = -logits.detach().log_softmax(1)[range(64), batch.y].numpy()
        means = np.array([losses[of == g].mean() for g in range(len(groups))])
        weights = weights * np.exp(0.5 * means)
        weights /= weights.sum()
        np.testing.assert_allclose(method.log_weights.exp(), weights, rtol=1e-5)
        assert float(loss.detach()) == pytest.approx(weights @ means, rel=1e-5)
    # The weights are constants to the model: its gradient is that of the weighted mean.
    (gradient,) = torch.autograd.grad(loss, logits)
    expected = logits.detach().softmax(1) - F.one_hot(batch.y, 2)
    share = torch.from_numpy(weights[of] / np.bincount(of)[of]).float()
    torch.testing.assert_close(gradient, share[:, None] * expected, atol=1e-6, rtol=1e-5)


def test_a_group_that_is_not_in_the_batch_keeps_its_odds(table: DataSet):
    method = method_on(table, "group-dro", strength=1.0)
    index = Groups(table.train.y, table.train.c, table.attribute).index
    batch = table.train.take(torch.nonzero(index == 3)[:16, 0])
    loss = method.task_loss(torch.zeros(16, 2), batch)
    # Alone in its batch, a group counts whole.
    assert float(loss) == pytest.approx(np.log(2), rel=1e-6)
    weights = method.log_weights.exp()
    torch.testing.assert_close(weights[:3], weights[:1].expand(3))
    assert float(weights[3] / weights[0]) == pytest.approx(2, rel=1e-5)  # exp(log 2)


def test_without_a_step_size_the_groups_stay_equal(table: DataSet):
    method = method_on(table, "group-dro", strength=0)
    for _ in range(3):
        method.step(rows_of(table), fresh_of(table))
    torch.testing.assert_close(method.log_weights.exp(), torch.full((4,), 0.25))


def test_group_dro_lifts_the_worst_group_above_plain_training(table: DataSet):
    worst = []
    for method in ("plain", "group-dro"):
        run = fit(table, method, epochs=8, lr=3e-3, average=0)
        split = table.tests["unbiased"]
        right = (run.predict(split.x) == split.y).float()
        group = 2 * split.y + split.c[:, 0]
        worst.append(min(float(right[group == g].mean()) for g in range(4)))
    assert worst[1] > worst[0] + 0.05


def end_by_loops(z: Tensor, y: list[int], c: list[tuple]) -> tuple[float, float]:
    u = [row / np.linalg.norm(row) for row in z.double().numpy()]
    sums: dict[tuple, float] = {}
    same, together = 0, []
    for i in range(len(u)):
        for j in range(i):
            g = float(u[i] @ u[j])
            if c[i] == c[j]:
                sums[c[i]] = sums.get(c[i], 0.0) + g
                same += 1
            elif y[i] == y[j]:
                together.append((1 - g) / 2)
    apart = sum(map(abs, sums.values())) / same if same else 0.0
    return apart, float(np.mean(together)) if together else 0.0


@pytest.mark.parametrize("seed", range(5))
def test_the_terms_of_end_are_those_of_a_double_loop(seed: int):
    rng = np.random.default_rng(seed)
    z = torch.from_numpy(rng.normal(size=(23, 5))).float()
    y, c = torch.from_numpy(rng.integers(0, 3, 23)), torch.from_numpy(rng.integers(0, 2, (23, 2)))
    apart, together = end_terms(z, y, c)
    expected = end_by_loops(z, y.tolist(), [tuple(row) for row in c.tolist()])
    assert (float(apart), float(together)) == pytest.approx(expected, rel=1e-5)
    # The length of a feature does not matter.
    torch.testing.assert_close(end_terms(5 * z, y, c), (apart, together))


def test_terms_without_pairs_are_0_with_a_gradient_of_0():
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    y, c = torch.arange(4), torch.arange(4)[:, None]  # nothing is shared by any two rows
    total = torch.stack(end_terms(z, y, c)).sum()
    assert float(total.detach()) == 0
    assert torch.equal(torch.autograd.grad(total, z)[0], torch.zeros(4, 3))


def test_the_best_features_for_end_are_found_by_hand():
    # Two values of c, orthogonal classes within each, the same class alike in both: both terms 0.
    y, c = torch.tensor([0, 1, 0, 1]), torch.tensor([[0], [0], [1], [1]])
    apart, together = end_terms(F.one_hot(y, 3).float(), y, c)
    assert float(apart) == 0
    assert float(together) == 0


@pytest.mark.parametrize(("method", "name"), [("hsic", "hsic"), ("slices", "slice-infomin")])
def test_a_penalty_adds_strength_times_the_estimate(method: str, name: str, table: DataSet):
    penalised = method_on(table, method, strength=0.7)
    batch = rows_of(table)
    z = penalised.model.encoder(batch.x)
    term = penalised.extra_loss(torch.zeros(()), z, batch, fresh_of(table))
    estimator = build_estimator(name, 8, table.attribute, table.train.c, scaled=False)
    generator = method_on(table, method).generator  # the same seed
    expected = estimator(z, batch.c, generator=generator)
    assert float(term.detach()) == pytest.approx(0.7 * float(expected.detach()), rel=1e-6)
    ours, plain = (torch.autograd.grad(v, z, retain_graph=True)[0] for v in (term, expected))
    torch.testing.assert_close(ours, 0.7 * plain)


def test_club_fits_q_so_many_times_on_fresh_rows_of_the_present_encoder(table: DataSet):
    method = method_on(table, "club", critic_steps=3)
    batch, pools = rows_of(table), []
    draw = fresh_of(table)
    fit_critic, seen = method.critic.fit, []
    method.critic.fit = lambda z, *rest: (seen.append((z, rest[3])), fit_critic(z, *rest))[1]
    method.step(batch, lambda n: (pools.append(draw(n)), pools[-1])[1])
    (pool,), ((features, steps),) = pools, seen
    assert (len(features), steps) == (3 * 64, 3)
    assert not features.requires_grad
    start = method_on(table, "club").model
    torch.testing.assert_close(features, start.encoder(pool.x).detach())


@pytest.mark.parametrize("method", PENALTIES)
def test_pressure_lowers_what_is_penalised(method: str, table: DataSet):
    # Long enough for the estimate to fall, whatever the critic of the light run says of it.
    metric = "mi" if method == "club" else method
    light, heavy = (
        fit(table, method, epochs=6, lr=3e-3, average=0, strength=s).metrics[-1]
        for s in (0.001, 0.5)
    )
    assert heavy[metric] < light[metric] - 0.05
    assert heavy["strength"] == 0.5


def probe(train: Split, z_train: Tensor, test: Split, z_test: Tensor) -> tuple[float, float]:
    """Accuracy of a linear reader of c, and the share of the most frequent value."""
    c = test.c[:, 0].numpy()
    reader = LogisticRegression(max_iter=2000).fit(z_train.numpy(), train.c[:, 0].numpy())
    return float(reader.score(z_test.numpy(), c)), float(np.bincount(c).max() / len(c))


@pytest.fixture(scope="module")
def erased(make_data: Callable[..., DataSet]) -> tuple[DataSet, Run, Run]:
    data = make_data("categorical", n=800)
    return data, fit(data, "plain", epochs=4, lr=3e-3), fit(data, "leace", epochs=4, lr=3e-3)


def test_nothing_linear_of_c_is_left_after_leace(erased: tuple[DataSet, Run, Run]):
    data, plain, run = erased
    z = run.encode(data.train.x)
    before, after = (
        probe(data.train, r.encode(data.train.x), data.train, r.encode(data.train.x))
        for r in (plain, run)
    )
    assert before[0] > before[1] + 0.1
    assert after[0] == pytest.approx(after[1], abs=0.01)
    features = data.attribute.features(data.train.c).double()
    covariance = (z.double() - z.double().mean(0)).T @ (features - features.mean(0)) / len(z)
    assert covariance.abs().max() < 1e-5
    # On rows that the eraser was not fitted to, little more than chance.
    test = data.tests["unbiased"]
    score, chance = probe(data.train, z, test, run.encode(test.x))
    assert score < chance + 0.08


def test_the_eraser_moves_only_what_it_must(erased: tuple[DataSet, Run, Run]):
    _, plain, run = erased
    data = erased[0]
    # Training is plain: before the eraser both encoders are the same, to the last bit.
    bare = features_of(plain.model, data.train)
    inner = run.model.encoder[0]  # type: ignore[index]
    assert torch.equal(bare, inner(data.train.x.float()).detach())
    moved = torch.linalg.matrix_rank(run.encode(data.train.x) - bare, rtol=1e-3)
    # Four values of c span three directions at most.
    assert 1 <= int(moved) <= 3
    torch.testing.assert_close(run.encode(data.train.x).mean(0), bare.mean(0), atol=1e-4, rtol=0)


def test_the_head_is_the_regression_on_erased_features(erased: tuple[DataSet, Run, Run]):
    data, _, run = erased
    z = run.encode(data.train.x)
    regression = LogisticRegression(max_iter=2000).fit(z.double().numpy(), data.train.y.numpy())
    test = data.tests["biased"].x
    expected = regression.predict_proba(run.encode(test).double().numpy())
    np.testing.assert_allclose(run.predict_proba(test), expected, atol=2e-3)


def test_an_erased_run_comes_back_from_its_folder(erased: tuple[DataSet, Run, Run], tmp_path: Any):
    data, _, run = erased
    run.save(tmp_path)
    assert torch.equal(load_run(tmp_path).encode(data.train.x), run.encode(data.train.x))


def test_without_the_package_leace_names_the_extra_before_training(
    table: DataSet, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "concept_erasure", None)
    with pytest.raises(InfoshedError, match=r"pip install 'infoshed\[leace\]'"):
        fit(table, "leace", epochs=1)
