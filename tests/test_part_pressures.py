"""A strength or a budget for every part of c: what is added to the gradient, and what is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import infoshed
from infoshed import Budget, DataSet, FixedStrength, InfoshedError, MutualInformationPenalty, Ramp
from infoshed.assignments import as_text, assignments
from infoshed.attributes import infer_attribute
from infoshed.methods.mi import MIOptions
from infoshed.penalty_parts import PartPenalties
from infoshed.pressure_parts import make_pressures, read_strength
from infoshed.seeds import stream
from infoshed.tables import parts_of, run_table

N = 256
RNG = np.random.default_rng(0)
SEX, AGE = RNG.integers(0, 2, N), RNG.normal(size=N)
ATTRIBUTE = infer_attribute({"sex": SEX, "age": AGE})
C = ATTRIBUTE.encode({"sex": SEX, "age": AGE})
Z = torch.from_numpy(np.stack([SEX, AGE, 0 * AGE], 1) + 0.7 * RNG.normal(size=(N, 3))).float()
W = torch.tensor([0.03, -0.01, 0.1])


def added(
    penalty: MutualInformationPenalty, c: Tensor, scale: float = 1.0, warm: int = 0
) -> Tensor:
    """What a call adds to the gradient of a task loss in z, after so many updates."""
    for _ in range(warm):
        penalty.update(Z, c)
    z = Z.clone().requires_grad_()
    penalty(z, c, scale=scale)
    ((z @ W).tanh().mean() * scale).backward()
    plain = Z.clone().requires_grad_()
    (plain @ W).tanh().mean().backward()
    assert z.grad is not None
    assert plain.grad is not None
    return z.grad / scale - plain.grad


def alone(name: str, pressure: Any, warm: int = 0) -> Tensor:
    """The same of one part by itself, which its own penalty is tested for."""
    part, code = {
        p.name: (p, code) for p, code in zip(ATTRIBUTE.parts, ATTRIBUTE.split(C), strict=True)
    }[name]
    own = MutualInformationPenalty(3, part, code, pressure=pressure, seed=stream(0, name))
    return added(own, code, warm=warm)


def test_strengths_add_up_and_do_not_touch_each_other():
    for strengths in ({"sex": 0.3, "age": 1.0}, {"age": 1.0, "sex": 0.3}, {"sex": 0.3, "age": 0.0}):
        penalty = MutualInformationPenalty(3, ATTRIBUTE, C, pressure=strengths)
        assert isinstance(penalty, PartPenalties)
        expected = alone("sex", 0.3) + alone("age", strengths["age"])
        torch.testing.assert_close(added(penalty, C), expected)


def test_the_scale_of_the_loss_does_not_matter():
    pressure = {"sex": 0.3, "age": 0.5}
    whole, part = (MutualInformationPenalty(3, ATTRIBUTE, C, pressure=pressure) for _ in "ab")
    torch.testing.assert_close(added(whole, C), added(part, C, 0.25), atol=1e-6, rtol=1e-4)


def test_a_strength_is_balanced_against_the_task_and_what_a_budget_adds():
    def budget() -> Budget:
        return Budget(0.0, start=5.0)

    penalty = MutualInformationPenalty(3, ATTRIBUTE, C, pressure={"sex": 1.0, "age": budget()})
    held = alone("age", budget(), 20)
    sex = added(penalty, C, warm=20) - held
    plain = Z.clone().requires_grad_()
    (plain @ W).tanh().mean().backward()
    assert plain.grad is not None
    units = Z.std(0, correction=0)
    longest = ((plain.grad + held) * units).norm()
    assert float((sex * units).norm()) <= float(longest) * 1.001
    assert float((sex * units).norm()) > float((alone("sex", 1.0, 20) * units).norm())


def test_term_and_call_add_the_same():
    pressure = {"sex": 0.3, "age": 1.0}
    one, two = (MutualInformationPenalty(3, ATTRIBUTE, C, pressure=pressure) for _ in "ab")
    z, plain = Z.clone().requires_grad_(), Z.clone().requires_grad_()
    loss = (z @ W).tanh().mean()
    term = one.term(loss, z, C)
    (loss + term).backward()
    (plain @ W).tanh().mean().backward()
    assert z.grad is not None
    assert plain.grad is not None
    torch.testing.assert_close(z.grad - plain.grad, added(two, C), atol=1e-6, rtol=1e-4)
    expected = sum(p.pressure.strength * p.estimate for p in one.parts.values())
    assert float(term.detach()) == pytest.approx(float(expected), abs=1e-6)


def test_a_row_without_one_part_counts_for_the_other():
    c = C.clone()
    c[: N // 2, 1] = float("nan")
    penalty = MutualInformationPenalty(3, ATTRIBUTE, c, pressure={"sex": 1.0, "age": 0.0})
    torch.testing.assert_close(added(penalty, c), alone("sex", 1.0))


def test_a_saved_state_goes_on_bit_for_bit():
    def made() -> MutualInformationPenalty:
        return MutualInformationPenalty(3, ATTRIBUTE, C, pressure={"sex": 0.3, "age": Budget(0.1)})

    one, two = made(), made()
    for _ in range(3):
        added(one, C)
        one.hold_out(Z, C)
    two.load_state_dict(one.state_dict())
    assert torch.equal(added(one, C), added(two, C))
    assert torch.equal(one.hold_out(Z, C), two.hold_out(Z, C))


def test_the_health_of_a_sum_is_made_of_the_parts():
    penalty = MutualInformationPenalty(3, ATTRIBUTE, C, pressure={"sex": 0.3, "age": 0.3})
    added(penalty, C)
    penalty.hold_out(Z, C)
    parts = [part.health for part in penalty.parts.values()]
    assert float(penalty.health.estimate) == pytest.approx(sum(float(p.estimate) for p in parts))
    assert penalty.health.ceiling is None
    assert parts[0].ceiling == pytest.approx(ATTRIBUTE.parts[0].entropy)
    assert penalty.health.share is None


def test_names_must_be_those_of_the_parts():
    with pytest.raises(InfoshedError, match="has no part 'size'; it has sex, age"):
        MutualInformationPenalty(3, ATTRIBUTE, C, pressure={"sex": 1.0, "size": 1.0})
    with pytest.raises(InfoshedError, match="every part of 'sex, age'; age has none"):
        MutualInformationPenalty(3, ATTRIBUTE, C, pressure={"sex": 1.0})


def test_what_is_asked_is_read():
    assert read_strength("sex=0.3, age=1") == {"sex": 0.3, "age": 1.0}
    assert read_strength("0.5") == 0.5
    assert assignments("label") == "label"
    assert as_text({"sex": 0.3, "age": "5%"}) == "sex=0.3,age=5%"
    assert assignments(as_text({"a=b": 0.3})) == {"a=b": "0.3"}
    options = MIOptions(strength={"sex": 0.3}, budget="age=0.02")  # type: ignore[arg-type]
    assert options.strength == {"sex": 0.3}
    assert options.budget == {"age": "0.02"}
    assert MIOptions(strength="sex=0,age=0").strength == 0
    made = make_pressures(options.strength, options.budget, ATTRIBUTE, torch.zeros(N).long(), C)
    assert isinstance(made, dict)
    assert isinstance(made["sex"], FixedStrength)
    assert isinstance(made["age"], Budget)
    assert read_strength(" 0  to .3 over 2.50") == "0 to 0.3 over 2.5"
    assert read_strength("0.3 to 0.3 over 2") == 0.3
    assert read_strength("sex=1 to 0.1 over 3,age=1") == {"sex": "1 to 0.1 over 3", "age": 1.0}
    ramp = make_pressures("1 to 0.1 over 3", None, ATTRIBUTE, torch.zeros(N).long(), C, epoch=20)
    assert isinstance(ramp, Ramp)
    assert (ramp.start, ramp.end, ramp.steps) == (1.0, 0.1, 60)
    assert float(made["age"].nats) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": "sex=much"}, "`strength of sex` must be a finite number"),
        ({"strength": "sex=1,sex=2"}, "each name once"),
        ({"strength": "0 to 1"}, "must be a number, or a text like"),
        ({"strength": "0 to much over 2"}, "`strength` must be a finite number"),
        ({"strength": "0 to 1 over 0"}, "at least a part of an epoch"),
        ({"strength": "sex=0 to -1 over 2"}, "`strength of sex` must be"),
        ({"strength": {"sex": -1}}, "`strength of sex` must be"),
        ({"strength": 1.0, "budget": {"sex": 1}}, "`strength` or `budget`, not both"),
        ({"strength": {"sex": 1}, "budget": {"sex": 1}}, "a strength or a budget for 'sex'"),
        ({"budget": {"sex": "label"}, "conditional": True}, 'budget "label" is'),
    ],
)
def test_what_cannot_be_asked_is_refused(options: dict[str, Any], message: str):
    with pytest.raises(InfoshedError, match=message):
        MIOptions(**options)


def test_a_share_of_the_entropy_of_a_quantity_is_refused():
    with pytest.raises(InfoshedError, match="'age' is continuous: give it in nats"):
        make_pressures(None, {"sex": "5%", "age": "5%"}, ATTRIBUTE, torch.zeros(N).long(), C)


def test_a_run_resumes_and_says_what_each_part_told(
    make_data: Callable[..., DataSet], same_run: Callable[..., None], tmp_path: Path
):
    data = make_data("mixed")
    asked: dict[str, Any] = {"strength": {"group": 0.3}, "budget": {"size": 0.02}}
    whole = infoshed.fit(data, epochs=2, **asked)
    infoshed.fit(data, epochs=1, out=tmp_path, **asked)
    same_run(whole, infoshed.fit(data, epochs=2, out=tmp_path, resume=True, **asked))
    assert parts_of(whole.metrics[-1]) == ["group", "size"]
    assert "information estimate, size (nats)" in run_table(whole)
    assert "alarm" in whole.metrics[-1]


def test_parts_of_several_categoricals_have_strengths_too(make_data: Callable[..., DataSet]):
    data = make_data("multi-categorical")
    names = [part.name for part in data.attribute.parts]
    run = infoshed.fit(data, epochs=1, strength=dict(zip(names, (0.3, 0.0), strict=True)))
    assert parts_of(run.metrics[-1]) == names


def test_a_part_called_gap_does_not_hide_the_gap(make_data: Callable[..., DataSet]):
    from dataclasses import replace

    data = make_data("mixed")
    first, second = data.attribute.parts
    attribute = infoshed.Mixed("c", (replace(first, name="gap"), second))  # type: ignore[type-var]
    run = infoshed.fit(
        replace(data, attribute=attribute), epochs=1, strength={"gap": 0.3, "size": 0.3}
    )
    last = run.metrics[-1]
    assert {"mi_gap", "mi_part_gap", "strength_part_gap"} <= set(last)
    assert parts_of(last) == ["part_gap", "size"]


def test_the_report_has_a_row_for_each_part(make_data: Callable[..., DataSet], tmp_path: Path):
    pytest.importorskip("matplotlib")
    from infoshed.report.collect import write_report

    data = make_data("mixed")
    run = infoshed.fit(data, epochs=1, strength={"group": 0.3, "size": 0.1})
    page = write_report([run], data, tmp_path / "report.html").read_text()
    assert "Parts of the attribute, last epoch" in page
    assert "group=0.3,size=0.1" in page
