"""What a person sees of a run, on a terminal and in a log file."""

from __future__ import annotations

import io
import logging
import re
import warnings
from pathlib import Path

import pytest
import torch

from archdsl.training.progress import Bar, Lines, Silence, make_reporter, print_result, shown
from archdsl.training.quiet import quiet_libraries
from archdsl.training.seeds import SeededBatches, seed_from, seed_generators
from archdsl.training.trainer import RunSettings, fit, make_trainer
from tests.training.run import toy

ROW = {
    "epoch": 1,
    "train_loss": 0.5,
    "train_cross_entropy": 0.4,
    "val_loss": 0.25,
    "val_cross_entropy": 0.25,
    "val_accuracy": 0.975,
    "lr": 0.1,
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def without_codes(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_log_file_has_a_line_an_epoch() -> None:
    log = io.StringIO()
    reporter = make_reporter(None, stream=log)
    reporter.begin(12, 0, 10)
    for _ in range(10):
        reporter.step()
    reporter.epoch(1, ROW)
    reporter.epoch(12, ROW)
    reporter.end()
    values = "train_loss 0.5000  val_loss 0.2500  val_accuracy 0.9750"
    assert re.fullmatch(
        rf"epoch  1/12  {values}  \d\.\d s\nepoch 12/12  {values}  \d\.\d s\n", log.getvalue()
    )


def test_a_terminal_has_one_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    terminal = Terminal()
    reporter = make_reporter(None, stream=terminal)
    assert isinstance(reporter, Bar)
    reporter.begin(3, 1, 4)
    for _ in range(4):
        reporter.step()
    reporter.epoch(2, ROW)
    reporter.epoch(3, ROW)
    reporter.end()
    drawn = [line for line in re.split(r"[\r\n]+", without_codes(terminal.getvalue())) if line]
    assert re.match("epoch 2/3 ━━━━╺━━━━━━━ ", drawn[0])  # resumed after the first
    assert re.match(
        r"epoch 3/3 .* loss 0.5000  val loss 0.2500  val accuracy 0.9750 0:00:\d\d", drawn[-1]
    )
    assert terminal.getvalue().count("\n") == 1  # all else is drawn over it


def test_a_bar_is_not_drawn_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    reporter = make_reporter(True, stream=terminal)
    reporter.begin(1, 0, 100_000)
    before = len(terminal.getvalue())
    for _ in range(1000):
        reporter.step()
    drawings = (len(terminal.getvalue()) - before) / before
    reporter.end()
    assert drawings < 20


def test_who_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_reporter(False), Silence)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_reporter(None, stream=Terminal()), Lines)


def test_the_table_at_the_end() -> None:
    out = io.StringIO()
    result = {"training": {"loss": 0.01}, "test": {"loss": 0.05, "accuracy": 0.98}}
    print_result(result, notes=["results in [runs]"], stream=out)
    lines = [line.split() for line in out.getvalue().splitlines() if line.strip()]
    assert lines[0] == ["loss", "accuracy"]
    assert lines[2:] == [
        ["training", "0.0100"],
        ["test", "0.0500", "0.9800"],
        ["results", "in", "[runs]"],
    ]


def test_a_table_of_many_losses_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    measures = ["loss", *(f"cross_entropy(output_{i}, target_{i})" for i in range(8)), "mean_[x]"]
    result = {"train": dict.fromkeys(measures, 0.5), "test": {"loss": 0.25}}
    out = io.StringIO()
    print_result(result, stream=out)
    lines = [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]
    assert lines[0].split() == ["train", "test"]
    assert lines[2].split() == ["loss", "0.5000", "0.2500"]
    assert lines[3].split() == "cross entropy(output_0, target_0) 0.5000".split()
    assert lines[-1].split() == ["mean", "[x]", "0.5000"]
    assert len(lines) == 2 + len(measures)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.12345, "0.1235"), (1e-5, "1e-05"), (-2.0, "-2.0000"), (1e6, "1e+06")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert shown(value) == text


def test_only_what_is_known_is_dropped() -> None:
    known = "The 'train_dataloader' does not have many workers which may be a bottleneck."
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with quiet_libraries():
            warnings.warn(known, UserWarning, stacklevel=1)
            warnings.warn("something else", UserWarning, stacklevel=1)
    assert [str(one.message) for one in seen] == ["something else"]
    logger = logging.getLogger("lightning.pytorch")
    before = logger.level
    with quiet_libraries():
        assert not logger.isEnabledFor(logging.INFO)
        assert logger.isEnabledFor(logging.WARNING)
    assert logger.level == before


def test_a_run_says_nothing_of_its_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    x, y = toy.data()
    trainer = make_trainer(RunSettings(epochs=2, accelerator="cpu", progress=False))
    fit(trainer, toy.Toy(), toy.Batches(x, y, 16), toy.Batches(x, y, 32))
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []  # and leaves nothing where it stands


# ---------------------------------------------------------------- seeds


def orders(batches: SeededBatches, epoch: int, rank: int = 0) -> tuple[list[list[float]], float]:
    batches.start_epoch(epoch, rank)
    torch.rand(epoch + 3 * rank + 1)  # whatever was drawn before
    order = [x[:, 0].tolist() for x, _ in batches]
    return order, torch.rand(()).item()


def test_an_order_follows_from_the_seed_and_the_epoch() -> None:
    x, y = toy.data()
    batches = SeededBatches(toy.Batches(x, y, 16), 7)
    first, drawn = orders(batches, 0)
    assert (first, drawn) == orders(batches, 0)
    assert first != orders(batches, 1)[0]
    assert first != orders(SeededBatches(toy.Batches(x, y, 16), 8), 0)[0]
    other_order, other_drawn = orders(batches, 0, rank=1)
    assert other_order == first  # the same in every process
    assert other_drawn != drawn  # what the network draws is not


def test_seeds_are_spread() -> None:
    seeds = {seed_from(seed, epoch) for seed in range(100) for epoch in range(100)}
    assert len(seeds) > 9_990  # of 2**32, ten thousand collide about 0.01 times
    seed_generators(1, 2)
    first = torch.rand(3)
    seed_generators(1, 2)
    assert torch.equal(first, torch.rand(3))


def test_a_loader_is_told_its_epoch() -> None:
    told = []

    class Sampler:
        def set_epoch(self, epoch: int) -> None:
            told.append(epoch)

    class Loader(list[int]):
        sampler = Sampler()

    batches = SeededBatches(Loader([1, 2]), 0)
    batches.start_epoch(4, 0)
    assert told == [4]
    assert list(batches) == [1, 2]
    assert len(batches) == 2
    assert list(SeededBatches([], 0)) == []
