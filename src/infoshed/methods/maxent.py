"""MaxEnt-ARL: the encoder maximises the entropy of the adversary's posterior (Roy and Boddeti
2019, arXiv 1904.05514).

In turn, z = g(x):

    adversary:       min over q      E -log q(c|z)    on frozen features, `critic_steps` times
    encoder, head:   min over g, h   E CE(h(z), y) + strength * E sum_k KL(q_k(.|z) || uniform)

KL(q || uniform) = log m - H(q) for a part with m values. Unlike a reversed gradient it is bounded,
and least where q says nothing, not where q is wrong. `blindeye` has the two sides of the
divergence swapped; `lntl` has the same term beside a reversed gradient.

Departures from the paper: one batch of fresh rows for every step of the adversary; a weight of
0.1 unless given; Adam for all. An entropy that is bounded needs a discrete c.
"""

import math

from torch import Tensor

from infoshed.methods.adversary import Adversary, Alternating


class MaxEnt(Alternating):
    """See the module."""

    summary = "an adversary on frozen features; the encoder maximises its entropy"
    reference = "arXiv 1904.05514"

    def confusion(self, adversary: Adversary, z: Tensor) -> Tensor:
        return sum(map(math.log, adversary.heads)) - adversary.entropy(z)
