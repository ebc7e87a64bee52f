"""The networks of the zoo at small sizes, and inputs for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import nn

import archdsl
from archdsl.dims import evaluate, symbols
from archdsl.graph import Graph, inputs
from archdsl.specification import load

SPECS = Path(__file__).resolve().parents[2] / "specs"
EXTENT, STEPS = 64, 6
"""What free sizes of images and of sequences are; every network of the zoo accepts 64."""


@dataclass(frozen=True)
class Network:
    """A network of the zoo that has a value for each of its parameters."""

    file: str
    name: str

    def __str__(self) -> str:
        return f"{self.file}-{self.name}"

    def graph(self) -> Graph:
        return load(SPECS / f"{self.file}.arch").graph(self.name)


@cache
def networks() -> tuple[Network, ...]:
    """The zoo; those that need parameters stand there again, with them, under other names."""
    return tuple(
        Network(path.stem, name)
        for path in sorted(SPECS.glob("*.arch"))
        for specification in [load(path)]
        for name in specification.networks
        if not specification.needs(name)
    )


def small_sizes(graph: Graph) -> dict[str, int]:
    """A value for every free size of a network's inputs: images of 64 by 64, sequences of 6, 7."""
    dims = [d for node in inputs(graph) for d in graph.nodes[node]["types"][0].dims]
    free = sorted({name for d in dims for name in symbols(d)})
    steps = iter(range(STEPS, 100))
    return {name: EXTENT if name in {"H", "W"} else next(steps) for name in free}


def on_meta(graph: Graph) -> nn.Module:
    """The network's module without data: shapes flow, and nothing is computed."""
    with torch.device("meta"):
        return archdsl.compile(graph)


def given(graph: Graph, *, batch: int, device: str = "meta") -> list[torch.Tensor]:
    """Inputs of a network at its small sizes; indices are 0 or 1."""
    sizes = small_sizes(graph)
    tensors = []
    for node in inputs(graph):
        kind = graph.nodes[node]["types"][0]
        shape = [batch, *(evaluate(d, sizes) for d in kind.dims)]
        if kind.dtype == "int":
            tensors.append(torch.randint(0, 2, shape, device=device))
        else:
            tensors.append(torch.randn(shape, device=device))
    return tensors
