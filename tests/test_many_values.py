"""Thousands of values: what the critic reads, that training sheds, and what is said."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import infoshed
from infoshed import Categorical, MutualInformationPenalty
from infoshed.estimators.discriminant import Discriminant
from infoshed.estimators.many_values import MANY, ManyValues, make_discriminant
from infoshed.offline.inputs import few_values

VALUES, USEFUL, DIM = 2000, 2, 8


def attribute(values: int) -> Categorical:
    return Categorical("id", tuple(range(values)), (1 / values,) * values)


def rows(n: int, values: int, noise: float, seed: int = 0) -> tuple[Tensor, Tensor, float]:
    """z whose first columns have a mean for each value, the values, and the true information."""
    g = torch.Generator().manual_seed(7)
    means = torch.zeros(values, DIM)
    means[:, :USEFUL] = torch.randn(values, USEFUL, generator=g)
    g.manual_seed(seed)
    c = torch.randint(values, (n,), generator=g)
    z = means[c] + noise * torch.randn(n, DIM, generator=g)
    some, useful = z[:1000, None, :USEFUL], means[None, :, :USEFUL]
    log_density = -(some - useful).square().sum(2) / (2 * noise**2)
    own = log_density.gather(1, c[:1000, None])[:, 0]
    return z, c[:, None], float((own - log_density.logsumexp(1)).mean()) + math.log(values)


@pytest.mark.parametrize("conditional", [False, True])
def test_the_critic_comes_near_the_truth_within_a_few_rows_of_each_value(conditional: bool):
    z, c, truth = rows(14_000, VALUES, 0.5)
    y = torch.randint(3, (len(c),), generator=torch.Generator().manual_seed(3))
    z = z + y[:, None].float()  # the class moves z, and tells nothing about c
    label = y if conditional else None
    penalty = MutualInformationPenalty(DIM, attribute(VALUES), c, label, steps=1)
    for batch in torch.arange(2000, len(z)).split(256):
        penalty.update(z[batch], c[batch], None if label is None else label[batch])
    found = penalty.hold_out(z[:2000], c[:2000], None if label is None else label[:2000])
    low = 0.7 if conditional else 0.4  # what the class adds is noise to one that does not know it
    assert low * truth < float(found) < truth + 0.1
    assert float(found) <= math.log(VALUES)


def test_it_reads_nothing_where_there_is_nothing():
    z, c, _ = rows(6000, VALUES, 0.5)
    order = torch.randperm(len(c), generator=torch.Generator().manual_seed(0))
    penalty = MutualInformationPenalty(DIM, attribute(VALUES), c, steps=1)
    for batch in torch.arange(1000, len(z)).split(256):
        penalty.update(z[batch], c[order[batch]])
        assert abs(float(penalty.hold_out(z[:1000], c[order[:1000]]))) < 0.1


def test_it_agrees_with_the_closed_form_where_rows_abound():
    values = 20
    z, c, _ = rows(20_000, values, 1.0)
    prior = torch.full((values,), -math.log(values))
    both = Discriminant(DIM, (values,), prior), ManyValues(DIM, (values,), prior, memory=6400.0)
    for batch in torch.arange(2000, len(z)).split(500):
        for kind in both:
            kind.update(z[batch], c[batch], None, None)
    one, other = ((kind(z[:2000], None).gather(1, c[:2000])[:, 0]).mean() for kind in both)
    assert float(other) == pytest.approx(float(one), abs=0.03)


def test_several_parts_and_weights_and_broken_rows():
    heads = (300, 3)
    prior = torch.cat([torch.full((m,), -math.log(m)) for m in heads])
    made = make_discriminant(4, heads, prior)
    assert isinstance(made, ManyValues)
    assert isinstance(make_discriminant(4, (MANY,), prior), Discriminant)
    g = torch.Generator().manual_seed(0)
    c = torch.stack([torch.randint(m, (900,), generator=g) for m in heads], 1)
    z = torch.randn(900, 4, generator=g)
    z[:, 0] += c[:, 1]
    z[5] = float("nan")
    weights = torch.ones(900)
    weights[:100] = 1e-9
    made.update(z, c, None, weights)
    made.update(torch.full_like(z, float("inf")), c, None, None)
    scores = made(z[10:], None)
    assert scores.shape == (890, 303)
    assert scores.isfinite().all()
    assert float(scores[:, 300:].gather(1, c[10:, 1:]).mean()) > 0.2
    again = make_discriminant(4, heads, prior)
    again.load_state_dict(made.state_dict())
    assert torch.equal(again(z[10:], None), scores)


class Linear(nn.Module):
    """A linear map to z: what the columns of x tell, it can keep or leave."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(DIM + 2, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


@pytest.mark.slow
def test_training_sheds_two_thousand_values():
    """x has the label in two columns and the value's means in others; some values are nearly all of
    one class, so that plain training reads them."""
    n, gen = 32_000, torch.Generator().manual_seed(1)
    x, c, _ = rows(n, VALUES, 0.5)
    first = torch.randn(VALUES, USEFUL, generator=torch.Generator().manual_seed(7))[:, 0]
    leaning = torch.sigmoid(3 * first)
    y = (torch.rand(n, generator=gen) < leaning[c[:, 0]]).long()
    x = torch.cat([x, (2 * y - 1)[:, None] + torch.randn(n, 2, generator=gen)], 1)
    parts = [infoshed.Split(x[i::4], y[i::4], c[i::4]) for i in range(4)]
    train = infoshed.Split(*(torch.cat([getattr(p, k) for p in parts[:2]]) for k in "xyc"))
    data = infoshed.DataSet(
        "ids", "", train, parts[2], {"test": parts[3]}, attribute(VALUES), ("no", "yes")
    )
    nats: dict[str, float] = {}
    for method, options in {"plain": {}, "mi": {"strength": 1.0}}.items():
        torch.manual_seed(0)
        run = infoshed.fit(
            data, method, encoder=Linear(), dim=4, epochs=4, batch_size=256, lr=3e-3, **options
        )
        # A fresh probe, fitted on half of the rows that training never saw, judged on the other.
        z = run.encode(torch.cat([p.x for p in parts[2:]]))
        codes = torch.cat([p.c for p in parts[2:]])
        z = (z - z.mean(0)) / z.std(0)
        probe = ManyValues(4, (VALUES,), torch.full((VALUES,), -math.log(VALUES)), memory=1e6)
        fit, judged = slice(0, None, 2), slice(1, None, 2)
        probe.update(z[fit], codes[fit], None, None)
        nats[method] = float(probe(z[judged], None).gather(1, codes[judged]).mean())
        if method == "mi":
            assert all(0 <= row["mi"] <= math.log(VALUES) for row in run.metrics)
    assert nats["plain"] > 0.5
    assert nats["mi"] < 0.5 * nats["plain"]


def test_more_values_than_can_be_judged_are_dealt_out():
    rng = np.random.default_rng(0)
    labels = np.concatenate([np.arange(50), rng.integers(0, 10, 500)])
    notes: list[str] = []
    found, names = few_values(labels, [f"v{i}" for i in range(50)], 8, "id", notes)
    assert len(names) == 8
    assert set(names[:4]) <= {f"v{i}" for i in range(10)}
    # A function of the value alone.
    assert len(np.unique(np.stack([labels, found]), axis=1).T) == 50
    for name, group in zip(names[:4], range(4), strict=True):
        assert set(labels[found == group]) == {int(name[1:])}
    assert "id takes 50 values: the 4 commonest were read as they are" in notes[0]


def test_an_estimate_of_more_values_than_can_be_judged_is_a_lower_bound_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("infoshed.offline.estimate.MOST_VALUES", 30)
    monkeypatch.setattr("infoshed.offline.estimate.MOST_GROUPS", 10)
    z, c, truth = rows(2000, 60, 0.5)
    found = infoshed.estimate_mi(z.numpy(), c.numpy()[:, 0], estimator="quick", name="id")
    assert 0 < found.nats < truth
    assert found.entropy is not None
    assert found.entropy <= math.log(10)
    said = " ".join(found.warnings)
    assert "id takes 60 values: the 5 commonest were read as they are" in said


def test_a_column_of_ids_is_still_refused():
    z, _, _ = rows(1500, 60, 0.5)
    with pytest.raises(infoshed.InfoshedError, match="an id, perhaps"):
        infoshed.estimate_mi(z.numpy(), np.arange(1500), estimator="quick")


def test_the_probes_of_an_audit_read_groups_of_so_many_values(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("infoshed.auditing.perform.MOST_PROBED", 4)
    z, c, _ = rows(400, 12, 0.5)
    found = infoshed.audit(z.numpy(), c.numpy()[:, 0], names=["id"], estimator="quick")
    (part,) = found.attributes
    assert part.probes.levels == 4
    assert any("id, for the probes, takes 12 values" in note for note in part.notes)
    assert part.information.entropy == pytest.approx(math.log(12), abs=0.1)
