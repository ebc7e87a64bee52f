"""A run that cannot go on says so once, and what it had stays."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from archdsl.diagnostics import ArchError
from archdsl.training.checkpoints import read_checkpoint, write_checkpoint
from archdsl.training.results import open_results
from archdsl.training.trainer import Interrupted, RunSettings, evaluate, fit, make_trainer
from tests.training.run import toy


def rows(folder: Path) -> int:
    place = folder / "metrics.csv"
    return len(place.read_text().splitlines()) - 1 if place.exists() else 0


def run(folder: Path | None, epochs: int = 3, **settings: Any) -> RunSettings:
    given = {"accelerator": "cpu", "progress": False, "monitor": "val_loss", **settings}
    return RunSettings(epochs=epochs, folder=folder, **given)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_interrupted(server: Any, tmp_path: Path, name: str, code: int) -> None:
    folder = tmp_path / "run"
    child = server.start(folder, pace=0.02)
    assert child.kill_when(signal.Signals[name], lambda: rows(folder) == 2) == code
    told = child.log.read_text().splitlines()[-1]
    kept = folder / "checkpoints" / "last.ckpt"
    assert told == (
        f"interrupted after 2 whole epochs; {kept} is kept, and --resume goes on from there"
    )
    assert "Traceback" not in child.log.read_text()
    assert torch.load(kept, weights_only=True)["epoch"] == 1  # counted from 0
    assert server.start(folder, resume=True).wait() == 0
    assert rows(folder) == 6


def test_ctrl_c_is_heard_again_after_a_run(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    x, y = toy.data()

    class Impatient(toy.Toy):
        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        fit(make_trainer(run(None)), Impatient(schedule="none"), toy.Batches(x, y, 16))
    assert signal.getsignal(signal.SIGINT) is before
    assert (caught.value.epochs, caught.value.checkpoint, caught.value.exit_code) == (0, None, 130)


# ---------------------------------------------------------------- not finite


@pytest.mark.parametrize(("step", "steps_until"), [(0, 50), (49, 50), (60, 96)])
def test_a_nan_is_found_at_its_step(tmp_path: Path, step: int, steps_until: int) -> None:
    x, y = toy.data()
    folder = open_results(tmp_path / "run", "", {})
    module = toy.Toy(schedule="none")
    module.network[1] = torch.nn.Identity()  # a batch of one has no statistics
    module.poison, module.poisoned_epoch = step, 1
    trainer = make_trainer(run(folder.path))
    with pytest.raises(ArchError) as caught:
        fit(trainer, module, toy.Batches(x, y, 1), toy.Batches(x, y, 32))
    (said,) = caught.value.diagnostics
    assert said.code == "loss-not-finite"
    assert said.message == f"the term cross_entropy of the loss is nan at epoch 2, step {step + 1}"
    assert said.notes == (f"the last good checkpoint is {folder.last} (epoch 1)",)
    assert trainer.global_step == 96 + steps_until  # looked at every 50 steps, and at the end
    kept = read_checkpoint(folder.last)
    assert kept["epoch"] == 0
    assert all(value.isfinite().all() for value in kept["state_dict"].values())


def test_weights_that_are_lost_are_not_kept(tmp_path: Path) -> None:
    x, y = toy.data()

    class Lost(toy.Toy):
        def on_train_epoch_end(self) -> None:
            super().on_train_epoch_end()
            if self.current_epoch == 1:
                self.first.bias.data.fill_(float("inf"))

    folder = open_results(tmp_path / "run", "", {})
    with pytest.raises(ArchError, match=r"the weight first\.bias is not finite at epoch 2"):
        fit(make_trainer(run(folder.path)), Lost(schedule="none"), toy.Batches(x, y, 16))
    assert read_checkpoint(folder.last)["epoch"] == 0


def test_the_loss_is_not_brought_to_the_host_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = toy.data()
    brought = []
    for name in ("item", "tolist", "__float__", "__bool__"):
        original = getattr(Tensor, name)

        def counting(self: Tensor, *args: Any, original: Any = original, name: str = name) -> Any:
            brought.append(name)
            return original(self, *args)

        monkeypatch.setattr(Tensor, name, counting)

    def count(size: int) -> int:
        brought.clear()
        optimizer_free = toy.Toy(schedule="none")
        optimizer_free.configure_optimizers = lambda: torch.optim.SGD(  # type: ignore[method-assign]
            optimizer_free.parameters(), lr=0.1
        )
        fit(make_trainer(run(None, epochs=1)), optimizer_free, toy.Batches(x, y, size))
        return len(brought)

    many, few = count(2), count(8)  # 48 steps, and 12
    assert few > 0  # at the epoch's end, so that the counting is known to count
    assert many == few


# ---------------------------------------------------------------- the disk


def test_a_full_disk_is_one_clear_error(server: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    child = server.start(folder, epochs=2)
    assert child.wait() == 0
    size = folder.joinpath("checkpoints/last.ckpt").stat().st_size
    before = folder.joinpath("checkpoints/last.ckpt").read_bytes()
    child = server.start(folder, resume=True, epochs=4, largest_file=size // 2)
    assert child.wait() == 1
    told = child.log.read_text()
    assert told.count("error[unwritable-file]") == 1
    assert "last.ckpt cannot be written: file too large" in told
    assert "the checkpoint before this one is as it was" in told
    assert "Traceback" not in told
    assert folder.joinpath("checkpoints/last.ckpt").read_bytes() == before
    names = sorted(place.name for place in (folder / "checkpoints").iterdir())
    assert names == ["best.ckpt", "last.ckpt"]


def test_no_room_is_told_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    class Usage:
        free = 100

    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage)
    x, y = toy.data()
    folder = open_results(tmp_path / "run", "", {})
    trainer = make_trainer(run(folder.path))
    with pytest.raises(ArchError, match=r"has no room for the checkpoints: .* are free"):
        fit(trainer, toy.Toy(schedule="none"), toy.Batches(x, y, 16))
    assert trainer.global_step == 0


# ---------------------------------------------------------------- hostile files


class Payload:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return Path.touch, (self.place,)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_checkpoint_never_runs_code(tmp_path: Path, legacy: bool) -> None:
    ran, hostile = tmp_path / "ran", tmp_path / "last.ckpt"
    torch.save(
        {"state_dict": {}, "callbacks": Payload(ran)},
        hostile,
        _use_new_zipfile_serialization=not legacy,
    )
    torch.load(hostile, weights_only=False)
    assert ran.exists()  # the payload is one
    ran.unlink()
    x, y = toy.data()
    trainer = make_trainer(run(None))
    with pytest.raises(ArchError) as caught:
        fit(trainer, toy.Toy(schedule="none"), toy.Batches(x, y, 16), resume=hostile)
    assert caught.value.diagnostics[0].code == "bad-checkpoint"
    with pytest.raises(ArchError):
        trainer.strategy.checkpoint_io.load_checkpoint(hostile, weights_only=False)
    assert not ran.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no checkpoint", b"\x80\x02.", None])
def test_what_is_no_checkpoint(tmp_path: Path, content: bytes | None) -> None:
    place = tmp_path / "last.ckpt"
    if content is None:
        torch.save([1, 2], place)
    else:
        place.write_bytes(content)
    with pytest.raises(ArchError, match=r"bad-checkpoint.*cannot be read"):
        read_checkpoint(place)


def test_every_cut_of_a_checkpoint_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.ckpt"
    write_checkpoint({"state_dict": {"w": torch.arange(100.0)}}, whole)
    assert torch.equal(read_checkpoint(whole)["state_dict"]["w"], torch.arange(100.0))
    content = whole.read_bytes()
    for length in range(0, len(content) - 1, 37):
        whole.write_bytes(content[:length])
        with pytest.raises(ArchError):
            read_checkpoint(whole)


# ---------------------------------------------------------------- settings


def test_a_device_that_is_not_there() -> None:
    if torch.cuda.is_available():
        pytest.skip("it is there")
    with pytest.raises(ArchError, match=r"cannot-run.*this run cannot be made"):
        make_trainer(run(None, accelerator="gpu"))


def test_torch_is_left_as_it_was() -> None:
    x, y = toy.data()
    trainer = make_trainer(run(None, epochs=1))
    seen = []

    class Looks(toy.Toy):
        def on_train_start(self) -> None:
            seen.append(torch.are_deterministic_algorithms_enabled())

    fit(trainer, Looks(schedule="none"), toy.Batches(x, y, 16))
    assert seen == [True]
    assert not torch.are_deterministic_algorithms_enabled()


def test_evaluate() -> None:
    x, y = toy.data()

    class Tested(toy.Toy):
        def test_step(self, batch: Any, batch_idx: int) -> None:
            self.log("test_accuracy", (self.network(batch[0]).argmax(1) == batch[1]).float().mean())

    module = Tested(schedule="none")
    trainer = make_trainer(run(None, epochs=3))
    fit(trainer, module, toy.Batches(x, y, 16))
    found = evaluate(trainer, module, toy.Batches(x, y, 96))
    module.eval()
    right = (module.network(x).argmax(1) == y).float().mean().item()
    assert found == {"test_accuracy": pytest.approx(right)}
