"""How the help of a command shows examples."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """An epilog of calls, one a line, which click leaves as they are."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
