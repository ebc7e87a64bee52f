"""Short runs: a specification's recipe, Lightning's Trainer, and a few batches."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from archdsl.recipes import Recipe
from tests.training.harness import module_of

Batches = Sequence[tuple[Tensor, Tensor]]


class Loader:
    """Batches one after another; Lightning takes a plain list for several loaders."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(self._batches)


def regression(count: int = 4, size: int = 8, inputs: int = 3, outputs: int = 2) -> Batches:
    """Batches of random numbers."""
    made = torch.Generator().manual_seed(1)
    return [
        (torch.randn(size, inputs, generator=made), torch.randn(size, outputs, generator=made))
        for _ in range(count)
    ]


def spec(settings: str, body: str = "fc: linear(4) -> tanh -> head: linear(2)") -> str:
    """A small network with a train block of these settings."""
    loss = "" if "loss:" in settings else "loss: mse\n"
    return f"network net {{\n input x: [3]\n {body}\n}}\ntrain for net {{\n{loss}{settings}\n}}"


def run(
    module: LightningModule,
    recipe: Recipe,
    batches: Batches,
    *,
    callbacks: Sequence[Callback] = (),
    checkpoint: Any = None,
    epochs: int | None = None,
) -> Trainer:
    """Train as the recipe says, on these batches in this order."""
    trainer = Trainer(
        max_epochs=epochs or recipe.epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        accumulate_grad_batches=recipe.accumulate,
        gradient_clip_val=getattr(recipe.clip, "limit", None),
        gradient_clip_algorithm=recipe.clip.name if recipe.clip else None,
        callbacks=list(callbacks),
    )
    trainer.fit(module, Loader(batches), Loader(batches[:1]), ckpt_path=checkpoint)
    return trainer


def trained(text: str, batches: Batches, **more: Any) -> tuple[nn.Module, nn.Module, Recipe]:
    """The network as it began, the same trained, and the recipe."""
    torch.manual_seed(0)
    module, recipe = module_of(text)
    network = module.network
    assert isinstance(network, nn.Module)
    before = copy.deepcopy(network)
    run(module, recipe, batches, **more)
    return before, network, recipe


class Watch(Callback):
    """Notes what a function says of the module, at every step or epoch."""

    def __init__(self, note: Callable[[Any], Any], at: str = "epoch") -> None:
        self.note, self.at = note, at
        self.notes: list[Any] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if self.at == "step" or _[1] == 0:
            self.notes.append(self.note(pl_module))


class AfterStep(Callback):
    """Notes what a function says of the module, behind every batch."""

    def __init__(self, note: Callable[[Any], Any]) -> None:
        self.note = note
        self.notes: list[Any] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self.notes.append(self.note(pl_module))


def rate(module: LightningModule) -> float:
    """The learning rate of the first group."""
    return float(module.trainer.optimizers[0].param_groups[0]["lr"])


def by_hand(
    network: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches, epochs: int
) -> None:
    """The plainest loop there is."""
    for _ in range(epochs):
        for x, y in batches:

            def closure(x: Tensor = x, y: Tensor = y) -> Tensor:
                optimizer.zero_grad()
                loss = nn.functional.mse_loss(network(x), y)
                torch.autograd.backward(loss)
                return loss

            optimizer.step(closure)  # type: ignore[arg-type]  # torch types a closure by float


def assert_alike(one: nn.Module, other: nn.Module, *, to_the_bit: bool = False) -> None:
    own, others = dict(one.state_dict()), dict(other.state_dict())
    if to_the_bit:
        torch.testing.assert_close(own, others, rtol=0, atol=0)
    else:
        torch.testing.assert_close(own, others)
