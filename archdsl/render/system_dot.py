"""Runs the system's Graphviz, the program ``dot``, where there is one on the PATH."""

from __future__ import annotations

import shutil
import subprocess

from archdsl.render.outcome import LayoutFailed, NotInstalled, TooLarge, out_of_time


def render(dot: str, format: str, *, longest: float) -> bytes:
    """What ``dot -T<format>`` makes of a text, its warnings unheard.

    NotInstalled, TooLarge after ``longest`` seconds or where the program is killed,
    LayoutFailed where it refuses the text.
    """
    program = shutil.which("dot")
    if program is None:
        raise NotInstalled
    # Not by the package graphviz: it can neither bound the time nor keep the warnings to itself.
    try:
        done = subprocess.run(  # noqa: S603 - a program from the PATH, with fixed arguments
            [program, f"-T{format}"],
            input=dot.encode("utf-8"),
            capture_output=True,
            timeout=longest,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise out_of_time(longest) from None
    except OSError:  # on the PATH, but for another machine
        raise NotInstalled from None
    if done.returncode < 0:  # killed by a signal: a deep graph overflows dot's stack
        raise TooLarge("Graphviz's program dot runs out of stack or memory")
    if done.returncode != 0 or not done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise LayoutFailed(said[0] if said else f"dot ended with {done.returncode}")
    return done.stdout
