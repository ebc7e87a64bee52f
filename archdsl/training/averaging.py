"""Averages of weights along a run: moving, stochastic, and snapshots that answer together."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from archdsl.recipes import Recipe
from archdsl.techniques.averages import EMA, SWA, Snapshots
from archdsl.training.answers import answers_of
from archdsl.training.ensemble import Ensemble


def averaging_callbacks(recipe: Recipe) -> list[Callback]:
    """What averages the weights of a run. They stand before what stops it."""
    match recipe.average:
        case EMA(decay=decay):
            return [MovingAverage(decay)]
        case SWA() as average:
            return [StochasticAverage(average.first(recipe.epochs))]
        case Snapshots() as average:
            last = recipe.schedule[-1] if recipe.schedule else None
            ends = average.ends(
                last.value if last else None, last.start if last else 0, recipe.epochs
            )
            return [CycleEnds(ends)]
    return []


def moves_batch_norms(recipe: Recipe) -> bool:
    """Whether the weights at the end are others than those that batch norms have followed."""
    return recipe.reestimate_batch_norm or isinstance(recipe.average, SWA)


def apply_average(recipe: Recipe, module: LightningModule, trainer: Trainer) -> nn.Module:
    """The network that a run gives: averaged, or the best, or an ensemble of snapshots.

    The module has it from then on.
    """
    callbacks: Sequence[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set in its init
    members = [m for c in callbacks if isinstance(c, CycleEnds) for m in c.networks]
    if members:
        module.network = Ensemble(members, answers_of(recipe))
    return network_in(module)


def network_in(module: LightningModule) -> nn.Module:
    """The network that a module trains."""
    return module.get_submodule("network")


class MovingAverage(WeightAveraging):
    """An exponential moving average after every step, which is validated, and given at the end.

    It begins with the weights after the first step. Buffers are those of the network.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(use_buffers=False, multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]  # torch has no types there

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage == "fit" and self._average_model is not None:
            # it is looked at after every step: on the host, so that no step waits for a device
            self._average_model.n_averaged = self._average_model.n_averaged.cpu()

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":  # not once the network holds what the run gave
            super().on_validation_epoch_start(trainer, pl_module)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            super().on_validation_epoch_end(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # also where a resumed run had nothing left to train
        super().on_train_end(trainer, pl_module)


class StochasticAverage(WeightAveraging):
    """The mean of the weights at the ends of the epochs from ``first`` on, counted from 0.

    Validation is of the network in training: the average needs batch norms that are estimated
    anew, which is done once, after the run.
    """

    def __init__(self, first: int) -> None:
        super().__init__(use_buffers=False)
        self.first = first
        self.decides = False
        """Whether there is an average, which then is what the run gives, whatever was best."""

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return epoch_idx is not None and epoch_idx >= self.first

    def on_train_batch_end(self, *_: Any) -> None:
        """Nothing: what is averaged are epochs, and Lightning's asks at every step."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        self.decides = self.decides or trainer.current_epoch >= self.first

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        return

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        return

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        return

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # also where a resumed run had nothing left to train
        if self.decides:
            super().on_train_end(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "decides": self.decides}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.decides = state_dict["decides"]

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self.decides:
            super().on_save_checkpoint(trainer, pl_module, checkpoint)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if "averaging_state" in checkpoint:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)


class CycleEnds(Callback):
    """Keeps the network's weights at the ends of epochs, counted from 1."""

    def __init__(self, ends: Sequence[int]) -> None:
        self.ends = frozenset(ends)
        self.states: list[dict[str, Tensor]] = []
        self.networks: list[nn.Module] = []

    @property
    def decides(self) -> bool:
        """Whether there are snapshots, which then are what the run gives."""
        return bool(self.states)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch + 1 in self.ends:
            state = network_in(pl_module).state_dict()
            self.states.append({k: v.detach().to("cpu", copy=True) for k, v in state.items()})

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        network = network_in(pl_module)
        self.networks = [_with_state(network, state) for state in self.states]

    def state_dict(self) -> dict[str, Any]:
        return {"states": self.states}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.states = state_dict["states"]


def _with_state(network: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    """Another network of the kind, with these weights."""
    member = deepcopy(network)
    member.load_state_dict(state)
    return member
