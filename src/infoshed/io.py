"""Files that are whole or absent: atomic writes, JSON, and nested state as safetensors.

State of any nesting (dicts and lists of tensors, numbers, text, None) is one safetensors file:
tensors under their path, everything else as JSON in the header. Nothing is executed on load.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from infoshed.checks import InfoshedError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it when the block ends without an error."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically, as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_new_json(path: str | Path, value: Any) -> None:
    """Write `value` to `path` as JSON, whole or not at all. Raises `FileExistsError` where there is
    one, even if another process has just made it."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        write_json(temporary, value)
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if path.exists():
                raise FileExistsError(str(path)) from None
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` to `path` atomically, as indented JSON."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """The JSON in `path`. Raises `InfoshedError` when it is missing or broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InfoshedError(f"cannot read {path}: {error}") from None


def save_state(path: str | Path, state: Any) -> None:
    """Write nested `state` to `path` atomically; `load_state` reads it back."""
    # Not `save_file`, whose files nobody but their owner may read.
    with atomic_path(path) as temporary:
        temporary.write_bytes(dump_state(state))


def load_state(path: str | Path) -> Any:
    """The nested state in `path`. Raises `InfoshedError` when it is missing or broken."""
    try:
        with safe_open(path, framework="pt") as file:
            skeleton = json.loads((file.metadata() or {})["infoshed"])
            return _fill(skeleton, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InfoshedError(f"cannot read {path}: {error}") from None


def dump_state(state: Any) -> bytes:
    """What `save_state` would write, in memory."""
    tensors, metadata = _flat(state)
    return safetensors.torch.save(tensors, metadata=metadata)


def parse_state(data: bytes) -> Any:
    """The nested state in what `dump_state` gave. Raises `InfoshedError` when it is broken."""
    try:
        tensors = safetensors.torch.load(data)
        # The format's own header: its length in eight bytes, then JSON.
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        return _fill(json.loads(header["__metadata__"]["infoshed"]), tensors)
    except (SafetensorError, KeyError, ValueError) as error:
        raise InfoshedError(f"this is no saved state: {error}") from None


def _flat(state: Any) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors of a nested state by name, and the metadata that say where they belong."""
    tensors: dict[str, torch.Tensor] = {}
    skeleton = _strip(state, "", tensors)
    # Clones: safetensors refuses tensors that share memory, and optimisers may hold such.
    tensors = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    return tensors, {"infoshed": json.dumps(skeleton)}


def _strip(value: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    """`value` with its tensors replaced by references into `tensors`."""
    if isinstance(value, torch.Tensor):
        # Keys may hold slashes, 0 and "0" look alike, and one name is taken by the format.
        name = path
        while name in tensors or name == "__metadata__":
            name += "#"
        tensors[name] = value
        return {"tensor": name}
    below = f"{path}/" if path else ""
    if isinstance(value, dict):
        # Pairs, because optimiser state has integer keys and JSON would turn them into text.
        return {"dict": [[k, _strip(v, f"{below}{k}", tensors)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        return {"list": [_strip(v, f"{below}{i}", tensors) for i, v in enumerate(value)]}
    if value is None or isinstance(value, bool | int | float | str):
        return {"value": value}
    raise TypeError(f"cannot save {type(value).__name__} at {path or 'the top'}")


def _fill(skeleton: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Any:
    if "tensor" in skeleton:
        return tensors[skeleton["tensor"]]
    if "dict" in skeleton:
        return {k: _fill(v, tensors) for k, v in skeleton["dict"]}
    if "list" in skeleton:
        return [_fill(v, tensors) for v in skeleton["list"]]
    return skeleton["value"]
