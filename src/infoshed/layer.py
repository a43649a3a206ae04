"""Shedding at a layer of somebody else's model, by its name.

    z = output of the layer, flattened to (n, dim); (n, T, dim) where c is by step

A hook on the layer hands z to a `MutualInformationPenalty`, which adds to the gradient that
arrives there (see `infoshed.penalty`). The model, the loss and the loop stay as they are; what the
hook must be told before each forward pass is c, which the model does not see:

    shed = ShedLayer(model, "backbone.avgpool", attribute, c_train, y_train)
    for x, y, c in loader:
        shed.expect(c, y)
        loss = criterion(model(x), y)
        ...

One forward pass in training mode uses up what is expected; passes without it, and those in
evaluation mode, are left alone. A model to be compiled gets its hook first.
"""

from typing import Any, Self

import torch
from torch import Tensor, nn

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError, check_same_length
from infoshed.penalty import MutualInformationPenalty
from infoshed.sequences import by_step


class ShedLayer:
    """See the module.

    Args:
        model: any module. layer: name of one of its modules, as `model.named_modules()` has it. The
            output (the first, where there are several) has rows in its first dimension, and as
            many numbers in each of them whatever the input.
        attribute: the specification of c.
        c, y: codes (n, columns) and classes (n,) of the training rows, as in
            `MutualInformationPenalty`; with y the penalty is I(Z;C|Y). `options`: its others.

    `penalty` is made in the first pass, when the width of z is seen; None before. Raises
    `InfoshedError` for a layer that the model does not have.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        attribute: Attribute,
        c: Tensor | None = None,
        y: Tensor | None = None,
        **options: Any,
    ):
        modules = dict(model.named_modules())
        if layer not in modules:
            known = [name for name in modules if name]
            shown = ", ".join(known[:12]) + (", ..." * (len(known) > 12))
            raise InfoshedError(f"the model has no layer '{layer}'; it has {shown}")
        self.layer, self.attribute, self.options = layer, attribute, options
        self.training_rows = (c, y)
        self.penalty: MutualInformationPenalty | None = None
        self.expected: tuple[Tensor, Tensor | None, Tensor | None, Tensor | float] | None = None
        # A compiled model calls the hook as it is: there is nothing in it to compile.
        hook: Any = torch.compiler.disable(self._hook)
        self.handle = modules[layer].register_forward_hook(hook)

    def expect(
        self,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
        scale: Tensor | float = 1.0,
    ) -> None:
        """Say what belongs to the rows of the next forward pass; arguments as in a call of
        `MutualInformationPenalty`. With c by step, (n, T[, columns]), the layer's output must be
        (n, T, dim), and every step has a z of its own."""
        self.expected = (c, y, weights, scale)

    def remove(self) -> None:
        """Take the hook off the model."""
        self.handle.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on; empty before the first pass."""
        return {} if self.penalty is None else {"dim": self.dim, **self.penalty.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        if state:
            state = dict(state)
            self._make(state.pop("dim")).load_state_dict(state)

    def _make(self, dim: int) -> MutualInformationPenalty:
        c, y = self.training_rows
        self.dim = dim
        self.penalty = MutualInformationPenalty(dim, self.attribute, c, y, **self.options)
        return self.penalty

    def _hook(self, module: nn.Module, _: Any, output: Any) -> Any:
        if self.expected is None or not (module.training and torch.is_grad_enabled()):
            return None
        c, y, weights, scale = self.expected
        self.expected = None
        first = output[0] if isinstance(output, tuple) else output
        if not isinstance(first, Tensor):
            raise InfoshedError(
                f"layer '{self.layer}' gives a {type(first).__name__}, not a tensor; name another"
            )
        z = first if first.ndim == 3 and by_step(c, self.attribute) else first.flatten(1)
        check_same_length(z=z, c=c)
        penalty = self.penalty or self._make(z.shape[-1])
        if z.shape[-1] != self.dim:
            raise InfoshedError(
                f"layer '{self.layer}' gave rows of {self.dim} numbers, now of {z.shape[-1]}; name "
                "a layer whose output has one size, such as one behind the pooling"
            )
        c, y, weights = (None if t is None else t.to(z.device) for t in (c, y, weights))
        assert c is not None
        penalty(z, c, y if penalty.conditional else None, weights=weights, scale=scale)
        # z goes on to the loss, so that the gradient passes it.
        z = z.view_as(first)
        return (z, *output[1:]) if isinstance(output, tuple) else z
