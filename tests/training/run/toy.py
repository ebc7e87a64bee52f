"""A module that learns digits with every kind of state that a checkpoint must bring back.

Run as a script, it is the child that the tests kill, and that Lightning starts anew for DDP.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor, nn

from archdsl.diagnostics import ArchError
from archdsl.training import checkpoints
from archdsl.training.results import open_results, process_rank
from archdsl.training.trainer import Interrupted, RunSettings, fit, make_trainer


class Batches:
    """Tensors in memory; the order follows torch's generator, as a DataLoader's does."""

    def __init__(self, x: Tensor, y: Tensor, size: int, *, shuffle: bool = True) -> None:
        self.x, self.y, self.size, self.shuffle = x, y, size, shuffle

    def __len__(self) -> int:
        return (len(self.x) + self.size - 1) // self.size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.x)) if self.shuffle else torch.arange(len(self.x))
        world, rank = int(os.environ.get("WORLD_SIZE", "1")), process_rank()
        for part in torch.split(order, self.size):
            mine = part[rank::world]
            yield self.x.index_select(0, mine), self.y.index_select(0, mine)


def data() -> tuple[Tensor, Tensor]:
    made = torch.Generator().manual_seed(5)
    x = torch.randn(96, 6, generator=made)
    return x, (x[:, :3].sum(1) > 0).long()


class Toy(LightningModule):
    """A perceptron with dropout and batch norm (of its own statistics), Adam, and a schedule."""

    def __init__(self, *, dropout: float = 0.3, schedule: str = "plateau", lr: float = 0.2) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Linear(6, 8)
        self.network = nn.Sequential(
            self.first, nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 2)
        )
        self.schedule, self.lr = schedule, lr
        self.poison: int | None = None  # the step of an epoch whose loss is NaN
        self.poisoned_epoch, self.poisoned_rank = 0, 0

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.lr)
        if self.schedule == "plateau":
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, patience=0, factor=0.5, threshold=0.2
            )
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": plateau, "monitor": "val_loss"},
            }
        if self.schedule == "step":
            one = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=100)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": one, "interval": "step"}}
        return optimizer

    def on_train_epoch_start(self) -> None:
        self.total, self.count = torch.zeros(()), torch.zeros(())
        self.rate = self.trainer.optimizers[0].param_groups[0]["lr"]

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        if pace := float(os.environ.get("TOY_STEP_SECONDS", "0")):
            time.sleep(pace)
        entropy = nn.functional.cross_entropy(self.network(x), y)
        here = (self.current_epoch, batch_idx, self.global_rank)
        if here == (self.poisoned_epoch, self.poison, self.poisoned_rank):
            entropy = entropy * float("nan")
        penalty = 1e-4 * self.first.weight.square().sum()
        loss = entropy + penalty
        self.total.add_(loss.detach() * len(x))
        self.count.add_(len(x))
        return {"loss": loss, "cross_entropy": entropy.detach(), "l2(weights)": penalty.detach()}

    def on_train_epoch_end(self) -> None:
        reduce = self.trainer.strategy.reduce
        total, count = (reduce(t, reduce_op="sum") for t in (self.total, self.count))
        self.log_dict({"train_loss": total / count, "lr": self.rate})

    def on_validation_epoch_start(self) -> None:
        self.val_loss, self.right, self.seen = torch.zeros(()), torch.zeros(()), torch.zeros(())

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        scores = self.network(x)
        self.val_loss.add_(nn.functional.cross_entropy(scores, y, reduction="sum"))
        self.right.add_((scores.argmax(1) == y).sum())
        self.seen.add_(len(x))

    def on_validation_epoch_end(self) -> None:
        reduce = self.trainer.strategy.reduce
        loss, right, seen = (
            reduce(t, reduce_op="sum") for t in (self.val_loss, self.right, self.seen)
        )
        self.log_dict({"val_loss": loss / seen, "val_accuracy": right / seen})


def slow_writes(seconds: float) -> None:
    """Writing a checkpoint halts half way, and says so, for somebody to kill the process."""
    whole = checkpoints._write

    def halting(checkpoint: dict[str, Any], file: Any) -> None:
        file.write(b"PK half a checkpoint")
        file.flush()
        time.sleep(seconds)
        file.seek(0)
        file.truncate()
        whole(checkpoint, file)

    checkpoints._write = halting


def run_toy(arguments: dict[str, Any]) -> None:
    """One run, as ``arguments`` say."""
    torch.set_num_threads(1)
    folder = Path(arguments["folder"])
    resume = bool(arguments.get("resume"))
    results = open_results(folder, "network toy { }", {"seed": 3}, resume=resume)
    if seconds := arguments.get("slow"):
        slow_writes(seconds)
    if pace := arguments.get("pace"):
        os.environ["TOY_STEP_SECONDS"] = str(pace)
    run = RunSettings(
        epochs=arguments.get("epochs", 6),
        seed=3,
        accelerator="cpu",
        devices=arguments.get("devices", 1),
        strategy=arguments.get("strategy", "auto"),
        folder=folder,
        monitor="val_loss",
        progress=arguments.get("progress"),
    )
    module = Toy(
        schedule=arguments.get("schedule", "plateau"), dropout=arguments.get("dropout", 0.3)
    )
    if arguments.get("plain_norm"):  # batch statistics differ where a batch is parted
        module.network[1] = nn.Identity()
    if arguments.get("poison"):
        module.poisoned_epoch, module.poison, module.poisoned_rank = arguments["poison"]
    x, y = data()
    patience = arguments.get("patience", 20)
    trainer = make_trainer(run, callbacks=[EarlyStopping("val_loss", patience=patience)])
    fit(
        trainer,
        module,
        Batches(x, y, 16),
        Batches(x, y, 32, shuffle=False),
        resume=results.last if resume and results.last.exists() else None,
    )


def outcome(arguments: dict[str, Any]) -> int:
    """Run, and tell of errors as a command would: the exit code."""
    try:
        run_toy(arguments)
    except Interrupted as interrupted:
        sys.stderr.write(f"{interrupted}\n")  # at once: another process may write too
        return interrupted.exit_code
    except ArchError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def serve() -> None:
    """Fork a child for every line: importing torch and Lightning takes longer than all runs."""
    for line in sys.stdin:
        arguments = json.loads(line)
        child = os.fork()
        if child == 0:
            log = os.open(arguments["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            if size := arguments.get("largest_file"):
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            code = 70
            try:
                code = outcome(arguments)
            except BaseException:  # noqa: BLE001 - the child must not go on as its parent
                traceback.print_exc()
            sys.stderr.flush()
            os._exit(code)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        sys.exit(outcome(json.loads(sys.argv[1])))
