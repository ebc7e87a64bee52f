"""The one callback of every run: seeds, the watch over the loss, progress, metrics, checkpoints.

One, as each callback costs every step a little, whatever it does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from archdsl.training.checkpoints import same_file_also_as
from archdsl.training.finite import LossWatch, not_finite, weight_not_finite
from archdsl.training.judging import is_better
from archdsl.training.progress import Reporter
from archdsl.training.results import ResultsFolder, check_room
from archdsl.training.seeds import SeededBatches, seed_generators


class Journal(Checkpoint):
    """Keeps the rows of metrics.csv, and at every epoch's end the checkpoint that has them.

    As a ``Checkpoint`` it is called last: early stopping, averages and whatever else keeps a state
    have done with the epoch, and the module has logged.
    """

    def __init__(
        self,
        *,
        seed: int,
        reporter: Reporter,
        folder: ResultsFolder | None = None,
        monitor: str | None = None,
        mode: Literal["min", "max"] = "min",
    ) -> None:
        self.seed = seed
        self.reporter = reporter
        self.folder = folder
        self.monitor = monitor
        self.mode = mode
        self.batches: SeededBatches | None = None
        self.watch = LossWatch()
        self.rows: list[dict[str, float]] = []
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.stopped = False
        self._resumed = False

    # ---------------------------------------------------------------- the state of a resumed run

    def state_dict(self) -> dict[str, Any]:
        return {
            "rows": [dict(row) for row in self.rows],
            "best": self.best,
            "best_epoch": self.best_epoch,
            "stopped": self.stopped,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = [dict(row) for row in state_dict["rows"]]
        self.best = state_dict["best"]
        self.best_epoch = state_dict["best_epoch"]
        self.stopped = state_dict["stopped"]
        self._resumed = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._resumed:
            self._catch_up(trainer)
        elif self.folder and trainer.is_global_zero:
            # Two files of the weights at the least stand there at once: the last, and its heir.
            state = pl_module.state_dict().values()
            check_room(self.folder, 2 * sum(t.numel() * t.element_size() for t in state))
        self._write_rows(trainer)
        steps = trainer.num_training_batches
        known = int(steps) if math.isfinite(steps) else None
        self.reporter.begin(trainer.max_epochs or 1, len(self.rows), known)

    def _catch_up(self, trainer: Trainer) -> None:
        """Do what an epoch does after its checkpoint is written, and the killed run did not do."""
        self._resumed = False
        trainer.should_stop = trainer.should_stop or self.stopped
        if not self.rows:
            return
        for config in trainer.lr_scheduler_configs:
            by_epoch = config.interval == "epoch" and len(self.rows) % config.frequency == 0
            if config.reduce_on_plateau and by_epoch and config.monitor in self.rows[-1]:
                plateau: Any = config.scheduler
                plateau.step(self.rows[-1][config.monitor])
        if self.folder and trainer.is_global_zero and self.best_epoch == len(self.rows):
            same_file_also_as(self.folder.last, self.folder.best)

    # ---------------------------------------------------------------- an epoch

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        epoch, rank = trainer.current_epoch, trainer.global_rank
        if self.batches is not None:
            self.batches.start_epoch(epoch, rank)
        seed_generators(self.seed, epoch, "start", rank)
        self.watch.forget()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Let go of the last gradients before the forward pass, as a loop by hand does.

        Lightning does so behind it, so that its activations find no room where they had been.
        """
        if batch_idx % trainer.accumulate_grad_batches == 0:
            for optimizer in trainer.optimizers:
                optimizer.zero_grad()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if self.watch.see(outputs, batch_idx):
            self._look(trainer)
        self.reporter.step()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._look(trainer)
        epoch = trainer.current_epoch + 1
        row = {name: _float(value) for name, value in trainer.callback_metrics.items()}
        self._check_epoch(trainer, pl_module, epoch, row)
        first = [name for stage in ("train", "val") for name in row if name.startswith(f"{stage}_")]
        ordered = {name: row[name] for name in [*first, *row]}
        self.rows.append({"epoch": epoch, **ordered})
        self.stopped = bool(trainer.should_stop)
        judged = row.get(self.monitor or "", math.nan)
        better = is_better(judged, self.best, self.mode)
        if better:
            self.best, self.best_epoch = judged, epoch
        if self.folder:
            # All processes come here: some strategies gather the state from them all.
            trainer.save_checkpoint(self.folder.last, weights_only=False)
            if better and trainer.is_global_zero:
                same_file_also_as(self.folder.last, self.folder.best)
        self._write_rows(trainer)
        self.reporter.epoch(epoch, self.rows[-1])

    def _write_rows(self, trainer: Trainer) -> None:
        if self.folder and self.rows and trainer.is_global_zero:
            self.folder.write_metrics(self.rows)

    # ---------------------------------------------------------------- what is not finite

    def _look(self, trainer: Trainer) -> None:
        mean, wrong = self.watch.look()
        if trainer.world_size > 1:
            wrong = self._first_of_all(trainer, wrong)
        if wrong is not None:
            step, term, value = wrong
            what = _called(term, trainer.lightning_module)
            epoch = trainer.current_epoch + 1
            raise not_finite(what, value, epoch, step + 1, self._kept())
        if mean is not None:
            self.reporter.loss(mean * trainer.accumulate_grad_batches)

    def _first_of_all(
        self, trainer: Trainer, wrong: tuple[int, str, float] | None
    ) -> tuple[int, str, float] | None:
        """What was wrong in any process, so that all of them stop, and say the same."""
        strategy = trainer.strategy

        def least(value: float) -> float:
            mine = torch.tensor(float(value), device=strategy.root_device)
            return float(strategy.reduce(mine, reduce_op="min"))

        step = least(math.inf if wrong is None else wrong[0])
        if math.isinf(step):
            return None
        first = wrong is not None and wrong[0] == step
        rank = least(trainer.global_rank if first else math.inf)
        return strategy.broadcast(wrong, src=int(rank))

    def _check_epoch(
        self, trainer: Trainer, module: LightningModule, epoch: int, row: Mapping[str, float]
    ) -> None:
        """No checkpoint is written of weights that are lost."""
        step = trainer.fit_loop.epoch_loop.batch_idx + 1
        for stage, called in (("train", "loss"), ("val", "validation loss")):
            loss = row.get(f"{stage}_loss", 0.0)
            if not math.isfinite(loss):
                terms = [t for t in _terms(module) if not math.isfinite(row.get(f"{stage}_{t}", 0))]
                what = _called(terms[0] if terms else "loss", module, called)
                value = row[f"{stage}_{terms[0]}"] if terms else loss
                raise not_finite(what, value, epoch, step, self._kept())
        weight = weight_not_finite(module)
        if trainer.strategy.reduce_boolean_decision(weight is not None, all=False):
            called = (weight or "").removeprefix("network.")  # as in state_dict
            what = f"the weight {called}" if weight else "a weight of another process"
            notes = _lost_gradient(module, weight)
            raise not_finite(what, None, epoch, step, self._kept(), notes)

    def _kept(self) -> str | None:
        last = self.last_checkpoint()
        return None if last is None else f"{last} (epoch {len(self.rows)})"

    def last_checkpoint(self) -> Path | None:
        """The checkpoint to resume from, where one is written."""
        return self.folder.last if self.folder and self.rows else None

    # ---------------------------------------------------------------- the end

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.reporter.end()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self.reporter.end()


def _terms(module: LightningModule) -> tuple[str, ...]:
    """The names of the loss's terms, where the module tells them."""
    terms: tuple[str, ...] = getattr(module, "terms", ())
    return terms


def _called(term: str, module: LightningModule, loss: str = "loss") -> str:
    """A term of a loss as a message calls it; what has one term alone, by that."""
    terms = _terms(module)
    if term == "loss":
        return f"the {loss} {terms[0]}" if len(terms) == 1 else f"the {loss}"
    return f"the term {term} of the {loss}"


def _lost_gradient(module: LightningModule, weight: str | None) -> tuple[str, ...]:
    gradient = dict(module.named_parameters())[weight].grad if weight else None
    if gradient is None or bool(gradient.isfinite().all()):
        return ()
    return ("its gradient is not finite, either",)


def _float(value: Any) -> float:
    return float(value.item()) if isinstance(value, torch.Tensor) else float(value)
