"""A Lightning callback that sheds at a layer of any `LightningModule`; extra `infoshed[lightning]`.

Before each training batch it tells `infoshed.layer.ShedLayer` the batch's c and y; what the loss is
multiplied by on its way back, for accumulated batches and by the scaler of float16, it reads from
the trainer. The rows of all processes are one batch (`infoshed.distributed`).

    Trainer(callbacks=[ShedCallback("encoder", attribute, c_train, y_train)]).fit(module, loader)
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError
from infoshed.layer import ShedLayer

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError as error:
    raise InfoshedError(
        f"ShedCallback needs lightning ({error}): pip install 'infoshed[lightning]'"
    ) from None

Read = Callable[[Any], tuple[Tensor, Tensor | None]]


def third_and_second(batch: Any) -> tuple[Tensor, Tensor | None]:
    """(c, y) of a batch (x, y, c, ...)."""
    return batch[2], batch[1]


class ShedCallback(Callback):
    """See the module.

    Args:
        layer: name of the module whose output is z.
        attribute: the specification of c.
        c, y: codes and classes of the training rows, as in `ShedLayer`.
        read: gives (c, y) of a batch; c and y in (x, y, c) unless given.
        log_every: batches between two readings of the estimate, logged as "mi", in nats.
        options: further ones of `MutualInformationPenalty`.
    """

    def __init__(
        self,
        layer: str,
        attribute: Attribute,
        c: Tensor | None = None,
        y: Tensor | None = None,
        *,
        read: Read = third_and_second,
        log_every: int = 50,
        **options: Any,
    ):
        self.layer, self.attribute, self.rows, self.options = layer, attribute, (c, y), options
        self.read, self.log_every = read, log_every
        self.shed: ShedLayer | None = None
        self.saved: dict[str, Any] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.shed = ShedLayer(pl_module, self.layer, self.attribute, *self.rows, **self.options)
        self.shed.load_state_dict(self.saved)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert self.shed is not None
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        scale = 1.0 if scaler is None else scaler.get_scale()
        if pl_module.automatic_optimization:
            scale = scale / trainer.accumulate_grad_batches
        c, y = self.read(batch)
        self.shed.expect(c, y, scale=scale)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if self.shed and self.shed.penalty and batch_idx % self.log_every == 0:
            pl_module.log("mi", self.shed.penalty.health.estimate.to(pl_module.device))

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.shed is not None:
            self.saved = self.shed.state_dict()
            self.shed.remove()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self.on_fit_end(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        return self.saved if self.shed is None else self.shed.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.saved = state_dict
