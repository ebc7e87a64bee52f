"""Templates of calls: ``{0}`` is an input, ``{self}`` the module, a name a constant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def fill(template: str, values: Sequence[str], module: str = "", constants: Any = None) -> str:
    """A call template with its inputs, its module and its constants put in."""
    mapping = {str(i): v for i, v in enumerate(values)}
    mapping.update(constants or {})
    mapping["self"] = module
    result: list[str] = []
    rest = template
    while True:
        before, brace, after = rest.partition("{")
        result.append(before)
        if not brace:
            return "".join(result)
        name, _, rest = after.partition("}")
        result.append(mapping[name])
