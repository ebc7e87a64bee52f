"""What a text is cut into."""

from __future__ import annotations


class Token(str):
    """A piece of the text, with the name of its terminal in the grammar and its place."""

    __slots__ = ("end_pos", "start_pos", "type")

    type: str
    start_pos: int
    end_pos: int

    def __new__(cls, type: str, value: str, start: int, end: int) -> Token:  # noqa: PYI034  # Python 3.10 has no Self
        token = str.__new__(cls, value)
        token.type = type
        token.start_pos = start
        token.end_pos = end
        return token
