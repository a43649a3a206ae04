"""A Hugging Face `Trainer` callback that sheds at a layer; extra `infoshed[transformers]`.

The data set has a column of codes beside the labels, which the model's `forward` does not know: the
callback takes it out of the inputs on their way to the model and hands it to
`infoshed.layer.ShedLayer`. So that the trainer leaves the column where it is, set
`remove_unused_columns=False` in its arguments. The rows of all processes are one batch
(`infoshed.distributed`).

    Trainer(model, args, train_dataset=rows, callbacks=[ShedCallback("pooler", attribute)]).train()
"""

from typing import Any

import torch
from torch import Tensor, nn

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError
from infoshed.layer import ShedLayer

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise InfoshedError(
        f"ShedCallback needs transformers ({error}): pip install 'infoshed[transformers]'"
    ) from None


class ShedCallback(TrainerCallback):
    """See the module.

    Args:
        layer: name of the module whose output is z, of one size for every row, such as the pooler.
        attribute: the specification of c.
        c, y: codes and classes of the training rows, as in `ShedLayer`.
        column: name of the input that holds c: codes (n,) or (n, columns).
        options: further ones of `MutualInformationPenalty`.
    """

    def __init__(
        self,
        layer: str,
        attribute: Attribute,
        c: Tensor | None = None,
        y: Tensor | None = None,
        *,
        column: str = "attribute",
        **options: Any,
    ):
        self.layer, self.attribute, self.rows, self.options = layer, attribute, (c, y), options
        self.column = column
        self.shed: ShedLayer | None = None

    def on_init_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        model: nn.Module = kwargs["model"]
        # It stays: evaluation and prediction have the column too.
        take: Any = torch.compiler.disable(self._take)
        model.register_forward_pre_hook(take, with_kwargs=True)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        model: nn.Module = kwargs["model"]
        if args.fp16:
            raise InfoshedError(
                "the scale of float16's losses cannot be seen from a callback; use bf16=True"
            )
        if args.remove_unused_columns:
            raise InfoshedError(
                f"the trainer would drop the column '{self.column}'; set "
                "remove_unused_columns=False in its arguments"
            )
        self.shed = ShedLayer(model, self.layer, self.attribute, *self.rows, **self.options)
        self.scale = 1 / args.gradient_accumulation_steps

    def _take(self, model: nn.Module, inputs: Any, named: dict[str, Any]) -> Any:
        named = dict(named)
        c = named.pop(self.column, None)
        if c is not None and self.shed is not None:
            c = c[:, None] if c.ndim == 1 else c
            self.shed.expect(c, named.get("labels"), scale=self.scale)
        return inputs, named

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.shed is not None and self.shed.penalty is not None and state.log_history:
            state.log_history[-1]["mi"] = float(self.shed.penalty.health.estimate)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.shed is not None:
            self.shed.remove()
            self.shed = None
