"""Makes Lightning's Trainer for a run, and lets it run: quiet, fast, and to the bit as asked."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.profilers import PassThroughProfiler

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.training.checkpoints import WholeFiles, read_checkpoint
from archdsl.training.journal import Journal
from archdsl.training.progress import Silence, make_reporter
from archdsl.training.quiet import quiet_libraries
from archdsl.training.results import ResultsFolder, process_rank
from archdsl.training.seeds import SeededBatches

_HALF = "16-mixed"


@dataclass(frozen=True)
class RunSettings:
    """How a run is made, beside what is trained and on what.

    ``monitor`` names the logged metric that tells the best epoch, ``metrics`` what validation
    measures (by default what it logs beyond the terms of the loss). ``progress`` is None for a bar
    on a terminal and lines elsewhere. Gradients are clipped by norm or by value, not by both.
    """

    epochs: int
    seed: int = 0
    devices: int = 1
    nodes: int = 1
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    unused_parameters: bool = False
    """Whether parameters get no gradient: in some epochs, or for want of a loss."""
    accelerator: str = "auto"
    precision: str = "32-true"
    accumulate: int = 1
    clip_norm: float | None = None
    clip_value: float | None = None
    folder: Path | None = None
    monitor: str | None = None
    mode: Literal["min", "max"] = "min"
    metrics: tuple[str, ...] | None = None
    progress: bool | None = None


class Interrupted(Exception):
    """The run was broken off by a person, or by the system; ``checkpoint`` is what to resume."""

    def __init__(self, epochs: int, checkpoint: Path | None, *, exit_code: int = 130) -> None:
        self.epochs = epochs
        self.checkpoint = checkpoint
        self.exit_code = exit_code
        kept = f"; {checkpoint} is kept, and --resume goes on from there" if checkpoint else ""
        super().__init__(f"interrupted after {epochs} whole epochs{kept}")


def make_trainer(run: RunSettings, *, callbacks: Sequence[Callback] = ()) -> Trainer:
    """Lightning's Trainer as archdsl uses it, with a :class:`Journal` among its callbacks."""
    folder = ResultsFolder(run.folder) if run.folder else None
    reporter = Silence() if process_rank() else make_reporter(run.progress, run.metrics)
    journal = Journal(
        seed=run.seed,
        reporter=reporter,
        folder=folder,
        monitor=run.monitor,
        mode=run.mode,
    )
    try:
        with quiet_libraries():
            return Trainer(**_arguments(run), callbacks=[*callbacks, journal])
    except (MisconfigurationException, ValueError, RuntimeError) as problem:
        raise _cannot_run(problem) from None


def _arguments(run: RunSettings) -> dict[str, Any]:
    on_gpu = run.accelerator in {"gpu", "cuda"} or (
        run.accelerator == "auto" and torch.cuda.is_available()
    )
    # Lightning would do the same, and warn of it: what runs on a CPU cannot be as on a GPU.
    on_cpu = run.precision == _HALF and _on_cpu(run)
    return {
        "max_epochs": run.epochs,
        "devices": run.devices,
        "num_nodes": run.nodes,
        "strategy": _strategy(run),
        "accelerator": run.accelerator,
        "precision": "bf16-mixed" if on_cpu else run.precision,
        "accumulate_grad_batches": run.accumulate,
        "gradient_clip_val": run.clip_norm if run.clip_value is None else run.clip_value,
        "gradient_clip_algorithm": "norm" if run.clip_value is None else "value",
        "sync_batchnorm": on_gpu and run.devices * run.nodes > 1,
        "default_root_dir": run.folder,
        "plugins": [WholeFiles()],
        "profiler": NoProfiler(),
        "use_distributed_sampler": False,  # the data are parted before they come here
        "num_sanity_val_steps": 0,  # shapes are checked before the run
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }


def check_machine(run: RunSettings) -> None:
    """ArchError for a run that this machine cannot make, before anything of it is written."""
    make_trainer(replace(run, folder=None, progress=False))
    if run.precision == _HALF and _on_cpu(run):
        message = f"precision {_HALF} is for GPUs, and this run computes on a CPU"
        help = 'precision: "bf16-mixed", or "32"'
        raise ArchError([Diagnostic("cannot-run", message, help=help)])


def _on_cpu(run: RunSettings) -> bool:
    if run.accelerator != "auto":
        return run.accelerator == "cpu"
    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


def _strategy(run: RunSettings) -> str:
    """DDP waits for every gradient, unless it is told that some do not come."""
    several = run.devices * run.nodes > 1
    if run.unused_parameters and several and run.strategy in {"auto", "ddp"}:
        return "ddp_find_unused_parameters_true"
    return run.strategy


class NoProfiler(PassThroughProfiler):
    """Measures nothing at less cost: Lightning enters it two dozen times a step."""

    _nothing: AbstractContextManager[None] = nullcontext()

    def profile(self, action_name: str) -> Any:
        return self._nothing


def fit(
    trainer: Trainer,
    module: LightningModule,
    batches: Iterable[Any],
    validation: Iterable[Any] | None = None,
    *,
    resume: Path | None = None,
) -> Journal:
    """Train, and return the journal, whose ``rows`` are the metrics by epoch.

    :class:`Interrupted` where the run is broken off, ArchError where it cannot go on.
    """
    journal = journal_of(trainer)
    journal.batches = SeededBatches(batches, journal.seed)
    if resume is not None:
        read_checkpoint(resume)  # refused here, whatever a strategy would load it with
    try:
        with quiet_libraries(), _deterministic(), _interruptions(trainer, journal):
            trainer.fit(
                module,
                journal.batches,
                validation,
                ckpt_path=None if resume is None else str(resume),
                weights_only=True,
            )
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            _part_at_exit()
    return journal


@cache
def _part_at_exit() -> None:
    """Leave the group of processes before Python ends, whose threads would else abort it."""
    atexit.register(_part)


def _part() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def evaluate(trainer: Trainer, module: LightningModule, batches: Iterable[Any]) -> dict[str, float]:
    """What ``test_step`` logs on these batches, such as ``{"test_loss": 0.05}``."""
    with quiet_libraries(), _deterministic():
        found = trainer.test(module, batches, verbose=False)
    return {name: float(value) for row in found for name, value in row.items()}


def journal_of(trainer: Trainer) -> Journal:
    """The journal among a trainer's callbacks."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set in its init
    return next(callback for callback in callbacks if isinstance(callback, Journal))


@contextmanager
def _interruptions(trainer: Trainer, journal: Journal) -> Iterator[None]:
    """Turn the ways in which Lightning ends a broken-off run into one."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if main else None
    code = 130
    try:
        yield
    except KeyboardInterrupt:  # before Lightning listens, or after
        raise Interrupted(len(journal.rows), journal.last_checkpoint()) from None
    except SystemExit as exit:
        if not trainer.interrupted:
            raise
        code = 130 if isinstance(exit.__context__, KeyboardInterrupt) else 143
    except MisconfigurationException as problem:
        raise _cannot_run(problem) from None
    finally:
        if main and before is not None:
            signal.signal(signal.SIGINT, before)  # Lightning has it ignored from the first on
    if trainer.interrupted:
        raise Interrupted(len(journal.rows), journal.last_checkpoint(), exit_code=code)


@contextmanager
def _deterministic() -> Iterator[None]:
    """Within, torch computes the same to the bit each time; afterwards it does as before.

    Lightning's own switch stays on for the rest of the process, and fills all new memory.
    """
    cudnn, memory = torch.backends.cudnn, torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = memory.fill_uninitialized_memory  # type: ignore[attr-defined]  # set on its module
    benchmark, exact = cudnn.benchmark, cudnn.deterministic
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS asks for
    # On a GPU some operations have no deterministic form: these run as they can.
    torch.use_deterministic_algorithms(True, warn_only=True)
    memory.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # as above
    cudnn.benchmark, cudnn.deterministic = False, True
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)
        memory.fill_uninitialized_memory = filled  # type: ignore[attr-defined]  # as above
        cudnn.benchmark, cudnn.deterministic = benchmark, exact


def _cannot_run(problem: Exception) -> ArchError:
    first = " ".join(str(problem).split())
    return ArchError([Diagnostic("cannot-run", f"this run cannot be made: {first}")])
