"""The contract of every encoder in `ENCODERS`."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infoshed import InfoshedError
from infoshed.nn import ENCODERS, Model, build_model
from infoshed.types import as_input

SHAPES = [(3, 28, 28), (1, 28, 28), (3, 8, 8), (1, 20, 17), (6,), (1,)]


def takes(name: str, shape: tuple[int, ...]) -> bool:
    try:
        build_model(name, shape, 5, 3, seed=0)
    except InfoshedError:
        return False
    return True


PAIRS = [(name, shape) for name in ENCODERS for shape in SHAPES if takes(name, shape)]
every_pair = pytest.mark.parametrize(("name", "shape"), PAIRS)
every_name = pytest.mark.parametrize("name", ENCODERS)


def inputs(shape: tuple[int, ...], n: int = 12) -> torch.Tensor:
    return as_input(torch.rand(n, *shape, generator=torch.Generator().manual_seed(0)))


@every_name
def test_it_takes_some_shape(name: str):
    assert any(pair[0] == name for pair in PAIRS)


@pytest.mark.parametrize(
    ("name", "shape"), [(n, s) for n in ENCODERS for s in SHAPES if (n, s) not in PAIRS]
)
def test_a_shape_it_does_not_take_is_named(name: str, shape: tuple[int, ...]):
    with pytest.raises(InfoshedError, match="shape"):
        build_model(name, shape, 5, 3, seed=0)


@every_pair
def test_z_and_logits_have_their_shapes(name: str, shape: tuple[int, ...]):
    model = build_model(name, shape, 5, 3, seed=0).eval()
    z = model.encoder(inputs(shape))
    assert z.shape == (12, 5)
    assert z.dtype == torch.float32
    assert torch.isfinite(z).all()
    assert model(inputs(shape)).shape == (12, 3)
    torch.testing.assert_close(model(inputs(shape)), model.head(z))


@every_pair
def test_gradients_reach_every_parameter(name: str, shape: tuple[int, ...]):
    model = build_model(name, shape, 5, 3, seed=0)
    F.cross_entropy(model(inputs(shape)), torch.arange(12) % 3).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.any(), parameter_name


@every_pair
def test_rows_do_not_depend_on_their_neighbours(name: str, shape: tuple[int, ...]):
    model = build_model(name, shape, 5, 3, seed=0).eval()
    x = inputs(shape)
    torch.testing.assert_close(model(x)[3:5], model(x[3:5]))


@every_pair
def test_different_inputs_get_different_z(name: str, shape: tuple[int, ...]):
    model = build_model(name, shape, 5, 3, seed=0).eval()
    z = model.encoder(inputs(shape))
    assert not torch.equal(z[0], z[1])


@every_pair
def test_weights_come_from_the_seed_alone(name: str, shape: tuple[int, ...]):
    before = torch.get_rng_state()
    one, two, other = (build_model(name, shape, 5, 3, seed=s).state_dict() for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)


@every_pair
def test_a_saved_state_restores_the_model(name: str, shape: tuple[int, ...]):
    one, other = (build_model(name, shape, 5, 3, seed=s).eval() for s in (1, 2))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(inputs(shape)), other(inputs(shape)))


def test_pooling_before_relu_is_the_net_of_the_paper():
    encoder = build_model("conv", (3, 28, 28), 64, 10, seed=0).eval().encoder
    w = list(encoder.parameters())
    assert [tuple(p.shape) for p in w[::2]] == [
        (64, 3, 5, 5),
        (64, 64, 5, 5),
        (512, 64 * 4 * 4),
        (64, 512),
    ]
    x = inputs((3, 28, 28), 2)
    h = F.max_pool2d(F.relu(F.conv2d(x, w[0], w[1])), 2)
    h = F.max_pool2d(F.relu(F.conv2d(h, w[2], w[3])), 2)
    h = F.relu(F.linear(h.flatten(1), w[4], w[5]))
    expected = F.relu(F.linear(h, w[6], w[7]))
    torch.testing.assert_close(encoder(x), expected, atol=1e-5, rtol=1e-4)


def test_an_own_encoder_keeps_its_mode_and_its_state():
    encoder = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5)).train()
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    model = build_model(encoder, (4,), 5, 2, seed=0)
    assert isinstance(model, Model)
    assert model.encoder is encoder
    assert encoder.training
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


def test_bytes_and_shares_are_the_same_input():
    raw = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    torch.testing.assert_close(as_input(raw), as_input(raw.float() / 255), rtol=0, atol=0)
    assert as_input(raw).is_contiguous(memory_format=torch.channels_last)
    assert raw.dtype == torch.uint8
    assert int(raw.max()) == 255
