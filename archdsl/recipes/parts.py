"""The parts of a network that training acts on: parameters, running means, dropout."""

from __future__ import annotations

from dataclasses import dataclass

from archdsl.graph import Wiring
from archdsl.passes.state import state_of_node


@dataclass(frozen=True)
class Part:
    """A layer that is trained, or that is another in training than in evaluation."""

    path: str
    layer: str
    family: str
    torch_class: str = ""
    """As the source writes it, such as ``nn.Conv2d``; empty where it is no module."""
    parameters: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Names, as in ``state_dict``, and shapes; without those that are another layer's."""
    tied: bool = False
    """Whether it uses a parameter of another layer."""
    running: bool = False
    """Whether it keeps means that move in training."""
    dropout: float = 0.0
    """The share that it drops, as a dropout or inside of another layer."""
    unit_axis: int = 0
    """The axis of its weight along which its units lie."""
    groups: int = 1


@dataclass(frozen=True)
class Trained:
    """A parameter of the network, with what it is chosen by."""

    name: str
    shape: tuple[int, ...]
    part: Part

    @property
    def layer(self) -> str:
        return self.part.layer

    @property
    def kind(self) -> str:
        """``weights``, ``biases``, ``norms``, or none of these."""
        last = self.name.rpartition(".")[2]
        if self.part.family == "normalization":
            return "norms"
        if "bias" in last:
            return "biases"
        return "weights" if "weight" in last and len(self.shape) > 1 else ""


def parts_of(wiring: Wiring) -> tuple[Part, ...]:
    """The parts of a checked network that training acts on, in its order."""
    found: dict[str, Part] = {}
    for node, data in wiring.graph.nodes(data=True):
        path = data.get("path") or node
        if node in wiring.alive and path not in found:
            part = _part(wiring, node, path)
            if part.parameters or part.tied or part.running or part.dropout:
                found[path] = part
    return tuple(found.values())


def _part(wiring: Wiring, node: str, path: str) -> Part:
    op = wiring.ops[node]
    state = list(state_of_node(wiring.graph, node))
    dropout = getattr(op, "p" if op.family == "regularization" else "dropout", 0.0)
    torch_class = ""
    if state:
        made = op.code(wiring.types[node], wiring.graph.nodes[node]["types"]).module
        torch_class = made.callee if made else ""
    return Part(
        path,
        op.name,
        op.family,
        torch_class,
        tuple((s.name, s.shape) for s in state if s.trained and not s.tied),
        tied=any(s.tied for s in state),
        running=any(s.name.endswith("running_mean") for s in state),
        dropout=float(dropout) if isinstance(dropout, (int, float)) else 0.0,
        unit_axis=op.unit_axis,
        groups=getattr(op, "groups", 1),
    )


def trained_parameters(parts: tuple[Part, ...]) -> tuple[Trained, ...]:
    """The parameters of a network, in its order, without those that are another's."""
    return tuple(Trained(name, shape, part) for part in parts for name, shape in part.parameters)
