"""What the critic says of a batch, and its gradient balanced against that of the task.

    g_I  ->  g_I min(|g_task|, |g_I|) / |g_I|,    norms in units of the deviations of z's columns

Where c is missing in some rows, g_task is that of the others alone, and as long as if the loss were
their mean: the loss is a mean over all rows that it reads, of which they are a share.
"""

from typing import NamedTuple

from torch import Tensor

from infoshed.balance import balance
from infoshed.distributed import Processes, Rows


class Reading(NamedTuple):
    """The estimate, its gradient in z (rows, dim), and the deviations of z's columns (dim,), of the
    `rows` of all processes that weigh something."""

    estimate: Tensor
    gradient: Tensor
    units: Tensor
    rows: Rows

    def balanced(self, task_gradient: Tensor, processes: Processes) -> Tensor:
        """The gradient (rows, dim), no longer than that of the task.

        Args:
            task_gradient: in z of this process's own rows (own, dim). processes: all of them.
        """
        known = self.rows.known
        if known is not None:
            # Padding, which no loss reads, does not make the others' share of the loss small.
            mine = known[self.rows.own]
            read_by_task = (task_gradient != 0).any(1) | (mine > 0)
            share = known.sum() / processes.total(read_by_task.sum()).clamp_min(1)
            task_gradient = task_gradient * mine[:, None] / share.clamp_min(1 / len(known))
        limit = processes.norm(task_gradient * self.units)
        return balance(self.gradient, limit, self.units)
