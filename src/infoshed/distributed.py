"""One batch in several processes: its rows gathered, its gradient dealt out again.

Data parallelism averages gradients, so R processes with losses L_1, ..., L_R descend

    L  =  1/R sum_r L_r,

and what arrives at the z of process r is R times its rows' part of dL/dz. The penalty to go with L
is I of the rows of all processes, and its gradient in z is one matrix with a row for each of them.
So every process gathers all rows in the order of ranks, computes the whole gradient, balances it by
the norm of the whole dL/dz,

    |dL/dz|  =  1/R sqrt( sum_r |arriving_r|^2 ),

and adds R times its own rows of it to what arrives. The average over processes is then the gradient
of L + strength * I, with as many rows in each process as there happen to be.

Every process fits its critic to the gathered rows, which costs no more time than if one did it for
all; as rows, their order and random numbers are the same, so are the critics, to the bit where the
machines are alike. What is decided on values of a batch is decided on the gathered one, so no
process waits for another that has left out a missing attribute or a NaN.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from infoshed.checks import InfoshedError, check_choice, check_same_length
from infoshed.estimators.standardize import finite
from infoshed.fingerprint import fingerprint

GROUPS = ("world", "alone")
ARRAYS = ("z", "c", "y", "weights")


class Rows(NamedTuple):
    """A batch of all processes: z (n, dim), c (n, columns), y (n,), weights (n,); `own`, which of
    the rows are this process's; and `known`, 1 for rows with a c and 0 for others (n,), None where
    all have one."""

    z: Tensor
    c: Tensor
    y: Tensor | None
    weights: Tensor | None
    own: slice
    known: Tensor | None = None

    # On a GPU nothing is looked at, which would be to wait for it: what is not finite is left out
    # further down.

    @property
    def readable(self) -> bool:
        """Whether z can be given to an estimator, which refuses NaN and infinity on the CPU."""
        return self.z.device.type != "cpu" or bool(finite(self.z.detach()))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to compare: one row, or none with a weight, such as where every
        c is missing."""
        w = self.weights
        if len(self.z) < 2:
            return True
        return w is not None and w.device.type == "cpu" and not bool((w > 0).any())


class Processes:
    """The processes that have a batch in common; see the module.

    Args:
        group: a process group of torch.distributed; "world", all processes where
            torch.distributed is initialised at the time of a call; or "alone", this process.

    Raises `InfoshedError` for another text, and in a process that is not in the group.
    """

    def __init__(self, group: Any = "world"):
        if isinstance(group, str):
            check_choice("group", group, GROUPS)
        self.kind, self.group = group, None if isinstance(group, str) else group
        self.compared = False

    @property
    def count(self) -> int:
        """How many they are now."""
        if self.kind == "alone" or not (dist.is_available() and dist.is_initialized()):
            return 1
        count = dist.get_world_size(self.group)
        if count < 1:
            raise InfoshedError("this process is not in the `group` of the penalty")
        return count

    def gather(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        state: Callable[[], Any],
    ) -> Rows:
        """The rows of all processes, in the order of ranks. A call for all of them.

        Args:
            z: (n, ...) detached. c: (n, ...). y, weights: (n,). n may differ between processes and
                may be 0.
            state: gives what must be the same in all processes; asked for in the first call.

        Raises `InfoshedError`, in all processes alike, where numbers of rows do not fit, kinds
        of arrays differ, or states do.
        """
        count = self.count
        if count == 1:
            check_same_length(z=z, c=c, y=y, weights=weights)
            return Rows(z, c, y, weights, slice(None))
        arrays = (z, c, y, weights)
        lengths = [-1 if a is None else len(a) for a in arrays]
        widths = [-1 if a is None else a.shape[1:].numel() * a.itemsize for a in arrays]
        mark = 0 if self.compared else fingerprint(state())
        header = torch.tensor([*lengths, *widths, mark], device=z.device)
        headers = [h.tolist() for h in self._all(header)]
        check_headers(headers)
        self.compared = True
        rows, rank = [h[0] for h in headers], dist.get_rank(self.group)
        # As bytes, all arrays of a row are one message.
        given = [a for a in arrays if a is not None]
        mine = torch.cat([as_bytes(a.to(z.device)) for a in given], 1)
        room = mine.new_zeros(max(rows), mine.shape[1])
        room[: len(mine)] = mine
        found = torch.cat([f[:n] for f, n in zip(self._all(room), rows, strict=True)])
        columns = iter(found.split([w for w in widths if w >= 0], 1))
        all_z, all_c, all_y, all_weights = (
            None
            if a is None
            else next(columns)
            .contiguous()
            .view(a.dtype)
            .view(len(found), *a.shape[1:])
            .to(a.device)
            for a in arrays
        )
        assert all_z is not None
        assert all_c is not None
        first = sum(rows[:rank])
        own = slice(first, first + rows[rank])
        return Rows(all_z, all_c, all_y, all_weights, own)

    def norm(self, arriving: Tensor) -> Tensor:
        """|dL/dz| of the module, a scalar, from what arrives at each process. A call for all."""
        norm, count = arriving.norm(), self.count
        return norm if count == 1 else torch.stack(self._all(norm)).norm() / count

    def total(self, value: Tensor) -> Tensor:
        """The sum of a scalar over the processes. A call for all."""
        return value if self.count == 1 else torch.stack(self._all(value)).sum()

    def _all(self, value: Tensor) -> list[Tensor]:
        """The values of all processes, of one shape and type, in the order of ranks."""
        # gloo knows little of GPUs.
        device = "cpu" if dist.get_backend(self.group) == "gloo" else value.device
        mine = value.to(device).contiguous()
        found = [torch.empty_like(mine) for _ in range(self.count)]
        dist.all_gather(found, mine, group=self.group)
        return [f.to(value.device) for f in found]


def check_headers(headers: list[list[int]]) -> None:
    """Raise `InfoshedError` unless the batches of all processes fit together.

    Args:
        headers: of each process the rows of z, c, y and weights, then the bytes in a row of each,
            -1 for what is not given, then the fingerprint of its state.
    """
    k = len(ARRAYS)
    for rank, header in enumerate(headers):
        lengths = {name: n for name, n in zip(ARRAYS, header, strict=False) if n >= 0}
        if len(set(lengths.values())) > 1:
            got = ", ".join(f"{name} has {n}" for name, n in lengths.items())
            raise InfoshedError(
                f"all arrays must have the same number of rows; in process {rank} {got}"
            )
        for name, width, first in zip(ARRAYS, header[k : 2 * k], headers[0][k:], strict=False):
            if width != first:
                got = " and ".join("none" if w < 0 else f"{w} bytes a row" for w in (first, width))
                raise InfoshedError(
                    f"`{name}` must be alike in all processes; processes 0 and {rank} have {got}"
                )
        if header[-1] != headers[0][-1]:
            raise InfoshedError(
                f"the penalties of processes 0 and {rank} differ; make them of the same c, y, "
                "weights, seed and options in every process (the training table, not the rows that "
                "fall to a process), and load the same state"
            )


def as_bytes(array: Tensor) -> Tensor:
    """(n, ...) as bytes (n, width)."""
    rows = array.reshape(len(array), array.shape[1:].numel())
    return rows.clone(memory_format=torch.contiguous_format).view(torch.uint8)
