"""The command line: arguments in, text and an exit code out."""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import os
import sys
import threading
from typing import Any, NoReturn

import click

import archdsl
from archdsl.collector import collect_as_usual, collect_seldom, importing
from archdsl.commands.examples import examples
from archdsl.commands.messages import CALL_AT_FAULT, exit_code_of, tell, tell_kept
from archdsl.diagnostics import ArchError

COMMANDS = (
    "check",
    "compile",
    "diff",
    "draw",
    "evaluate",
    "fmt",
    "graph",
    "layers",
    "new",
    "predict",
    "summary",
    "techniques",
    "train",
)
"""Each is ``NAME_command`` in archdsl/commands/NAME.py, which is imported when it is called."""

_TRAINING = ("evaluate", "predict", "train")

INTERRUPTED, BROKEN_PIPE, OUR_FAULT = 130, 141, 70


class _Commands(click.Group):
    """The group of all commands, which ends with an exit code whatever happens."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        if cmd_name in _TRAINING:
            collect_as_usual()
        with importing():
            module = importlib.import_module(f"archdsl.commands.{cmd_name}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        try:
            return super().invoke(ctx)
        except ArchError as error:
            tell(error.diagnostics)
            return exit_code_of(error)
        except KeyboardInterrupt:
            return INTERRUPTED
        except BrokenPipeError:
            _close_output()
            return BROKEN_PIPE
        finally:
            tell_kept(ctx)

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        _speak_any_text()
        kwargs["standalone_mode"] = False
        try:
            code = super().main(*args, **kwargs)
            sys.stdout.flush()
        except click.ClickException as problem:
            problem.show()
            code = problem.exit_code
        except (KeyboardInterrupt, click.Abort):
            code = INTERRUPTED
        except BrokenPipeError:
            _close_output()
            code = BROKEN_PIPE
        except Exception as problem:  # noqa: BLE001 - whatever gets here is a bug of ours
            code = _report_full(problem) or _report_bug(problem)
        sys.exit(code or 0)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "archdsl new resnet",
        "archdsl check resnet.arch",
        "archdsl draw resnet.arch:resnet50 -o resnet50.svg",
        "archdsl summary resnet.arch:resnet50",
        "archdsl compile resnet.arch:resnet50 -o resnet50.py",
        "archdsl train lenet.arch --data 'digits(size = 32)'",
    )
    + "\n\nExit codes: 0 all is well, 1 the specification is at fault, 2 the call is.",
)
@click.version_option(archdsl.__version__, prog_name="archdsl")
@click.option("debug", "--debug", is_flag=True, help="Show the traceback of a bug in archdsl.")
def cli(debug: bool) -> None:
    """A language for neural-network architectures that compiles to PyTorch.

    FILE is a specification, such as resnet.arch; FILE:NETWORK is one network of it.
    """


def main() -> NoReturn:
    """The command line, which ends by SystemExit."""
    collect_seldom()
    try:
        cli(prog_name="archdsl")
    finally:
        gc.freeze()  # all that is left goes with the process: no collection need look through it
    raise AssertionError  # a group ends the program


def process() -> NoReturn:
    """What ``archdsl`` runs as a process of its own."""
    try:
        main()
    except SystemExit as end:
        _leave(end)


def _leave(end: SystemExit) -> NoReturn:
    """End the process at once: nobody waits while syntax trees and graphs are taken apart."""
    watched = sys.getprofile() is not None or sys.gettrace() is not None
    if watched or "torch" in sys.modules or threading.active_count() > 1:
        raise end
    atexit._run_exitfuncs()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except OSError:
        raise end from None
    os._exit(end.code if isinstance(end.code, int) else 1)


def _speak_any_text() -> None:
    """Whatever a stream cannot show is written as an escape; it stops nothing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _close_output() -> None:
    """Nobody reads any more: what is left goes nowhere, so that Python's own end is quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def _report_full(problem: Exception) -> int | None:
    """What becomes of an output that goes to a full disk; None for any other problem."""
    full = isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT)
    if not full or problem.filename is not None:  # type: ignore[attr-defined]  # an OSError
        return None
    _close_output()
    click.echo("the output cannot be written: no space is left", err=True)
    return CALL_AT_FAULT


def _report_bug(problem: Exception) -> int:
    """The last resort: a bug is a line, and a traceback for who asks."""
    if "--debug" in sys.argv:
        import traceback

        traceback.print_exception(problem)
    first = (str(problem).strip() or "no message").splitlines()[0]
    click.echo(
        f"archdsl {archdsl.__version__} has a bug ({type(problem).__name__}: {first[:200]});"
        " please report it. `archdsl --debug …` shows where.",
        err=True,
    )
    return OUR_FAULT


if __name__ == "__main__":
    main()
