"""The ways in which a run of Graphviz may end without a drawing."""

from __future__ import annotations


class NotInstalled(Exception):
    """This Graphviz is not there."""


class LayoutFailed(Exception):
    """Graphviz ran and refused the text, for the reason that it gave."""


class TooLarge(Exception):
    """The graph takes more time, stack or memory than there is."""

    def __init__(self, reason: str, *, out_of_time: bool = False) -> None:
        super().__init__(reason)
        self.out_of_time = out_of_time


def out_of_time(longest: float) -> TooLarge:
    return TooLarge(f"its layout takes longer than {longest:g} seconds", out_of_time=True)
