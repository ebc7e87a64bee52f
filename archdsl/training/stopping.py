"""Stops a run that betters no more, and keeps the weights of its best epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor

from archdsl.diagnostics import ArchError, Diagnostic, suggest
from archdsl.recipes import Recipe
from archdsl.techniques.stopping import Patience
from archdsl.training.judging import is_better

State = dict[str, Tensor]


def monitored(recipe: Recipe) -> tuple[str, Literal["min", "max"]]:
    """What the best epoch is judged by, and whether it is to be small or large."""
    return recipe.judged_by, recipe.better(recipe.judged_by)


def stopping_callbacks(recipe: Recipe) -> list[Callback]:
    """What stops a run early, and gives the weights of the best epoch back."""
    monitor, mode = monitored(recipe)
    stopping = recipe.early_stopping
    if isinstance(stopping, Patience):
        return [BestWeights(monitor, mode, stopping.epochs, stopping.min_delta)]
    if recipe.monitor is not None:  # somebody has said what best is
        return [BestWeights(monitor, mode, recipe.epochs + 1)]
    return []


def best_epoch(callbacks: Sequence[Callback]) -> int | None:
    """The epoch, counted from 1, whose weights the run gave back; None for the last, or several."""
    given = [c.epoch for c in callbacks if isinstance(c, BestWeights) and c.gave_back]
    return given[0] if given else None


class BestWeights(EarlyStopping):
    """Stops by patience, and brings back the weights of the best epoch when the run ends.

    The weights are those that were validated: where an average of them is, the average. They are
    in every checkpoint, so that a resumed run brings back the same.
    """

    def __init__(
        self, monitor: str, mode: Literal["min", "max"], patience: int, min_delta: float = 0.0
    ) -> None:
        super().__init__(
            monitor,
            min_delta=min_delta,
            patience=patience,
            mode=mode,
            check_finite=False,  # what is no number is no improvement
            check_on_train_epoch_end=True,
        )
        self._better: Literal["min", "max"] = mode
        self.best: float | None = None
        self.epoch: int | None = None
        self.weights: State = {}
        self.gave_back = False
        self._validated: State | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.monitor.startswith("val_") and not trainer.enable_validation:
            raise _nothing_validated(self.monitor)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._validated = _copy(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.monitor not in trainer.callback_metrics:
            raise _not_logged(self.monitor, sorted(trainer.callback_metrics))
        value = float(trainer.callback_metrics[self.monitor])
        if is_better(value, self.best, self._better):
            self.best, self.epoch = value, trainer.current_epoch + 1
            self.weights = self._validated or _copy(pl_module)
        self._validated = None
        super().on_train_epoch_end(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        callbacks = trainer.callbacks  # type: ignore[attr-defined]  # set in its init
        if self.weights and not any(getattr(c, "decides", False) for c in callbacks):
            pl_module.load_state_dict(self.weights)
            self.gave_back = True

    def state_dict(self) -> dict[str, Any]:
        own = {"best": self.best, "best_epoch": self.epoch, "weights": self.weights}
        return {**super().state_dict(), **own}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.best, self.weights = state_dict["best"], state_dict["weights"]
        self.epoch = state_dict["best_epoch"]


def _copy(module: LightningModule) -> State:
    """The weights, apart from the module and out of the way of an accelerator."""
    return {k: v.detach().to("cpu", copy=True) for k, v in module.state_dict().items()}


def _nothing_validated(monitor: str) -> ArchError:
    message = f"the run is judged by {monitor}, and there is no data for validation"
    help = 'give validation a share of the data, or write monitor: "train_loss"'
    return ArchError([Diagnostic("bad-setting", message, help=help)])


def _not_logged(monitor: str, names: list[str]) -> ArchError:
    message = f"the run is judged by {monitor}, and nothing of that name is logged"
    meant = suggest(monitor, names)
    help = f"did you mean {meant}?" if meant else ""
    note = f"logged are {', '.join(names)}"
    return ArchError([Diagnostic("bad-setting", message, notes=(note,), help=help)])
