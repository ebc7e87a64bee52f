"""Texts damaged at random: a byte here, a token there, a piece of another file."""

from __future__ import annotations

import random
import re

TOKEN = re.compile(r'"[^"\n]*"|#[^\n]*|\d[\d.]*|\w+|->|\*\*|//|[=!<>]=|\s+|[^\w\s]')
HOSTILE = [
    *"{ } ( ) [ ] -> : = == , . ; ** // % \\ ' \" # \n \0 \r \t \ufeff \u2028 а ﬁ ４ é 𝟙".split(
        " "
    ),
    *"if else for in repeat shared let residual shortcut dense branch unet".split(),
    *"scan as not and it input output network block sequence train from import std".split(),
    *"true false none same valid".split(),
    *"0 1 2 -1 0.5 1e308 1e-320 2**63 2147483648 999999999999999999999 0x1F 1_0 10**12".split(),
    *"[] () [1] (1,2) H W it.channels it.shape[1] range(9) range(100000) [0]*1000000".split(),
    *("\"\" 'x' '' " + '"""').split(),
    *"__class__ self super print lambda class torch nn Tensor nn.GELU(1) nn.Hardswish()".split(),
]


def damaged(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """The bytes after one to four accidents."""
    for _ in range(chance.randint(1, 4)):
        kind = chance.random()
        if kind < 0.3:
            data = _bytes_damaged(data, chance)
        elif kind < 0.9:
            data = _tokens_damaged(data, chance)
        else:
            other = chance.choice(others)
            data = (
                data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]
            )
    return data


def _bytes_damaged(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    match chance.randrange(4):
        case 0:
            return data[:at] + data[at + 1 :]
        case 1:
            return data[:at] + bytes([chance.randrange(256)]) + data[at:]
        case 2:
            return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        case _:
            return data[:at]


def _tokens_damaged(data: bytes, chance: random.Random) -> bytes:
    tokens = TOKEN.findall(data.decode("utf-8", "replace"))
    if not tokens:
        return data
    at, other = chance.randrange(len(tokens)), chance.randrange(len(tokens))
    match chance.randrange(6):
        case 0:
            del tokens[at]
        case 1:
            tokens[at], tokens[other] = tokens[other], tokens[at]
        case 2:
            tokens.insert(at, tokens[other])
        case 3:
            tokens[at] = chance.choice(HOSTILE)
        case 4:
            tokens.insert(at, chance.choice(HOSTILE))
        case _:
            del tokens[at : at + chance.randrange(8)]
    return "".join(tokens).encode("utf-8", "replace")
