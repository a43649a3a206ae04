"""One seed at the entry, named generators below it, global state left as found.

Every use of randomness draws from its own stream, derived from (seed, name). So a method that
draws more (a critic, say) does not shift what another part draws (the order of batches), which is
what makes `strength=0` equal to the plain baseline to the last bit.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def stream(seed: int, name: str) -> int:
    """A 63-bit seed for the stream called `name`."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def torch_generator(seed: int, name: str) -> torch.Generator:
    """A torch CPU generator for the stream called `name`."""
    return torch.Generator().manual_seed(stream(seed, name))


def numpy_generator(seed: int, name: str) -> np.random.Generator:
    """A numpy generator for the stream called `name`."""
    return np.random.default_rng(stream(seed, name))


@contextmanager
def seeded(seed: int, name: str) -> Iterator[None]:
    """Seed torch's global generator inside the block (module initialisers read it) and put its
    state back afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(stream(seed, name))
        yield
