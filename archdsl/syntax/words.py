"""The words of the language that cannot be a name, or that start something."""

from __future__ import annotations

OPERATOR_WORDS = frozenset(
    ("and", "as", "else", "false", "for", "if", "in", "let", "none", "not", "or", "true")
)
"""What can be the name of nothing."""

FORM_WORDS = frozenset(("branch", "dense", "repeat", "residual", "scan", "unet"))

RESERVED = OPERATOR_WORDS | FORM_WORDS | {"input", "output"}
"""What can be the name of nothing that starts a pipeline; a network may be called `unet`."""

DECLARATION_WORDS = ("network", "block", "sequence", "train", "let", "from")
STATEMENT_WORDS = (*sorted(FORM_WORDS), "for", "if", "let", "input", "output")
