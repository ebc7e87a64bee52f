"""The colours that pictures share, whatever they show: of the paper, the ink, and what skips."""

from __future__ import annotations

from archdsl.records import record


@record(frozen=True)
class Ground:
    """What a picture is drawn on and written with, before anything in it has a tint."""

    paper: str
    ink: str
    skip: str
    """Of a connection that leads past others."""


LIGHT = Ground("#ffffff", "#1a1a1a", "#0072b2")
DARK = Ground("#16191d", "#eceff1", "#6cb8ea")
