"""The builder: graphs from Python, as short as the text, each mistake at its Python line.

>>> b = Builder("tiny")
>>> x = b.input("image", 3, "H", "W")
>>> x = x.conv(16, 3, padding=1).bn().relu()
>>> x = x.global_avg_pool().flatten().linear(10, name="fc")
>>> b.graph().nodes["fc"]["shape"]
(10,)

Every registered layer is a method of a tensor. The same method of the builder makes a
module that can be called several times, with one set of weights. A mistake is an ArchError
at once, whose diagnostic points at the line that made it.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar

from archdsl import ops
from archdsl.call_places import call_place
from archdsl.diagnostics import ArchError, Diagnostic, Span, suggest
from archdsl.dims import Size, show, symbol
from archdsl.elaborate.body import run_body
from archdsl.elaborate.calls import run_layer
from archdsl.elaborate.context import BlockCall, Context, TooLarge
from archdsl.elaborate.scopes import Frame
from archdsl.elaborate.sites import Site
from archdsl.elaborate.values import Bound, Env, LayerValue, Stop, TensorRef
from archdsl.graph import Graph, Scope, connect, outputs
from archdsl.ops.arguments import OpError, WeightRef
from archdsl.ops.ends import Input, Output
from archdsl.ops.op import Op, Tensor
from archdsl.syntax import ast

if TYPE_CHECKING:
    from archdsl.layer_methods import BuilderLayers, FlowLayers
else:

    class FlowLayers:
        """The registered layers as methods of a tensor; layer_methods.pyi has their types."""

        __slots__ = ()

    class BuilderLayers:
        """The registered layers as methods of a builder; layer_methods.pyi has their types."""


P = ParamSpec("P")
R = TypeVar("R")

find_span = functools.partial(call_place, __file__)
"""The place in the program that called into this file, at a word where that stands there."""


class UnknownLayer(ArchError, AttributeError):
    """There is no layer of that name; an AttributeError too, as Python expects."""


class Flow(FlowLayers):
    """A tensor of a network being built: every layer is a method, ``x.conv(64, 3).relu()``.

    Where a layer gives several tensors this is the first, and unpacking gives them all:
    ``sequence, hidden, cell = x.lstm(128)``.
    """

    __slots__ = ("_ref", "_siblings", "builder")

    def __init__(self, builder: Builder, refs: Sequence[TensorRef], index: int = 0) -> None:
        self.builder = builder
        self._ref = refs[index]
        self._siblings = refs

    @property
    def type(self) -> Tensor:
        """Its sizes without the batch, and what it holds."""
        return self._ref.known()

    @property
    def shape(self) -> tuple[Size, ...]:
        """Its sizes without the batch; a free one is an expression."""
        return self.type.dims

    @property
    def rank(self) -> int:
        """The number of axes without the batch."""
        return self.type.rank

    @property
    def channels(self) -> int:
        """The size of its first axis after the batch."""
        return self._fixed(0, "channels")

    @property
    def features(self) -> int:
        """The size of its last axis."""
        return self._fixed(-1, "features")

    @property
    def depth(self) -> Size:
        return self._size(-3, "depth", 4)

    @property
    def height(self) -> Size:
        return self._size(-2, "height", 3)

    @property
    def width(self) -> Size:
        return self._size(-1, "width", 3)

    @property
    def outputs(self) -> tuple[Flow, ...]:
        """All that the layer gave, of which this tensor is one."""
        return tuple(Flow(self.builder, self._siblings, i) for i in range(len(self._siblings)))

    @property
    def nn(self) -> ForeignFlow:
        """Any module of ``torch.nn`` that takes one tensor: ``x.nn.Hardswish()``."""
        return ForeignFlow(self)

    def named(self, name: str) -> Flow:
        """The tensor with a name, as ``as`` gives it: for an output, and in the source."""
        span = find_span("named")
        _check_name(name, span, "a tensor")
        data = self.builder._context.graph.nodes[self._ref.source.node]
        names = [*data["names"], *[""] * len(self._siblings)][: len(self._siblings)]
        names[self._ref.source.output] = name
        data["names"] = tuple(names)
        return self

    def layer(self, layer: str, /, *arguments: Any, name: str | None = None, **more: Any) -> Flow:
        """The layer of a name, where that is only known when the program runs."""
        cls = _find(layer)
        return self.builder._apply(cls, layer, self, arguments, more, name)

    def __add__(self, other: Flow) -> Flow:
        return self._merge("add", other)

    def __sub__(self, other: Flow) -> Flow:
        return self._merge("sub", other)

    def __mul__(self, other: Flow) -> Flow:
        return self._merge("mul", other)

    def __matmul__(self, other: Flow) -> Flow:
        return self._merge("matmul", other)

    def _merge(self, name: str, other: Any) -> Flow:
        return self.layer(name, other) if isinstance(other, Flow) else NotImplemented

    def __iter__(self) -> Iterator[Flow]:
        return iter(self.outputs)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Flow]:
            if name.startswith("_"):
                raise AttributeError(name)
            written, cls = name, _find(name)
            if cls.source:
                help = f"call it on the builder: b.{name}(…)"
                message = f"{name} takes no tensor"
                raise UnknownLayer(
                    [Diagnostic("wrong-inputs", message, find_span(name), help=help)]
                )

            def run(*arguments: Any, name: str | None = None, **more: Any) -> Flow:
                return self.builder._apply(cls, written, self, arguments, more, name)

            return _Method(cls, run)

        def __dir__(self) -> list[str]:
            return sorted({*object.__dir__(self), *_layer_names(source=False)})

    def __repr__(self) -> str:
        return f"<{self._ref.source.node}: {self.type}>"

    def _fixed(self, axis: int, what: str) -> int:
        size = self._size(axis, what, 1)
        if isinstance(size, int):
            return size
        message = f"the number of {what} is {show(size)}, known only when the network runs"
        raise ArchError([Diagnostic("free-size", message, find_span(what))])

    def _size(self, axis: int, what: str, least: int) -> Size:
        if self.rank >= least:
            return self.shape[axis]
        message = f"a tensor {self.type} has no {what}"
        raise ArchError([Diagnostic("wrong-rank", message, find_span(what))])


class ForeignFlow:
    """The modules of ``torch.nn`` as methods of a tensor."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def __getattr__(self, name: str) -> Callable[..., Flow]:
        if name.startswith("__"):
            raise AttributeError(name)
        flow = self._flow
        torch_name, written, cls = name, name.lower(), _find("nn")

        def run(*arguments: Any, name: str | None = None, **more: Any) -> Flow:
            given = (torch_name, *arguments)
            return flow.builder._apply(cls, written, flow, given, more, name)

        return run


class Module:
    """A layer with a name and weights of its own; each call runs it again on other tensors.

    ``embed.weight`` is its parameter, for ``linear(…, tie=embed.weight)``.
    """

    def __init__(self, builder: Builder, layer: LayerValue, path: str, labelled: bool) -> None:
        self._builder = builder
        self._layer = layer
        self._frame = builder._frame
        self._labelled = labelled
        self.path = path

    def __call__(self, *inputs: Flow, **more: Flow) -> Flow:
        """What it gives for a tensor; further inputs by position or by name."""
        span = find_span(self._layer.name)
        given: list[object] = [*inputs, *more.values()]
        for value in given:
            if not isinstance(value, Flow):
                message = f"{self.path} runs on tensors, and {value!r} is none"
                help = f"its arguments are given once: b.{self._layer.name}(…)(x)"
                raise ArchError([Diagnostic("bad-argument", message, span, help=help)])
        if not inputs:
            message = f"{self.path} needs a tensor to run on"
            raise ArchError([Diagnostic("no-tensor", message, span, help="call it: module(x)")])
        return self._builder._run(
            self._layer, inputs, more, self.path, span, frame=self._frame, labelled=self._labelled
        )

    def __getattr__(self, name: str) -> WeightRef:
        if name.startswith("_"):
            raise AttributeError(name)
        span = find_span(name)
        module = self._builder._context.modules.get(self.path)
        if module is None:
            message = f"{self.path} has no weights until it was called on a tensor"
            raise UnknownLayer([Diagnostic("unknown-name", message, span)])
        if name not in module.weights:
            meant = suggest(name, module.weights)
            shown = ", ".join(module.weights) or "none"
            message = f"{self.path} has no parameter {name}"
            help = f"did you mean {meant}?" if meant else ""
            text = f"it has {shown}"
            raise UnknownLayer([Diagnostic("unknown-name", message, span, text, help=help)])
        return WeightRef(self.path, name, tuple(module.weights[name]))

    def __repr__(self) -> str:
        return f"<module {self.path}>"


class Part:
    """A module with others inside, to be entered with ``with``.

    Entered again, it runs the same modules again: one set of weights.
    """

    def __init__(self, builder: Builder, scope: Scope, call: BlockCall | None) -> None:
        self._builder = builder
        self._scope = scope
        self.call = call
        self._outer = builder._frame
        self._entered = False

    @property
    def path(self) -> str:
        return self._scope.path

    def __enter__(self) -> Part:  # noqa: PYI034 - Python 3.10 has no Self
        self._builder._enter(self._scope, self._outer, self.call, replay=self._entered)
        self._entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._builder._leave(self._scope, self.call)

    def __repr__(self) -> str:
        return f"<part {self.path}>"


class Builder(BuilderLayers):
    """A network under construction; :meth:`graph` gives what was built so far."""

    def __init__(self, name: str = "network", *, doc: str = "") -> None:
        span = find_span("Builder")
        _check_name(name, span, "a network")
        self.name = name
        self._context = _Context(name, run_body)
        graph = self._context.graph
        graph.graph.update(doc=inspect.cleandoc(doc), span=span, parameters={})
        graph.graph["scopes"][""] = Scope("", "", None, "network", name, doc=doc, span=span)
        self._frames = [Frame("", "")]
        self._calls: list[object] = []
        self._last: TensorRef | None = None

    # The ends -----------------------------------------------------------------------

    def input(self, name: str, *sizes: int | str, dtype: Literal["float", "int"] = "float") -> Flow:
        """A tensor that the network is given, by its sizes without the batch.

        A capital name is a free size: ``b.input("image", 3, "H", "W")``.
        """
        span = find_span("input")
        _check_name(name, span, "an input")
        try:
            op = ops.op.build(Input, {"sizes": [_size(s, span) for s in sizes], "dtype": dtype})
        except OpError as problem:
            raise ArchError([Diagnostic(problem.code, problem.message, span)]) from None
        top = self._frames[0]
        if name in top.used:
            message = f"the name {name} is taken already"
            raise ArchError([Diagnostic("duplicate-name", message, span)])
        top.used[name] = span
        return Flow(self, self._context.add(op, [], top, name, span, labelled=True))

    def output(self, *flows: Flow, training: bool = False, **named: Flow) -> None:
        """Give tensors back, in this order, each under its name.

        A name is the keyword (``b.output(main=x)``), or what :meth:`Flow.named` gave, or
        ``output``. Those of ``training`` come in training mode alone.
        """
        span = find_span("output")
        for flow in flows:
            data = self._context.graph.nodes[self._own(flow, span).source.node]
            given = data["names"][flow._ref.source.output :][:1]
            self._give((*given, "")[0] or "output", flow, training, span)
        for name, flow in named.items():
            self._give(name, flow, training, span)

    def graph(self) -> Graph:
        """The network as a ``networkx.MultiDiGraph``, to check, to edit and to compile.

        Where no output was named, the last tensor is the only one. What is built further
        does not change it.
        """
        built = self._context.graph
        graph: Graph = built.copy()
        graph.graph["scopes"] = dict(built.graph["scopes"])
        graph.graph["conditions"] = list(built.graph["conditions"])
        given = [n for n in outputs(graph) if not graph.nodes[n]["args"].get("training")]
        if not given:
            if self._last is None:
                message = f"the network {self.name} computes nothing"
                raise ArchError([Diagnostic("no-output", message, find_span("graph"))])
            _add_output(graph, "output", self._last, False, None)
        return graph

    # Structure ----------------------------------------------------------------------

    def block(self, name: str | None = None, *, of: str | None = None, **arguments: Any) -> Part:
        """A module whose members are named as in a block: ``conv1``, ``bn1``.

        ``of`` is what it is a block of, which names its class in the source, and itself
        where it has no name: ``with b.block(of="bottleneck"): …``.
        """
        return self._part("block", name, of, arguments, {}, "", find_span("block"))

    def sequence(self, name: str | None = None) -> Part:
        """A module whose members are numbered, as in ``nn.Sequential``."""
        return self._part("group", name, None, {}, {}, "", find_span("sequence"))

    @property
    def nn(self) -> ForeignBuilder:
        """Any module of ``torch.nn`` that takes one tensor: ``b.nn.Hardswish()``."""
        return ForeignBuilder(self)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Any]:
            if name.startswith("_"):
                raise AttributeError(name)
            written, cls = name, _find(name)

            def make(*arguments: Any, name: str | None = None, **more: Any) -> Any:
                if cls.variadic or cls.source:
                    return self._apply(cls, written, None, arguments, more, name)
                return self._module(cls, written, arguments, more, name)

            return _Method(cls, make)

        def __dir__(self) -> list[str]:
            return sorted({*object.__dir__(self), *_layer_names(source=True)})

    # Behind the scenes --------------------------------------------------------------

    @property
    def _frame(self) -> Frame:
        return self._frames[-1]

    def _apply(
        self,
        cls: type[Op],
        written: str,
        it: Flow | None,
        arguments: tuple[Any, ...],
        more: Mapping[str, Any],
        name: str | None,
    ) -> Flow:
        """A layer on a tensor, as a module of its own in the scope that is open."""
        span = find_span(written)
        frame = self._frame
        state = frame.count, frame.counts.get(written, 0)
        path = self._claim(written, name, span)
        before = () if it is None else (it,)
        try:
            layer = self._bind(cls, arguments, more, span)
            return self._run(layer, before, {}, path, span, frame=frame, labelled=name is not None)
        except ArchError:
            frame.count, frame.counts[written] = state
            frame.used.pop(path.rpartition(".")[2], None)
            raise

    def _module(
        self,
        cls: type[Op],
        written: str,
        arguments: tuple[Any, ...],
        more: Mapping[str, Any],
        name: str | None,
    ) -> Module:
        span = find_span(written)
        for value in (*arguments, *more.values()):
            if isinstance(value, Flow):
                message = f"b.{written}(…) makes a module, and takes no tensor"
                help = f"x.{written}(…), or b.{written}(…)(x) to run it again"
                raise ArchError([Diagnostic("bad-argument", message, span, help=help)])
        layer = self._bind(cls, arguments, more, span)
        return Module(self, layer, self._claim(written, name, span), name is not None)

    def _claim(self, written: str, name: str | None, span: Span) -> str:
        if name is not None:
            _check_name(name, span, "a module")
        try:
            return self._frame.claim(written, span, name)
        except Stop as stop:
            problem = stop.diagnostic
            if problem.code == "duplicate-name":
                help = "a module that runs twice is kept: tower = b.conv(…); tower(x), tower(y)"
                problem = replace(problem, help=help)
            raise ArchError([problem]) from None

    def _bind(
        self, cls: type[Op], arguments: Sequence[Any], more: Mapping[str, Any], span: Span
    ) -> LayerValue:
        positional = tuple(
            Bound(self._value(v, span), span, self._written_as(v, span)) for v in arguments
        )
        optional = cls.inputs[len(cls.inputs) - cls.optional_inputs :]
        named = {
            k: Bound(self._value(v, span), span, self._written_as(v, span))
            for k, v in more.items()
            if not (v is None and k in optional)
        }
        return LayerValue(cls, positional, named)

    def _run(
        self,
        layer: LayerValue,
        inputs: Sequence[Flow],
        more: Mapping[str, Flow],
        path: str,
        span: Span,
        *,
        frame: Frame,
        labelled: bool,
    ) -> Flow:
        refs = [Bound(self._own(f, span), span) for f in inputs]
        named = {k: Bound(self._own(f, span), span) for k, f in more.items()}
        target = layer.target
        assert isinstance(target, type)
        many = target.variadic or len(target.inputs) > 1
        if len(refs) > 1 and not many:
            message = f"{layer.name} takes one tensor, not {len(refs)}"
            raise ArchError([Diagnostic("wrong-inputs", message, span)])
        it = refs[0].value if refs and not many else None
        positional = (*(refs if many else ()), *layer.positional)
        complete = LayerValue(target, positional, {**layer.named, **named})
        env = Env()
        for bound in (*positional, *complete.named.values()):
            if isinstance(bound.expression, ast.Name):
                env.hints[bound.expression.id] = bound.expression
        try:
            found = run_layer(self._context, complete, Site(it, env, frame, path, span, labelled))
        except Stop as stop:
            self._context.report(stop.diagnostic)
            raise
        except TooLarge as stop:
            raise ArchError([stop.diagnostic]) from None
        self._last = found[0]
        return Flow(self, found)

    def _own(self, flow: object, span: Span) -> TensorRef:
        if not isinstance(flow, Flow):
            message = f"a tensor of the builder is needed here, not {flow!r}"
            raise ArchError([Diagnostic("bad-argument", message, span)])
        if flow.builder is not self:
            message = f"the tensor {flow._ref.source.node} belongs to another builder"
            raise ArchError([Diagnostic("bad-argument", message, span)])
        return flow._ref

    def _value(self, value: Any, span: Span) -> Any:
        """An argument as the language has it."""
        if isinstance(value, Flow):
            return self._own(value, span)
        if isinstance(value, (tuple, list)):
            return tuple(self._value(v, span) for v in value)
        if hasattr(value, "__index__") and not isinstance(value, int):
            return operator.index(value)  # numpy's whole numbers
        return int(value) if isinstance(value, _Given) else value

    def _give(self, name: str, flow: Flow, training: bool, span: Span) -> None:
        ref = self._own(flow, span)
        _check_name(name, span, "an output")
        graph = self._context.graph
        if name in {graph.nodes[n]["names"][0] for n in outputs(graph)}:
            help = 'b.output(main=x, aux=y), or x.named("main")'
            message = f"the output {name} is named twice"
            raise ArchError([Diagnostic("duplicate-name", message, span, help=help)])
        if ref.known().batch != "free":
            message = f"the output {name} does not depend on any input"
            raise ArchError([Diagnostic("no-batch-axis", message, span)])
        _add_output(graph, name, ref, training, span)

    def _part(
        self,
        kind: str,
        name: str | None,
        of: str | None,
        arguments: Mapping[str, Any],
        defaults: Mapping[str, Any],
        doc: str,
        span: Span,
    ) -> Part:
        written = of or kind
        if of is not None:
            _check_name(of, span, "a block")
        path = self._claim(written, name, span)
        plain = {k: self._value(v, span) for k, v in arguments.items() if _is_plain(v)}
        hints = {k: self._written_as(v, span) for k, v in arguments.items()}
        scope = Scope(
            path,
            path,
            self._frame.id,
            kind,
            of or name or kind,
            numbered=kind == "group",
            arguments=plain,
            hints={k: v for k, v in hints.items() if v is not None},
            defaults=defaults,
            doc=doc,
            span=span,
        )
        shown = tuple(
            (k, plain[k] if k in plain else getattr(v, "__name__", type(v).__name__))
            for k, v in arguments.items()
        )
        call = BlockCall(of, shown, span, path) if of is not None else None
        return Part(self, scope, call)

    def _enter(self, scope: Scope, outer: Frame, call: BlockCall | None, *, replay: bool) -> None:
        self._frames.append(self._context.enter(scope, outer, replay=replay))
        if scope.kind == "block":
            self._calls.append(call)
        if call is not None:
            self._context.calls = (*self._context.calls, call)

    def _leave(self, scope: Scope, call: BlockCall | None) -> None:
        self._frames.pop()
        if scope.kind == "block":
            self._calls.pop()
        if call is not None:
            self._context.calls = self._context.calls[:-1]

    def _written_as(self, value: object, span: Span) -> ast.Name | None:
        """The parameter of the block being built that a value is, for the source."""
        if isinstance(value, _Given) and self._calls and value.call is self._calls[-1]:
            return ast.Name(span, value.parameter)
        return None


class ForeignBuilder:
    """The modules of ``torch.nn`` as methods of a builder."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def __getattr__(self, name: str) -> Callable[..., Module]:
        if name.startswith("__"):
            raise AttributeError(name)
        builder, torch_name, written, cls = self._builder, name, name.lower(), _find("nn")

        def make(*arguments: Any, name: str | None = None, **more: Any) -> Module:
            given = (torch_name, *arguments)
            return builder._module(cls, written, given, more, name)

        return make


class Block(Generic[P, R]):
    """A function that builds a part of a network: each call is a module of its own."""

    def __init__(self, function: Callable[P, R]) -> None:
        self.function = function
        self.name = function.__name__
        self._signature = inspect.signature(function)
        functools.update_wrapper(self, function)

    def __call__(self, *arguments: P.args, **more: P.kwargs) -> R:
        """The block on tensors, with its arguments; numbered or counted: ``basic1``."""
        return self._run(None, arguments, more)

    def named(self, name: str) -> Callable[P, R]:
        """The block under a name: ``basic.named("stem")(x, 64)``."""

        def run(*arguments: P.args, **more: P.kwargs) -> R:
            return self._run(name, arguments, more)

        return run

    def _run(self, name: str | None, arguments: Any, more: Any) -> R:
        span = find_span(self.name)
        given = [*arguments, *more.values()]
        builder = next((v.builder for v in given if isinstance(v, Flow)), None)
        if builder is None:
            message = f"the block {self.name} needs a tensor among its arguments"
            raise ArchError([Diagnostic("no-tensor", message, span)])
        bound = self._signature.bind(*arguments, **more)
        bound.apply_defaults()
        values = {k: v for k, v in bound.arguments.items() if not isinstance(v, Flow)}
        defaults = {
            k: p.default for k, p in self._signature.parameters.items() if _is_plain(p.default)
        }
        doc = inspect.getdoc(self.function) or ""
        part = builder._part("block", name, self.name, values, defaults, doc, span)
        for key, value in values.items():
            if type(value) is int or isinstance(value, _Given):
                bound.arguments[key] = _Given(value, key, part.call)
        with part:
            return self.function(*bound.args, **bound.kwargs)


def block(function: Callable[P, R]) -> Block[P, R]:
    """Make a block of a function from tensors to tensors.

    Each call is a module with the function's name, and calls that build the same share one
    class in the source::

        @archdsl.block
        def basic(x: Flow, width: int, stride: int = 1) -> Flow:
            y = x.conv(width, 3, stride, padding=1, bias=False).bn().relu()
            return (x + y.conv(width, 3, padding=1, bias=False).bn()).relu()
    """
    return Block(function)


class _Given(int):
    """A number that was given to a block: the source can name it by its parameter."""

    parameter: str
    call: object

    def __new__(cls, value: int, parameter: str, call: object) -> _Given:  # noqa: PYI034 - as above
        made = super().__new__(cls, value)
        made.parameter, made.call = parameter, call
        return made


class _Context(Context):
    """An elaboration whose mistakes are raised where they are made."""

    def report(self, diagnostic: Diagnostic) -> None:
        if diagnostic.severity == "error":
            calls = tuple(str(call) for call in reversed(self.calls))
            raise ArchError([diagnostic.with_calls(calls)]) from None


class _Method:
    """A layer as a method, with the layer's own documentation."""

    def __init__(self, cls: type[Op], run: Callable[..., Any]) -> None:
        self.__doc__ = cls.__doc__
        self.__name__ = cls.name
        self._form = ops.op.call_form(cls)
        self._run = run

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        return self._run(*arguments, **more)

    def __repr__(self) -> str:
        return f"<layer {self._form}>"


def _add_output(graph: Graph, name: str, ref: TensorRef, training: bool, span: Span | None) -> None:
    node, number = name, 1
    while node in graph:
        node = f"{name} output" if number == 1 else f"{name} output {number}"
        number += 1
    tensor = ref.known()
    data: dict[str, Any] = {
        "op": "output",
        "args": Output(training).arguments,
        "shape": tensor.dims,
        "types": (tensor,),
        "path": node,
        "scope": "",
        "span": span,
        "calls": (),
        "names": (name,),
        "labelled": False,
        "hints": {},
        "loop": None,
    }
    graph.add_node(node, **data)
    connect(graph, node, [ref.source])


def _find(name: str) -> type[Op]:
    cls = ops.find_public(name)
    if cls is not None:
        return cls
    meant = suggest(name, ops.names())
    help = f"did you mean {meant}?" if meant else "@archdsl.layer registers one of your own"
    message = f"there is no layer {name}"
    raise UnknownLayer([Diagnostic("unknown-layer", message, find_span(name), help=help)])


def _layer_names(*, source: bool) -> Iterator[str]:
    for name in ops.names():
        cls = ops.find(name)
        if cls is not None and name.isidentifier() and (source or not cls.source):
            yield name


def _check_name(name: object, span: Span, what: str) -> None:
    if isinstance(name, str) and name.isidentifier() and name.isascii():
        return
    message = f"{name!r} is no name for {what}: letters, digits and underscores, no digit first"
    raise ArchError([Diagnostic("bad-value", message, span)])


def _size(size: object, span: Span) -> Any:
    if not isinstance(size, str):
        return operator.index(size) if hasattr(size, "__index__") else size
    if size.isidentifier() and size[0].isupper():
        return symbol(size)
    message = f"a size is a number, or a capital name for a free one, not {size!r}"
    raise ArchError(
        [Diagnostic("bad-value", message, span, help='as in b.input("image", 3, "H", "W")')]
    )


def _is_plain(value: object) -> bool:
    if isinstance(value, (tuple, list)):
        return all(_is_plain(v) for v in value)
    return value is None or isinstance(value, (bool, int, float, str))


__all__ = ["Block", "Builder", "Flow", "Module", "Part", "UnknownLayer", "block"]
