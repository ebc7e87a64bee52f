"""A text as symbols: pieces of it, and each the same piece one symbol further on."""

from __future__ import annotations

import re

import torch

from archdsl.techniques.data import Sequences
from archdsl.training.data.places import read_text
from archdsl.training.data.request import Request, bad_data, listed, mismatch
from archdsl.training.data.samples import InMemory, Samples

_LEVELS = {"character": re.compile(r".", re.DOTALL), "word": re.compile(r"\w+|[^\w\s]")}


def open_sequences(source: Sequences, request: Request) -> Samples:
    """Pieces that follow one another, none overlapping."""
    name = request.one_input(source.shown)
    target = request.one_target(source.shown)
    symbols = _LEVELS[source.level].findall(read_text(request, source.file))
    pieces = (len(symbols) - 1) // source.length
    if pieces < 1:
        raise bad_data(
            f"{source.file} has {len(symbols)} {source.level}s, too few for a piece of"
            f" {source.length} and what follows it"
        )
    known = request.classes.get(target or name, ())
    vocabulary = known or tuple(sorted(set(symbols)))
    if target is not None:
        _need_scores(source, request, target, vocabulary)
    number = {symbol: i for i, symbol in enumerate(vocabulary)}
    new = sorted(set(symbols) - number.keys())
    if new:
        raise bad_data(
            f"{source.file} has {source.level}s that the vocabulary does not: {listed(new)}"
        )
    whole = torch.tensor([number[symbol] for symbol in symbols])
    used = pieces * source.length
    inputs = whole[:used].reshape(pieces, source.length)
    following = whole[1 : used + 1].reshape(pieces, source.length)
    store = InMemory((inputs,), () if target is None else (following,))
    classes = () if target is None else (vocabulary,)
    return Samples(source.shown, store, classes, ordered=True)


def _need_scores(
    source: Sequences, request: Request, target: str, vocabulary: tuple[str, ...]
) -> None:
    scores = request.targets[target].classes
    if scores is not None and len(vocabulary) > scores:
        raise mismatch(
            f"the network gives {scores} scores, and {source.shown} has {len(vocabulary)} different"
            f" {source.level}s",
            help=f"give it as many: embedding({len(vocabulary)}, …) at its beginning, and"
            f" linear({len(vocabulary)}) at its end",
        )
