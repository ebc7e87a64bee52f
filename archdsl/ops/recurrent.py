"""Recurrent layers: whole sequences at once, and the cells that take a single step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from archdsl.dims import Size, show
from archdsl.ops.arguments import OpError, choice, flag, probability, size
from archdsl.ops.merge import expanded, joined_batch
from archdsl.ops.op import Need, Op, Tensor, layer, need_batch, need_float
from archdsl.ops.saved import Saved
from archdsl.ops.torch_text import Argument, Code, keyword, module, positional


def _features(op: Op, x: Tensor) -> int:
    """The number of features of a step, which the weights depend on."""
    need_float(op, x)
    need_batch(op, x)
    axes = len(op.example_input.split(","))
    if x.rank != axes:
        form = "[steps, features]" if axes == 2 else "[features]"
        raise OpError(
            "wrong-rank",
            f"{op.name} takes {form}, not {x}",
            text=f"the input is {x}",
            help=_rank_help(op, x, axes),
            input=0,
        )
    return need_fixed_features(x)


def _rank_help(op: Op, x: Tensor, axes: int) -> str:
    if axes == 1:
        return "a cell takes one step: use it inside scan, or the layer for a whole sequence"
    if x.rank == 1:
        return f"{op.name} runs over steps: {op.name}_cell takes a single one"
    return "bring it to two axes first, for instance flatten(2) -> transpose(1, 2)"


def need_fixed_features(x: Tensor) -> int:
    """The features of an input with weights of their own: a free size has none."""
    if isinstance(x.features, int):
        return x.features
    raise OpError(
        "free-size",
        f"the number of features must be known, and is {show(x.features)} here",
        text=f"the features are {show(x.features)}, known only when the network runs",
        help="only the number of steps may be free: fix the last size of the input",
        input=0,
    )


def _need_state(op: Op, inputs: Sequence[Tensor], shapes: Sequence[tuple[int, ...]]) -> None:
    """The initial states that are given have the shapes of the final ones."""
    for i, state in enumerate(inputs[1:], start=1):
        what, wanted = op.inputs[i], shapes[i - 1]
        need_float(op, state)
        need_batch(op, state)
        if state.dims != wanted:
            raise OpError(
                "shape-mismatch",
                f"{what} of {op.name} must be {list(wanted)}, and is {state}",
                text=f"{what} is {state}",
                input=i,
            )
    if len(inputs) == 2 and len(op.inputs) == 3:
        raise OpError(
            "wrong-inputs",
            f"{op.name} takes hidden and cell together, and cell is missing",
            help=f"give both or neither: {op.name}(…, hidden = h, cell = c)",
            input=1,
        )


def _joined(inputs: Sequence[Tensor], *dims: Size) -> Tensor:
    return Tensor(dims, batch=joined_batch(inputs))


class _Recurrent(Op):
    """What ``rnn``, ``lstm`` and ``gru`` share; they differ in their gates and states."""

    gates: ClassVar[int] = 1
    workspace: ClassVar[int] = 0
    """How often hidden_size a step keeps values for its backward pass, besides the states."""
    states_beyond: ClassVar[int] = 0
    """Whether the last state is kept besides those that steps start from."""
    inputs: ClassVar[tuple[str, ...]] = ("input", "hidden")
    guards_outputs = True  # oneDNN's and cuDNN's kernels do
    optional_inputs = 1
    outputs: ClassVar[tuple[str, ...]] = ("sequence", "hidden")
    example_input = "[20, 16]"

    hidden_size: int
    num_layers: int
    bias: bool
    dropout: float
    bidirectional: bool

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _width(self) -> int:
        """The features that one direction gives out and takes back."""
        return self.hidden_size

    def _states(self) -> list[tuple[int, ...]]:
        return [(self.num_layers * self._directions, self._width)]

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        _features(self, x)
        if self.dropout and self.num_layers == 1:
            raise OpError(
                "dropout-between-layers",
                f"dropout of {self.name} (={self.dropout}) stands between its layers, and it has"
                " only one",
                text="with num_layers = 1 it would do nothing",
                help=f"drop its output instead: {self.name}(…) -> dropout({self.dropout})",
                argument="dropout",
            )
        steps = x.dims[0]
        empty = OpError("empty-size", f"{self.name} needs at least one step", input=0)
        need.at_least(steps, 1, empty)
        _need_state(self, inputs, self._states())
        sequence = _joined(inputs, steps, self._directions * self._width)
        return (sequence, *(_joined(inputs, *shape) for shape in self._states()))

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        rows = self.gates * self.hidden_size
        features = need_fixed_features(inputs[0])
        shapes: dict[str, tuple[int, ...]] = {}
        for level in range(self.num_layers):
            for direction in ("", "_reverse")[: self._directions]:
                ending = f"_l{level}{direction}"
                shapes[f"weight_ih{ending}"] = (rows, features)
                shapes[f"weight_hh{ending}"] = (rows, self._width)
                if self.bias:
                    shapes[f"bias_ih{ending}"] = shapes[f"bias_hh{ending}"] = (rows,)
                if self._width != self.hidden_size:
                    shapes[f"weight_hr{ending}"] = (self._width, self.hidden_size)
            features = self._directions * self._width
        return shapes

    def multiply_adds(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        matrices = (shape for shape in self.weights(inputs).values() if len(shape) == 2)
        return inputs[0].dims[0] * sum(rows * columns for rows, columns in matrices)

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        """As torch's own kernels do it; those of oneDNN, for LSTMs, keep a workspace of theirs."""
        steps = inputs[0].dims[0]
        between = Tensor((steps, self._directions * self._width))
        runs = self.num_layers * self._directions
        # torch wants the steps first, and each direction of the first layer turns its input.
        made = [Tensor(inputs[0].dims)] * self._directions
        made += [between] * (self.num_layers - 1) * (2 if self.dropout else 1)
        made += [Tensor((steps, self._workspace()))] * runs
        # A single run keeps the first state as it came; several keep a copy of them all.
        given = range(1, len(inputs) if runs == 1 else 1)
        kept = steps + self.states_beyond - len(given[:1])
        made += [Tensor((kept, shape[-1])) for shape in self._states()] * runs
        return Saved(inputs=tuple(given), made=tuple(made))

    def _workspace(self) -> int:
        """How many values a step keeps besides its states."""
        return self.workspace * self.hidden_size

    def _call(self, inputs: Sequence[Tensor]) -> str:
        x, *states = expanded(inputs)
        turned = [f"{state}.transpose(0, 1).contiguous()" for state in states]
        if not turned:
            return f"{{self}}({x})"
        return f"{{self}}({x}, {turned[0] if len(turned) == 1 else '(' + ', '.join(turned) + ')'})"

    def _code(self, inputs: Sequence[Tensor], *more: Argument) -> Code:
        states = len(self._states())
        several = "({1}, {2})" if states == 2 else "{1}"
        return module(
            f"nn.{self.name.upper()}",
            positional("input_size", inputs[0].features),
            positional("hidden_size", self.hidden_size),
            keyword("num_layers", self.num_layers, 1),
            keyword("bias", self.bias, True),
            keyword("batch_first", True),
            keyword("dropout", self.dropout, 0.0),
            keyword("bidirectional", self.bidirectional, False),
            *more,
            call=self._call(inputs),
            targets=f"{{0}}, {several}",
            after=dict.fromkeys(range(1, states + 1), "{0}.transpose(0, 1)"),
        )


@layer("rnn", family="recurrent")
class RNN(_Recurrent):
    """Recurrent layer of Elman (1990) over a sequence: hₜ = tanh(W·xₜ + b + U·hₜ₋₁ + c).

    Input [steps, features], outputs ``sequence`` [steps, D·hidden_size] and the last
    ``hidden`` [num_layers·D, hidden_size], with D = 2 if bidirectional, else 1. The
    steps may be free. The initial state, ``hidden = h`` of the same shape, is zeros
    if left out; a learned one is ``parameter([1, 1, 64])``.

    ``torch.compile`` leaves recurrent layers of torch uncompiled: without ``fullgraph``.

    PyTorch: ``nn.RNN`` with ``batch_first=True``; the states have the batch first, too.
    """

    example = "rnn(32)"
    states_beyond = 1

    hidden_size: int = size(doc="features of the state")
    num_layers: int = size(default=1, doc="layers on top of one another")
    nonlinearity: str = choice("tanh", "relu", default="tanh", doc="the activation")
    bias: bool = flag(default=True, doc="whether to add learned constants")
    dropout: float = probability(default=0.0, doc="of the sequences between the layers")
    bidirectional: bool = flag(default=False, doc="whether to run from the end as well")

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return self._code(inputs, keyword("nonlinearity", self.nonlinearity, "tanh"))


@layer("lstm", family="recurrent")
class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber, 1997) over a sequence.

    i, f, o = σ(…), g = tanh(…), each of W·xₜ + b + U·hₜ₋₁ + c;
    cₜ = f·cₜ₋₁ + i·g and hₜ = o·tanh(cₜ).

    Input [steps, features], outputs ``sequence`` [steps, D·H], the last ``hidden``
    [num_layers·D, H] and the last ``cell`` [num_layers·D, hidden_size], with D = 2 if
    bidirectional, else 1, and H = proj_size if given, else hidden_size. The steps may
    be free. Initial states are given together, ``hidden = h, cell = c``, in the same
    shapes, and are zeros if left out.

    ``torch.compile`` leaves recurrent layers of torch uncompiled: without ``fullgraph``.

    PyTorch: ``nn.LSTM`` with ``batch_first=True``; the states have the batch first, too.
    """

    example = "lstm(32, num_layers = 2, bidirectional = true)"
    gates = 4
    workspace = 5
    inputs = ("input", "hidden", "cell")
    optional_inputs = 2
    outputs = ("sequence", "hidden", "cell")

    hidden_size: int = size(doc="features of the cell")
    num_layers: int = size(default=1, doc="layers on top of one another")
    bias: bool = flag(default=True, doc="whether to add learned constants")
    dropout: float = probability(default=0.0, doc="of the sequences between the layers")
    bidirectional: bool = flag(default=False, doc="whether to run from the end as well")
    proj_size: int = size(default=0, minimum=0, doc="features to project the state to, if any")

    @property
    def _width(self) -> int:
        return self.proj_size or self.hidden_size

    def _workspace(self) -> int:
        return super()._workspace() + (self.hidden_size if self.proj_size else 0)

    def _states(self) -> list[tuple[int, ...]]:
        count = self.num_layers * self._directions
        return [(count, self._width), (count, self.hidden_size)]

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        if self.proj_size >= self.hidden_size:
            raise OpError(
                "projection-too-large",
                f"proj_size (={self.proj_size}) must be smaller than hidden_size"
                f" (={self.hidden_size})",
                text="a projection makes the state smaller",
                argument="proj_size",
            )
        return super().infer(inputs, need)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return self._code(inputs, keyword("proj_size", self.proj_size, 0))


@layer("gru", family="recurrent")
class GRU(_Recurrent):
    """Gated recurrent units (Cho et al., 2014) over a sequence.

    r, z = σ(W·xₜ + b + U·hₜ₋₁ + c), n = tanh(W·xₜ + b + r·(U·hₜ₋₁ + c)) and
    hₜ = (1 - z)·n + z·hₜ₋₁.

    Input [steps, features], outputs ``sequence`` [steps, D·hidden_size] and the last
    ``hidden`` [num_layers·D, hidden_size], with D = 2 if bidirectional, else 1. The
    steps may be free. The initial state, ``hidden = h`` of the same shape, is zeros
    if left out.

    ``torch.compile`` leaves recurrent layers of torch uncompiled: without ``fullgraph``.

    PyTorch: ``nn.GRU`` with ``batch_first=True``; the states have the batch first, too.
    """

    example = "gru(32)"
    gates = 3
    workspace = 6

    hidden_size: int = size(doc="features of the state")
    num_layers: int = size(default=1, doc="layers on top of one another")
    bias: bool = flag(default=True, doc="whether to add learned constants")
    dropout: float = probability(default=0.0, doc="of the sequences between the layers")
    bidirectional: bool = flag(default=False, doc="whether to run from the end as well")

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return self._code(inputs)


class _Cell(Op):
    """What the cells share: one step, from the state before it to the state after it."""

    gates: ClassVar[int] = 1
    workspace: ClassVar[int] = 0
    """How often hidden_size it keeps values for its backward pass, besides the states."""
    keeps_output: ClassVar[bool] = False
    torch_name: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]] = ("input", "hidden")
    guards_outputs = True  # oneDNN's and cuDNN's kernels do
    optional_inputs = 1
    outputs: ClassVar[tuple[str, ...]] = ("hidden",)
    example_input = "[16]"

    hidden_size: int
    bias: bool

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        _features(self, inputs[0])
        _need_state(self, inputs, [(self.hidden_size,)] * len(self.outputs))
        return (_joined(inputs, self.hidden_size),) * len(self.outputs)

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        rows = self.gates * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, need_fixed_features(inputs[0])),
            "weight_hh": (rows, self.hidden_size),
        }
        if self.bias:
            shapes["bias_ih"] = shapes["bias_hh"] = (rows,)
        return shapes

    def multiply_adds(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        matrices = (shape for shape in self.weights(inputs).values() if len(shape) == 2)
        return sum(rows * columns for rows, columns in matrices)

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        made = [Tensor((self.workspace * self.hidden_size,))]
        if len(inputs) == 1:
            made.append(Tensor((self.hidden_size,)))  # zeros stand for every state
        kept = (0,) if self.keeps_output else ()
        return Saved(tuple(range(len(inputs))), kept, tuple(made))

    def _code(self, inputs: Sequence[Tensor], *more: Argument) -> Code:
        x, *states = expanded(inputs)
        if len(states) == 2:
            states = [f"({', '.join(states)})"]
        return module(
            f"nn.{self.torch_name}",
            positional("input_size", inputs[0].features),
            positional("hidden_size", self.hidden_size),
            keyword("bias", self.bias, True),
            *more,
            call=f"{{self}}({', '.join([x, *states])})",
            targets=", ".join(f"{{{i}}}" for i in range(len(self.outputs))),
        )


@layer("rnn_cell", family="recurrent")
class RNNCell(_Cell):
    """One step of ``rnn``, for recurrences written out with ``scan``.

    Input [features] and ``hidden`` [hidden_size] (zeros if left out), output the next
    hidden state [hidden_size].

    PyTorch: ``nn.RNNCell``.
    """

    example = "rnn_cell(32)"
    torch_name = "RNNCell"
    keeps_output = True

    hidden_size: int = size(doc="features of the state")
    bias: bool = flag(default=True, doc="whether to add learned constants")
    nonlinearity: str = choice("tanh", "relu", default="tanh", doc="the activation")

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return self._code(inputs, keyword("nonlinearity", self.nonlinearity, "tanh"))


@layer("lstm_cell", family="recurrent")
class LSTMCell(_Cell):
    """One step of ``lstm``, for recurrences written out with ``scan``.

    Input [features], ``hidden`` and ``cell`` [hidden_size] (given together; zeros if left
    out), outputs the next hidden and cell state, in that order.

    PyTorch: ``nn.LSTMCell``.
    """

    example = "lstm_cell(32)"
    torch_name = "LSTMCell"
    gates = 4
    workspace = 5
    inputs = ("input", "hidden", "cell")
    optional_inputs = 2
    outputs = ("hidden", "cell")

    hidden_size: int = size(doc="features of the state")
    bias: bool = flag(default=True, doc="whether to add learned constants")

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return self._code(inputs)


@layer("gru_cell", family="recurrent")
class GRUCell(_Cell):
    """One step of ``gru``, for recurrences written out with ``scan``.

    Input [features] and ``hidden`` [hidden_size] (zeros if left out), output the next
    hidden state [hidden_size].

    PyTorch: ``nn.GRUCell``.
    """

    example = "gru_cell(32)"
    torch_name = "GRUCell"
    gates = 3
    workspace = 6

    hidden_size: int = size(doc="features of the state")
    bias: bool = flag(default=True, doc="whether to add learned constants")

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return self._code(inputs)
