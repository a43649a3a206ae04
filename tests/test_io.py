"""Files that are whole or absent, and nested state that comes back as it was."""

import json
import os
import struct
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infoshed import InfoshedError
from infoshed.io import (
    atomic_path,
    load_state,
    read_json,
    save_state,
    write_json,
    write_new_json,
    write_text,
)


def test_a_file_appears_whole(tmp_path: Path):
    path = tmp_path / "a.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_before_anything_is_written_leaves_nothing(tmp_path: Path):
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "a.txt"):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_utf8(tmp_path: Path):
    write_text(tmp_path / "a.txt", "größer 語")
    assert (tmp_path / "a.txt").read_bytes() == "größer 語".encode()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_broken_json_is_named(tmp_path: Path, content: bytes):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InfoshedError, match=r"cannot read .*a\.json"):
        read_json(tmp_path / "a.json")


def test_missing_files_are_named(tmp_path: Path):
    for read in (read_json, load_state):
        with pytest.raises(InfoshedError, match=r"cannot read .*none"):
            read(tmp_path / "none")


TENSORS = st.sampled_from(
    [
        torch.tensor(3),
        torch.tensor([1.5, -0.0, float("inf")]),
        torch.zeros(0, 4),
        torch.arange(6, dtype=torch.uint8).reshape(2, 3),
        torch.ones(2, 2, dtype=torch.float64).T,
        torch.tensor([True, False]),
        torch.arange(24.0).reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last),
        torch.arange(10)[::3],
    ]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), TENSORS
)
STATES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.integers(), st.text(max_size=4)), inner, max_size=4),
    ),
    max_leaves=12,
)


def assert_same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b


def round_trip(state: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        save_state(Path(folder) / "state.safetensors", state)
        return load_state(Path(folder) / "state.safetensors")


@given(STATES)
def test_state_comes_back_as_it_was(state: Any):
    assert_same(round_trip(state), state)


@pytest.mark.parametrize(
    "state",
    [
        {0: torch.zeros(1), "0": torch.ones(2)},
        {"a/b": torch.zeros(1), "a": {"b": torch.ones(2)}},
        {"a": [torch.zeros(1)], "a/0": torch.ones(2)},
        {"0#2": torch.zeros(1), 0: torch.ones(2), "0": torch.ones(3)},
        {"__metadata__": torch.zeros(1)},
    ],
)
def test_tensors_under_similar_keys_are_kept_apart(state: Any):
    assert_same(round_trip(state), state)


def test_shared_memory_and_optimisers_come_back():
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters(), 0.1)
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    weight = layer.weight.detach()
    state = {"optimizer": optimizer.state_dict(), "twice": [weight, weight, weight[0]]}
    again = round_trip(state)
    assert set(again["optimizer"]["state"]) == {0, 1}
    for i, entry in optimizer.state_dict()["state"].items():
        assert_same(again["optimizer"]["state"][i], entry)
    assert_same(again["twice"], state["twice"])
    other = torch.optim.Adam(torch.nn.Linear(3, 2).parameters(), 0.1)
    other.load_state_dict(again["optimizer"])


def test_what_cannot_be_saved_is_named_with_its_place(tmp_path: Path):
    path = tmp_path / "state.safetensors"
    with pytest.raises(TypeError, match=r"cannot save set at /?a/1"):
        save_state(path, {"a": [1, {2}]})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("keep", [0, 4, 20, 200, -1])
def test_a_truncated_file_is_named(tmp_path: Path, keep: int):
    path = tmp_path / "state.safetensors"
    save_state(path, {"a": torch.arange(100.0), "b": [1, None]})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InfoshedError, match=r"cannot read .*state\.safetensors"):
        load_state(path)


def test_a_foreign_file_is_named(tmp_path: Path):
    path = tmp_path / "state.safetensors"
    header = json.dumps({"__metadata__": {"by": "somebody"}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(InfoshedError, match="cannot read"):
        load_state(path)


def test_a_new_file_is_never_written_over_another(tmp_path: Path):
    path = tmp_path / "config.json"
    write_new_json(path, {"a": 1})
    with pytest.raises(FileExistsError):
        write_new_json(path, {"a": 2})
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_where_the_file_system_has_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*paths: Any) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "config.json"
    write_new_json(path, {"a": 1})
    with pytest.raises(FileExistsError):
        write_new_json(path, {"a": 2})
    assert read_json(path) == {"a": 1}
