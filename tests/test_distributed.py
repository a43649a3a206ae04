"""Several processes train as one would on the global batch: two of them, on the CPU with gloo."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

import infoshed
from infoshed import Budget, DataSet, InfoshedError, MutualInformationPenalty, ShedLayer
from infoshed.distributed import as_bytes
from infoshed.fingerprint import fingerprint
from processes import in_two

STEPS = 8
SOURCE = Path(infoshed.__file__).resolve().parents[1]
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "several_processes.py"


@dataclass(frozen=True)
class Case:
    """A way to train; `sizes` are the rows of the two processes in a batch, in turn."""

    options: dict[str, Any] = field(default_factory=lambda: {"pressure": 1.0})
    attribute: str = "one"  # or "several" parts with a pressure each, or such as are "mixed"
    conditional: bool = False
    budget: float | None = None  # of all, or of one part
    sizes: tuple[tuple[int, int], ...] = ((24, 24),)
    missing: bool = False  # in process 1 alone, and all of its c in every third batch; of several
    # parts the last alone
    weighted: bool = False
    broken: int | None = None  # batch in which process 1 has a NaN
    door: str = "call"
    scale: float = 1.0
    reentrant: bool | None = None  # of a checkpoint around the encoder
    grouped: bool = False  # a process group is given
    tolerance: float = 1e-5

    @property
    def parts(self) -> bool:
        return self.attribute != "one"


PARTS = {"pressure": {"group[0]": 1.0, "group[1]": 0.5}}
HELD = {"pressure": {"group[1]": 0.5}}  # and the other under a budget
CASES = {
    "marginal": Case(),
    "plain": Case({"pressure": 0.0}),
    "conditional": Case(conditional=True),
    "weak": Case({"pressure": 0.02}, conditional=True),
    # Adam takes whole steps on gradients that are near 0, and so on rounding errors of them.
    "shuffled": Case({"pressure": 1.0, "critic": "shuffled-dv"}, tolerance=2e-3),
    "missing": Case(missing=True),
    "missing, conditional": Case(conditional=True, missing=True, sizes=((24, 24), (30, 8))),
    "unequal": Case(sizes=((30, 18), (5, 20), (40, 1), (16, 0))),
    "weights": Case(weighted=True, conditional=True, sizes=((20, 12),)),
    "budget": Case({}, budget=0.02),
    "NaN": Case(broken=3),
    "term": Case(door="term", sizes=((30, 18),)),
    "layer": Case(door="layer", conditional=True),
    "checkpointed": Case(door="layer", conditional=True, reentrant=False),
    "checkpointed, reentrant": Case(door="layer", conditional=True, reentrant=True),
    "group": Case(grouped=True),
    "scaled": Case(scale=2.0**10),
    "parts": Case(PARTS, "several", sizes=((30, 18), (16, 0))),
    "parts, plain": Case({"pressure": {"group[0]": 0.0, "group[1]": 0.0}}, "several"),
    "parts, one held": Case(HELD, "several", budget=0.02, scale=2.0**10),
    "parts, missing": Case(
        PARTS, "several", missing=True, weighted=True, conditional=True, sizes=((24, 24), (30, 8))
    ),
    "parts, NaN": Case(PARTS, "several", broken=3),
    "parts, term": Case(HELD, "several", budget=0.02, door="term"),
    "parts, layer": Case(PARTS, "several", door="layer", conditional=True),
    # As "shuffled": a critic of quantities moves as far where its inputs change by 1e-7.
    "parts, mixed": Case({"pressure": {"group": 1.0, "size": 0.5}}, "mixed", tolerance=1e-2),
    "mixed, plain": Case({"pressure": {"group": 0.0, "size": 0.0}}, "mixed", tolerance=1e-2),
}
PLAIN = {"one": "plain", "several": "parts, plain", "mixed": "mixed, plain"}


class Net(nn.Module):
    def __init__(self, reentrant: bool | None):
        super().__init__()
        self.reentrant = reentrant
        self.encoder = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.reentrant is None:
            z = self.encoder(x)
        else:
            z = checkpoint(self.encoder, x.requires_grad_(), use_reentrant=self.reentrant)
        return z, self.head(z)


def lacking(c: Tensor) -> float:
    """What a missing value is in the last column of codes."""
    return float("nan") if c.is_floating_point() else -1


def penalty_options(case: Case, data: DataSet) -> tuple[tuple[Any, ...], dict[str, Any]]:
    train = data.train
    c, y = train.c.clone(), train.y if case.conditional else None
    if case.missing:
        c[::9, -1] = lacking(c)
    options = dict(case.options)
    if case.budget is not None:
        held = Budget(case.budget, start=0.5)
        options["pressure"] = {**options["pressure"], "group[0]": held} if case.parts else held
    if case.weighted:
        options["weights"] = 0.5 + train.y.float()
    return (data.attribute, c, y), options


def train(case: Case, data: DataSet, rank: int, processes: int) -> dict[str, Any]:
    """What a loop of several processes has after some steps, or of one with their rows in a row."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Net(case.reentrant)
    arguments, options = penalty_options(case, data)
    if case.grouped and processes > 1:
        options["group"] = dist.new_group([0, 1])
    hook = ShedLayer(net, "encoder", *arguments, **options) if case.door == "layer" else None
    shed = None if hook else MutualInformationPenalty(4, *arguments, **options)
    model = DistributedDataParallel(net) if processes > 1 else net
    optimizer = torch.optim.SGD(net.parameters(), 0.2, momentum=0.9)
    generator = torch.Generator().manual_seed(1)
    read: list[Tensor] = []
    for step in range(STEPS):
        sizes = case.sizes[step % len(case.sizes)]
        n, first = sum(sizes), sizes[0]
        batch = data.train.take(torch.randint(len(data.train), (n,), generator=generator))
        x, y, c, weights = batch.x.clone(), batch.y, batch.c.clone(), None
        if case.missing:
            c[first::2, -1] = lacking(c)
            c[first:, -1] = c[first:, -1] if step % 3 else lacking(c)
        if case.weighted:
            weights = 0.5 + y.float()
        if step == case.broken:
            x[-1, 0] = float("nan")
        mine = slice(None)
        if processes > 1:
            mine = slice(0, first) if rank == 0 else slice(first, n)
        x, y, c = x[mine], y[mine], c[mine]
        weights = None if weights is None else weights[mine]
        if hook is not None:
            hook.expect(c, y, scale=case.scale)
        z, logits = model(x)
        each = nn.functional.cross_entropy(logits, y, reduction="sum")
        loss = each * processes / n  # whose mean over processes is the mean over all rows
        if case.door == "call" and shed is not None:
            shed(z, c, y, weights=weights, scale=case.scale)
        elif shed is not None:
            shed.update(z.detach(), c, y, weights=weights)
            loss = loss + shed.term(loss, z, c, y, weights=weights)
        (loss * case.scale).backward()
        if step != case.broken:
            for parameter in net.parameters():
                assert parameter.grad is not None
                parameter.grad /= case.scale
            optimizer.step()
        optimizer.zero_grad()
        if shed is not None and step % 2:
            rows = data.validation.take(torch.arange(40))
            half = slice(None) if processes == 1 else slice(20 * rank, 20 * rank + 20)
            with torch.no_grad():
                z = net.encoder(rows.x[half])
            held_weights = None if weights is None else torch.ones(len(z))
            read.append(shed.hold_out(z, rows.c[half], rows.y[half], weights=held_weights))
    shed = shed or (hook.penalty if hook else None)
    assert shed is not None
    health, parts = shed.health, shed.parts.values()
    critics = [p.detach().flatten() for part in parts for p in part.estimator.parameters()]
    estimates = [part.estimate for part in parts]
    return {
        "encoder": torch.cat([p.detach().flatten() for p in net.parameters()]),
        "critic": torch.cat(critics),
        "estimates": torch.stack([*estimates, health.estimate, health.gradient, *read]),
        "strength": torch.stack([part.pressure.strength for part in parts]),
        "skipped": health.skipped,
        "fingerprint": torch.tensor(fingerprint(shed.state_dict())),
    }


def refused(call: Callable[[], Any]) -> str:
    """The text of the error that a call ends in."""
    with pytest.raises(InfoshedError) as error:
        call()
    return str(error.value)


def refusals(data: DataSet, rank: int) -> dict[str, str]:
    """What is said where one of the processes has something else."""
    z, rows = torch.randn(8, 4, requires_grad=True), data.train.take(torch.arange(8))
    other = data.train.take(torch.arange(100 + rank)).c
    differing = MutualInformationPenalty(4, data.attribute, other)
    same = MutualInformationPenalty(4, data.attribute, data.train.c)
    weights = torch.ones(8) if rank else None
    codes = rows.c.clone()
    codes[0] = 7 * rank
    return {
        "penalties": refused(lambda: differing(z, rows.c)),
        "lengths": refused(lambda: same.update(z.detach(), rows.c[: 8 - rank])),
        "kinds": refused(lambda: same.update(z.detach(), rows.c, weights=weights)),
        "codes": refused(lambda: same.hold_out(z, codes)),
    }


def alone(data: DataSet, rank: int) -> Tensor:
    """What a critic of this process's own has seen."""
    shed = MutualInformationPenalty(4, data.attribute, data.train.c, group="alone")
    shed.update(torch.arange(32.0).reshape(8, 4) * (rank + 1), data.train.c[:8])
    assert shed.estimator.standardize is not None
    return shed.estimator.standardize.mean


def work(rank: int, tables: dict[str, DataSet]) -> dict[str, Any]:
    """All cases in one of two processes."""
    found: dict[str, Any] = {
        name: train(case, tables[case.attribute], rank, 2) for name, case in CASES.items()
    }
    data = tables["one"]
    return found | {"refusals": refusals(data, rank), "alone": alone(data, rank)}


@pytest.fixture(scope="module")
def tables(table: DataSet, make_data: Callable[..., DataSet]) -> dict[str, DataSet]:
    """Tables by what their attribute is."""
    return {"one": table, "several": make_data("multi-categorical"), "mixed": make_data("mixed")}


@pytest.fixture(scope="module")
def ones(tables: dict[str, DataSet]) -> dict[str, dict[str, Any]]:
    """What one process finds."""
    return {name: train(case, tables[case.attribute], 0, 1) for name, case in CASES.items()}


@pytest.fixture(scope="module")
def both(
    ones: Any, tables: dict[str, DataSet], tmp_path_factory: pytest.TempPathFactory
) -> list[Any]:
    """What both processes find; started when all that they import is there."""
    return in_two(tmp_path_factory.mktemp("processes"), work, tables)


@pytest.mark.parametrize("name", CASES)
def test_two_processes_are_as_one(
    both: list[dict[str, Any]], ones: dict[str, dict[str, Any]], name: str
):
    one, (first, second), close = ones[name], (f[name] for f in both), CASES[name].tolerance
    for part in ("encoder", "critic", "estimates", "strength", "skipped"):
        torch.testing.assert_close(first[part], one[part], rtol=10 * close, atol=close)
    # Among each other to the bit.
    assert all(torch.equal(first[part], second[part]) for part in first)


def test_what_is_compared_depends_on_the_penalty(ones: dict[str, dict[str, Any]]):
    names = ["marginal", "weak", "shuffled", "budget", "layer"]
    names += [name for name, case in CASES.items() if case.parts]
    for name in names:
        plain = PLAIN[CASES[name].attribute]
        if name != plain:
            change = (ones[name]["encoder"] - ones[plain]["encoder"]).abs().max()
            assert change > max(0.003, 3 * CASES[name].tolerance), name
    for name, other in (("scaled", "marginal"), ("checkpointed, reentrant", "layer")):
        assert (ones[name]["encoder"] - ones[other]["encoder"]).abs().max() < 1e-4


def test_a_nan_in_one_process_is_left_out_in_all(both: list[dict[str, Any]]):
    for found in both:
        for name in ("NaN", "parts, NaN"):
            assert torch.isfinite(found[name]["encoder"]).all()
            assert torch.isfinite(found[name]["critic"]).all()


def test_what_does_not_fit_is_refused_in_all_processes(both: list[dict[str, Any]]):
    assert both[0]["refusals"] == both[1]["refusals"]
    said = both[0]["refusals"]
    assert "penalties of processes 0 and 1 differ; make them of the same c" in said["penalties"]
    assert said["lengths"].endswith("in process 1 z has 8, c has 7")
    assert said["kinds"].endswith("processes 0 and 1 have none and 4 bytes a row")
    assert "holds the code 7" in said["codes"]


def test_a_penalty_of_one_process_alone(both: list[dict[str, Any]]):
    torch.testing.assert_close(both[1]["alone"], 2 * both[0]["alone"])
    torch.testing.assert_close(both[0]["alone"], torch.arange(14.0, 18.0))


def test_without_processes_there_is_one(table: DataSet):
    with pytest.raises(InfoshedError, match="`group` must be one of alone, world; got 'all'"):
        MutualInformationPenalty(4, table.attribute, group="all")
    assert MutualInformationPenalty(4, table.attribute).processes.count == 1


def test_a_fingerprint_tells_states_apart():
    state = {"a": torch.arange(3), "b": [1, (2.5, None)]}
    assert fingerprint(state) == fingerprint({"a": torch.tensor([0, 1, 2]), "b": [1, (2.5, None)]})
    assert fingerprint(state) != fingerprint({"a": torch.arange(3), "b": [1, (2.0, None)]})
    assert fingerprint(state) != fingerprint({"a": torch.arange(4), "b": [1, (2.5, None)]})


@pytest.mark.slow
def test_the_example_sheds_under_torchrun(tmp_path: Path):
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launch, str(EXAMPLE)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    found = {words[0]: [float(w) for w in words if w[0].isdigit()] for words in lines}
    (plain, told), (right, left) = found["without"], found["with"]
    assert right > plain + 0.05
    assert left < told - 0.05


def test_any_layout_of_rows_goes_into_bytes():
    table = torch.arange(12).reshape(4, 3)
    for array in (table[:, 1], table.T, table[:, :1], torch.ones(1).expand(4)):
        found = as_bytes(array).contiguous().view(array.dtype).reshape(array.shape)
        assert torch.equal(found, array)
