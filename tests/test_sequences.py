"""Attributes by step: the same as the rows that the steps are."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from infoshed import (
    Binary,
    InfoshedError,
    MutualInformationPenalty,
    ShedLayer,
    infer_attribute,
)
from infoshed.attributes import KINDS
from infoshed.sequences import as_rows

SEQUENCES, STEPS, DIM = 24, 5, 3
RNG = np.random.default_rng(0)
CLASSES = torch.from_numpy(RNG.integers(0, 2, SEQUENCES))


def values(kind: str) -> Any:
    n = SEQUENCES * STEPS
    several = {"a": RNG.integers(0, 3, n), "size": RNG.normal(size=n)}
    return {
        "binary": RNG.integers(0, 2, n),
        "categorical": RNG.integers(0, 4, n),
        "multi-categorical": RNG.integers(0, 3, (n, 2)),
        "continuous": RNG.normal(size=n),
        "mixed": several,
    }[kind]


def gradient(penalty: MutualInformationPenalty, z: Tensor, *arguments: Tensor | None) -> Tensor:
    z = z.clone().requires_grad_()
    penalty(z, *arguments)  # type: ignore[arg-type]
    z.square().mean().backward()
    assert z.grad is not None
    return z.grad


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by_part", [False, True])
def test_it_equals_the_flattened_call(kind: str, by_part: bool):
    raw = values(kind)
    attribute = infer_attribute(raw, kind)
    c = attribute.encode(raw)
    missing = torch.rand(len(c), generator=torch.Generator().manual_seed(0)) < 0.2  # the padding
    c[missing] = -1 if attribute.heads else float("nan")
    if kind == "mixed":
        c[missing, 0] = -1
    z = torch.randn(len(c), DIM, generator=torch.Generator().manual_seed(1))
    y = CLASSES.repeat_interleave(STEPS)
    pressure: Any = {part.name: 0.5 for part in attribute.parts} if by_part else 0.5
    rows = MutualInformationPenalty(DIM, attribute, c, y, pressure=pressure)
    steps = c.view(SEQUENCES, STEPS, -1)
    if attribute.columns == 1:
        steps = steps[..., 0]
    along = MutualInformationPenalty(DIM, attribute, steps, CLASSES, pressure=pressure)
    for _ in range(2):
        flat = gradient(rows, z, c, y)
        shaped = gradient(along, z.view(SEQUENCES, STEPS, DIM), steps, CLASSES)
        assert torch.equal(shaped.view(-1, DIM), flat)
    task = z.view(SEQUENCES, STEPS, DIM).clone().requires_grad_()
    term = along.term(task.square().mean(), task, steps, CLASSES)
    assert term.shape == ()
    one = along.hold_out(z.view(SEQUENCES, STEPS, DIM), steps, CLASSES)
    rows.term((other := z.clone().requires_grad_()).square().mean(), other, c, y)
    assert torch.equal(one, rows.hold_out(z, c, y))


def test_steps_without_a_label_weigh_nothing():
    raw = values("binary")
    attribute = infer_attribute(raw)
    c = attribute.encode(raw).view(SEQUENCES, STEPS)
    y = CLASSES[:, None].repeat(1, STEPS)
    y[:, -1] = -100
    z = torch.randn(SEQUENCES, STEPS, DIM, generator=torch.Generator().manual_seed(1))
    marked = as_rows(attribute, z, c, y, None)
    assert marked.weights is not None
    assert marked.weights.view(SEQUENCES, STEPS).sum(0).tolist() == [SEQUENCES] * 4 + [0]
    padded = c.clone()
    padded[:, -1] = -1
    one = MutualInformationPenalty(DIM, attribute, c, y)
    two = MutualInformationPenalty(DIM, attribute, padded, CLASSES)
    found, expected = gradient(one, z, c, y), gradient(two, z, padded, CLASSES)
    direction = torch.nn.functional.cosine_similarity(found.flatten(), expected.flatten(), 0)
    assert float(direction) > 0.99


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(4, DIM)

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(x)


def test_a_layer_sheds_by_step_whatever_the_number_of_steps():
    raw = values("categorical")
    attribute = infer_attribute(raw)
    c = attribute.encode(raw).view(SEQUENCES, STEPS)
    model = Tagger()
    shed = ShedLayer(model, "encoder", attribute, c, CLASSES, pressure=0.5)
    for steps in (STEPS, STEPS - 2):
        x = torch.randn(SEQUENCES, steps, 4)
        shed.expect(c[:, :steps], CLASSES)
        model(x).square().mean().backward()
    assert shed.penalty is not None
    assert shed.dim == DIM
    assert shed.penalty.updates == 2


def test_shapes_that_do_not_fit_are_named():
    attribute = infer_attribute(values("categorical"))
    penalty = MutualInformationPenalty(DIM, attribute)
    z = torch.randn(4, STEPS, DIM, requires_grad=True)
    with pytest.raises(InfoshedError, match=r"codes of shape \(4, 5\), got \(4, 1, 1\).*pool z"):
        penalty(z, torch.zeros(4, 1, dtype=torch.long))
    c = torch.zeros(4, STEPS, dtype=torch.long)
    with pytest.raises(InfoshedError, match=r"`y` must have shape \(4,\) or \(4, 5\)"):
        penalty(z, c, torch.zeros(4, 3, dtype=torch.long))


@pytest.mark.parametrize(
    ("c", "y", "said"),
    [
        (["a", "b"] * 10, None, "`c` must be codes as `attribute.encode` makes them, got a list"),
        (np.array(["a", "b"] * 10), None, "got a ndarray"),
        (torch.zeros(20).long(), None, r"`c` must be codes of shape \(n, 1\) .*, got \(20,\)"),
        (torch.zeros(20, 1).long(), ["x"] * 20, "`y` must be a tensor of classes, got a list"),
    ],
)
def test_a_penalty_of_values_that_are_no_codes_is_refused(c: Any, y: Any, said: str):
    attribute = Binary("c", ("a", "b"), (0.5, 0.5))
    with pytest.raises(InfoshedError, match=said):
        MutualInformationPenalty(4, attribute, c, y)


@pytest.mark.parametrize("steps", [1, 12])
@pytest.mark.parametrize("junk", [0.0, 1e4])
def test_padding_does_not_raise_the_pressure(steps: int, junk: float):
    raw = values("binary")
    attribute = infer_attribute(raw)
    c = attribute.encode(raw).view(SEQUENCES, STEPS)
    z = torch.randn(SEQUENCES, STEPS, DIM, generator=torch.Generator().manual_seed(1))

    def pressed(z: Tensor, c: Tensor) -> Tensor:
        shed = MutualInformationPenalty(DIM, attribute, c, CLASSES, pressure=1.0)
        leaf = z
        for _ in range(3):
            leaf = z.clone().requires_grad_()
            shed(leaf, c, CLASSES)
            leaf[:, :STEPS].square().mean().backward()  # the loss does not read the padding
        assert leaf.grad is not None
        return leaf.grad

    longer = torch.cat([z, torch.full((SEQUENCES, steps, DIM), junk)], 1)
    missing = torch.full((SEQUENCES, steps), -1)
    found = pressed(longer, torch.cat([c, missing], 1))
    expected = pressed(z, c)
    assert float(found[:, STEPS:].abs().max()) < 1e-9
    torch.testing.assert_close(found[:, :STEPS].norm(), expected.norm(), rtol=0.05, atol=0)
