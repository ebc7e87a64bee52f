"""``python -m archdsl``: the command line."""

from archdsl.cli import process

process()
