"""What an elaboration carries along: the graph that grows, the messages, the limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archdsl.conditions import Condition
from archdsl.diagnostics import Diagnostic, Label, Span
from archdsl.elaborate.bounds import Budget
from archdsl.elaborate.memory import Memory
from archdsl.elaborate.scopes import Frame
from archdsl.elaborate.values import UNKNOWN_TENSOR, Env, Poisoned, Stop, TensorRef
from archdsl.graph import Graph, Scope, Source, UNetPlace, Wiring, connect, new_graph
from archdsl.ops.arguments import OpError
from archdsl.ops.op import Op, Outcome, outcome, show_value
from archdsl.records import record, replace
from archdsl.syntax import ast

MOST_NODES = 150_000
DEEPEST_CALL = 50
_MOST_CALLS = 6  # of a chain, in a message
_LONGEST_PATH = 60
_DEEPEST_SHOWN = 2  # lists in lists, in a message


@record(frozen=True)
class BlockCall:
    """A call of a block, as an error names it."""

    name: str
    arguments: tuple[tuple[str | None, Any], ...]
    span: Span | None
    path: str
    verb: str = "called"

    def __str__(self) -> str:
        shown = ", ".join(
            show_argument(v) if k is None else f"{k} = {show_argument(v)}"
            for k, v in self.arguments
        )
        where = f", {self.verb} from {self.span}" if self.span else ""
        path = self.path
        if len(path) > _LONGEST_PATH:
            path = f"{path[: _LONGEST_PATH // 2]}…{path[-_LONGEST_PATH // 2 :]}"
        return (
            f"{self.name}({shown}){where} at {path}" if shown else f"{self.name}{where} at {path}"
        )


def _shown_calls(calls: Sequence[BlockCall]) -> tuple[str, ...]:
    """A chain of calls, innermost first; the middle of a long one left out."""
    shown = [str(call) for call in reversed(calls)]
    if len(shown) > _MOST_CALLS:
        left_out = len(shown) - _MOST_CALLS + 1
        shown[_MOST_CALLS - 2 : -1] = [f"… {left_out} calls more …"]
    return tuple(shown)


def show_argument(value: Any, depth: int = 0) -> str:
    """An argument as the language writes it; a layer by its name, long or deep lists cut."""
    if isinstance(value, (list, tuple)):
        if depth > _DEEPEST_SHOWN:
            return "[…]" if isinstance(value, list) else "(…)"
        shown = [show_argument(v, depth + 1) for v in value[:6]] + ["…"] * (len(value) > 6)
        text = ", ".join(shown)[:100]
        return f"[{text}]" if isinstance(value, list) else f"({text})"
    if isinstance(value, TensorRef):
        return str(value.type) if value.type else "a tensor"
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else show_value(value)


@dataclass(eq=False, repr=False)
class Module:
    """A module built so far: what it is, and the shapes of its parameters."""

    outcome: Outcome
    span: Span | None

    @property
    def op(self) -> Op:
        return self.outcome.op

    @property
    def weights(self) -> Mapping[str, tuple[int, ...]]:
        return self.outcome.weights


@record(frozen=True)
class Visit:
    """A module run again from inside another one that it is no part of."""

    name: str
    nodes: tuple[str, ...]
    inside: str
    """The scope that it was run from."""
    outside: str
    """The scope that it stands in."""
    span: Span


@dataclass(eq=False, repr=False)
class Context:
    """One elaboration: a network with its parameters, on its way to a graph."""

    name: str
    run_body: Callable[[Context, ast.Body, Env, Frame], TensorRef | None]
    budget: Budget = field(default_factory=Budget)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    reports: int = 0
    """How often something was reported: the same mistake twice is one diagnostic."""
    modules: dict[str, Module] = field(default_factory=dict)
    nested: dict[tuple[str, int | str], str] = field(default_factory=dict)
    calls: tuple[BlockCall, ...] = ()
    depth: int = 0
    loop: str | None = None
    unet: UNetPlace | None = None
    unets: int = 0
    again: Span | None = None
    visits: list[Visit] = field(default_factory=list)
    poisoned: bool = False
    argument_spans: dict[str, Mapping[str, Span]] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    wiring: Wiring = field(init=False)
    graph: Graph = field(init=False)
    _reported: set[tuple[Any, ...]] = field(default_factory=set)
    ids: dict[str, int] = field(default_factory=dict)
    scopes: dict[str, Scope] = field(init=False)
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        self.graph = new_graph(self.name)
        self.scopes = self.graph.graph["scopes"]
        self.wiring = Wiring(self.graph, self.outcomes)

    @property
    def conditions(self) -> list[Condition]:
        found: list[Condition] = self.graph.graph["conditions"]
        return found

    # Messages ---------------------------------------------------------------------

    def report(self, diagnostic: Diagnostic) -> None:
        """Keep a message; the same mistake met again (in a loop, another call) is one."""
        self.reports += 1
        span = diagnostic.span
        key = (diagnostic.code, span.source.name, span.start, span.end) if span else (diagnostic,)
        if key in self._reported:
            return
        self._reported.add(key)
        self.diagnostics.append(diagnostic.with_calls(_shown_calls(self.calls)))

    @property
    def failed(self) -> bool:
        """Whether a mistake was met, in this network or in a constant that it uses."""
        return self.poisoned or any(d.severity == "error" for d in self.diagnostics)

    def warn(
        self, code: str, message: str, span: Span | None, *, text: str = "", help: str = ""
    ) -> None:
        self.report(Diagnostic(code, message, span, text, help=help, severity="warning"))

    # Names ------------------------------------------------------------------------

    def bind(self, env: Env, name: str, value: Any, span: Span | None) -> None:
        """Bind a name in a body, with a warning where it hides one further out."""
        outer = env.parent
        if outer is not None and name not in env.names and outer.binds(name):
            self.warn(
                "shadowed-name",
                f"{name} hides another {name} further out",
                span,
                text="from here on this one is meant",
                help="give it another name",
            )
        env.names[name] = value
        env.inner[name] = span

    def unique(self, path: str) -> str:
        """A node or scope id for a path: the path itself, then ``path#2``, ``path#3`` …."""
        number = self.ids.get(path, 0) + 1
        self.ids[path] = number
        return path if number == 1 else f"{path}#{number}"

    # The graph --------------------------------------------------------------------

    def enter(self, scope: Scope, frame: Frame, *, replay: bool = False) -> Frame:
        """A new frame for a module call inside ``frame``."""
        known = self.scopes
        self._bound_size(scope.span)
        identifier = scope.path
        number = 1
        while identifier in known:
            number += 1
            identifier = f"{scope.path}#{number}"
        if (scope.id, scope.parent, scope.loop) != (identifier, frame.id, self.loop):
            scope = replace(scope, id=identifier, parent=frame.id, loop=self.loop)
        known[identifier] = scope
        return Frame(identifier, scope.path, scope.numbered, replay=replay or frame.replay)

    def describe(self, frame: Frame, **facts: Any) -> None:
        """Say more of a module call whose frame was entered."""
        self.scopes[frame.id] = replace(self.scopes[frame.id], **facts)

    def add(
        self,
        op: Op,
        inputs: Sequence[TensorRef],
        frame: Frame,
        path: str,
        span: Span | None,
        *,
        labelled: bool = False,
        hints: Mapping[str, ast.Expr] | None = None,
        argument_spans: Mapping[str, Span] | None = None,
        error: Callable[[OpError], Diagnostic] | None = None,
        reason: str = "",
    ) -> list[TensorRef]:
        """A node for a layer on its inputs; its outputs, unknown where a mistake is reported."""
        if any(i.type is None for i in inputs):
            return [UNKNOWN_TENSOR] * max(1, len(op.outputs))
        try:
            found = outcome(op, tuple(i.known() for i in inputs))
        except OpError as problem:
            self.report(
                error(problem) if error else self.op_diagnostic(problem, span, argument_spans or {})
            )
            return [UNKNOWN_TENSOR] * max(1, len(op.outputs))
        outputs = found.outputs
        if not self._remember(path, found, span):
            return [UNKNOWN_TENSOR] * max(1, len(outputs))
        self.conditions.extend(
            replace(c, reason=reason or c.reason, span=span) for c in found.conditions
        )
        node = self._node(path, span)
        data: dict[str, Any] = {
            "op": op.name,
            "args": op.arguments,
            "shape": outputs[0].dims,
            "types": outputs,
            "path": path,
            "scope": frame.id,
            "span": span,
            "calls": self.calls,
            "names": (),
            "labelled": labelled,
            "hints": hints or {},
            "loop": self.loop,
        }
        if self.unet is not None:
            data["unet"] = self.unet
        self.graph.add_node(node, **data)
        self.argument_spans[node] = argument_spans or {}
        self.outcomes[node] = found
        connect(self.graph, node, [i.source for i in inputs])
        return [TensorRef(Source(node, i), t) for i, t in enumerate(outputs)]

    def _node(self, path: str, span: Span | None) -> str:
        self._bound_size(span)
        return self.unique(path)

    def _bound_size(self, span: Span | None) -> None:
        if len(self.graph) + len(self.scopes) < MOST_NODES:
            return
        raise TooLarge(
            Diagnostic(
                "too-large",
                f"the network has more than {MOST_NODES:,} layers and blocks",
                span=span,
                text="stopped here",
                help="look for a count that is larger than it was meant to be",
            )
        )

    def _remember(self, path: str, found: Outcome, span: Span | None) -> bool:
        """Keep a module by its path; one that runs again must fit the weights it has."""
        known = self.modules.get(path)
        if known is None:
            self.modules[path] = Module(found, span)
            return True
        what = known.outcome.misfit(found)
        if not what:
            return True
        self.report(
            Diagnostic(
                "shared-mismatch",
                f"the module {path} runs again on something that it does not fit",
                span=self.again or span,
                text=what,
                labels=(Label(known.span, "built here"),)
                if known.span and known.span != (self.again or span)
                else (),
                help="shared weights need inputs with the same channels or features",
            )
        )
        return False

    def op_diagnostic(
        self, problem: OpError, span: Span | None, argument_spans: Mapping[str, Span]
    ) -> Diagnostic:
        """An error of a layer, at the argument that it names."""
        place = argument_spans.get(problem.argument or "", span)
        return Diagnostic(problem.code, problem.message, place, problem.text, help=problem.help)

    def refuse(self, stop: Stop) -> None:
        """Report what stopped a stage; past a limit of the expansion, stop altogether."""
        self.report(stop.diagnostic)
        if stop.diagnostic.code in ("too-large", "too-deep", "recursion"):
            raise TooLarge(stop.diagnostic) from None

    # Guards -----------------------------------------------------------------------

    def attempt(self, action: Callable[..., TensorRef | None], *given: Any) -> TensorRef | None:
        """Run a stage; a mistake in it is reported, and what it gives is unknown."""
        try:
            return action(*given)
        except TooLarge:
            raise
        except Stop as stop:
            self.refuse(stop)
        except Poisoned:
            self.poisoned = True
        return UNKNOWN_TENSOR


class TooLarge(Exception):
    """The expansion passed a limit: nothing more is worth doing."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic
