"""archdsl: write a neural network down once; check it, read it, run it.

>>> import archdsl
>>> spec = archdsl.loads('''
... network mlp {
...     input x: [4]
...     linear(16) -> relu -> linear(3)
... }
... ''')
>>> print(archdsl.check(spec).outputs["output"])
[3]
"""

from typing import TYPE_CHECKING, Any

from archdsl.collector import importing

with importing():
    from archdsl.compiler import (
        Report,
        check,
        compile,  # noqa: A004 - the command's name; who imports it by itself knows
        diff,
        draw,
        fit,
        fmt,
        graph,
        layers,
        new,
        onnx,
        optimize,
        recipe,
        source,
        summary,
        trained,
        write_onnx,
    )
    from archdsl.diagnostics import ArchError, Diagnostic
    from archdsl.ops.op import Op, layer
    from archdsl.specification import Specification, load, loads

if TYPE_CHECKING:
    from archdsl.builder import Builder, Flow, block

__version__ = "0.1.0"

__all__ = [
    "ArchError",
    "Builder",
    "Diagnostic",
    "Flow",
    "Op",
    "Report",
    "Specification",
    "block",
    "check",
    "compile",
    "diff",
    "draw",
    "fit",
    "fmt",
    "graph",
    "layer",
    "layers",
    "load",
    "loads",
    "new",
    "onnx",
    "optimize",
    "recipe",
    "source",
    "summary",
    "trained",
    "write_onnx",
]


def __getattr__(name: str) -> Any:
    """The builder is loaded when it is asked for: the command line has no use for it."""
    if name not in ("Builder", "Flow", "block"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from archdsl import builder

    return getattr(builder, name)
