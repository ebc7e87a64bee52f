"""networkx without the parts that a command has no use for, which start it twice as fast.

``import networkx`` loads every algorithm, generator and file format, and looks through all
installed packages for other backends. Of that a graph of layers needs the classes alone. The
command line is a process of its own, so it may put the rest off until something asks for it;
for who imports archdsl as a library, networkx is as it always is.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_PUT_OFF = ("algorithms", "convert_matrix", "drawing", "generators", "linalg", "readwrite")


def import_networkx() -> None:
    """Import networkx so that the parts in ``_PUT_OFF`` follow when one of their names is used."""
    if "networkx" in sys.modules:
        return
    try:
        _import_without(_stand_ins())
    except Exception:  # noqa: BLE001  # a version that is laid out otherwise is imported as it is
        for name in [n for n in sys.modules if n.partition(".")[0] == "networkx"]:
            del sys.modules[name]
        importlib.import_module("networkx")


def _stand_ins() -> dict[str, ModuleType]:
    """Empty modules for what is put off, and a search for backends that finds none."""
    found = {f"networkx.{part}": ModuleType(f"networkx.{part}") for part in _PUT_OFF}
    if "importlib.metadata" not in sys.modules:
        metadata = found["importlib.metadata"] = ModuleType("importlib.metadata")
        metadata.__dict__["entry_points"] = lambda **_: ()
    return found


def _import_without(stand_ins: dict[str, ModuleType]) -> None:
    sys.modules.update(stand_ins)
    try:
        networkx = importlib.import_module("networkx")
    finally:
        for name in stand_ins:
            del sys.modules[name]
    for part in _PUT_OFF:
        vars(networkx).pop(part, None)
    names = vars(networkx)
    before = names.get("__getattr__")

    def complete(name: str) -> Any:
        """Import what was put off, since a name is asked for that may stand there."""
        names["__getattr__"] = before
        if before is None:
            del names["__getattr__"]
        for part in _PUT_OFF:
            module = importlib.import_module(f"networkx.{part}")
            public = getattr(module, "__all__", [n for n in vars(module) if n[0] != "_"])
            names.update((n, getattr(module, n)) for n in public)
        return getattr(networkx, name)

    names["__getattr__"] = complete
