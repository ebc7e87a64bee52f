"""A block is expanded once for all its calls that are alike; the others add again what it added.

What a block does depends on its arguments and on the types of the tensors that come in, on
nothing else. So the nodes, scopes, modules and conditions of a call are kept, as they stand under
its path, and a call with the same arguments on the same types gets copies under its own. A
ResNet's networks share most of their blocks: a file of twenty-three is expanded in a fifth of the
time. A call that says anything, or reaches out of itself, is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

from archdsl.elaborate.alike import UnlikeError
from archdsl.elaborate.context import MOST_NODES, BlockCall, Context, Module
from archdsl.elaborate.scopes import Frame
from archdsl.elaborate.values import BlockDef, Env, TensorRef
from archdsl.graph import Scope, Source
from archdsl.ops.arguments import WeightRef
from archdsl.ops.op import Outcome, Tensor
from archdsl.records import replace

Origin: TypeAlias = "str | int"
"""Where a tensor comes from: a node under the block's path, or one of the tensors that came in."""

_T = TypeVar("_T")


class _Node(NamedTuple):
    """A node of a recorded call; ``data`` lacks what depends on where the block stands."""

    name: str
    path: str
    scope: str
    named_in: str | None
    calls: int
    data: dict[str, Any]
    inputs: tuple[tuple[Origin, int], ...]
    argument_spans: Mapping[str, Any]
    outcome: Outcome


class Recording(NamedTuple):
    """What a call of a block added, every name without the block's own path before it."""

    kept_alive: tuple[Any, ...]
    nodes: tuple[_Node, ...]
    calls: tuple[tuple[BlockCall, ...], ...]
    scopes: tuple[tuple[str, Scope, tuple[tuple[str, Origin, int], ...]], ...]
    modules: tuple[tuple[str, Module], ...]
    nested: tuple[tuple[str, int | str, str], ...]
    ids: tuple[tuple[str, int], ...]
    conditions: tuple[Any, ...]
    steps: int
    result: tuple[Origin, int, Tensor] | None
    outputs: tuple[tuple[Origin, int, Tensor], ...] | None
    lets: dict[str, Any]


class Call(NamedTuple):
    """A call of a block, about to run."""

    block: BlockDef
    env: Env
    frame: Frame
    arguments: Mapping[str, Any]
    key: Any
    """What calls with the same arguments have in common; None where there can be none."""
    inputs: Sequence[TensorRef]


def run_once(
    context: Context, call: Call, body: Callable[[], TensorRef | None]
) -> TensorRef | None:
    """What the body of a block gives: run, or added again where one like it was run before."""
    try:
        key = _key(context, call)
    except UnlikeError:
        return body()
    known = context.memory.recordings.get(key)
    if known is not None and _fits(context, known):
        return _Again(context, call, known).run()
    recorder = _Recorder(context, call)
    result = body()
    try:
        recording = recorder.recording(result)
    except UnlikeError:
        return result
    context.memory.keep(key, recording)
    return result


# What makes two calls alike -----------------------------------------------------------


def _key(context: Context, call: Call) -> Any:
    frame = call.frame
    if call.key is None or frame.replay or frame.id != frame.path or context.again is not None:
        raise UnlikeError
    if context.loop is not None or context.unet is not None:
        raise UnlikeError
    seen: dict[Source, int] = {}
    inputs = []
    for tensor in call.inputs:
        inputs.append((seen.setdefault(tensor.source, len(seen)), _known(tensor)))
    return (
        id(call.block.definition),
        context.depth,
        len(context.calls),
        call.key,
        call.env.it is not None,
        tuple(inputs),
    )


def _known(tensor: TensorRef) -> Tensor:
    if tensor.type is None:
        raise UnlikeError
    return tensor.type


# What a call added --------------------------------------------------------------------


class _Recorder:
    """Remembers where everything stood before a call, and tells afterwards what it added."""

    def __init__(self, context: Context, call: Call) -> None:
        self.context = context
        self.call = call
        self.inside = (f"{call.frame.path}.", f"{call.frame.path}#")
        self.before = self._counts()
        self.outside = self._names_outside()
        self.steps = context.budget.steps
        self.state = (context.poisoned, context.reports, context.unets)

    def _counts(self) -> tuple[int, ...]:
        context = self.context
        return (
            len(context.argument_spans),
            len(context.scopes),
            len(context.modules),
            len(context.nested),
            len(context.conditions),
            len(context.visits),
        )

    def _names_outside(self) -> list[Any]:
        """What the tensors that come in are called: a block may name them too."""
        nodes = self.context.graph.nodes
        found = [nodes[t.source.node] for t in self.call.inputs]
        return [(data["names"], data.get("named_in")) for data in found]

    def recording(self, result: TensorRef | None) -> Recording:
        """What the call added; UnlikeError where that is not all that it did."""
        context, call, env = self.context, self.call, self.call.env
        nodes, scopes, modules, nested, conditions, visits = self.before
        state = (context.poisoned, context.reports, context.unets)
        if state != self.state or len(context.visits) != visits:
            raise UnlikeError
        if self._names_outside() != self.outside:
            raise UnlikeError
        calls: dict[int, int] = {}
        chains: list[tuple[BlockCall, ...]] = []
        added = []
        ids: dict[str, int] = {}
        for name in _latest(context.argument_spans, nodes):
            data = context.graph.nodes[name]
            chain = data["calls"]
            if id(chain) not in calls:
                calls[id(chain)] = len(chains)
                chains.append(tuple(self._below(c) for c in chain[len(context.calls) :]))
            node = self._node(name, data, calls[id(chain)])
            ids[node.path] = ids.get(node.path, 0) + 1
            added.append(node)
        return Recording(
            (call.block, call.arguments),
            tuple(added),
            tuple(chains),
            tuple(self._scope(context.scopes[i]) for i in _latest(context.scopes, scopes)),
            tuple((self._own(p), context.modules[p]) for p in _latest(context.modules, modules)),
            tuple(
                (self._own(path), which, self._own(context.nested[path, which]))
                for path, which in _latest(context.nested, nested)
            ),
            tuple(ids.items()),
            tuple(context.conditions[conditions:]),
            self.steps - context.budget.steps,
            None if result is None else self._tensor(result),
            None if env.outputs is None else tuple(self._tensor(t) for t in env.outputs),
            dict(env.lets),
        )

    def _own(self, name: str) -> str:
        """A name without the block's path; UnlikeError for what stands elsewhere."""
        path = self.call.frame.path
        if name != path and not name.startswith(self.inside):
            raise UnlikeError
        return name[len(path) :]

    def _origin(self, source: Source) -> Origin:
        for index, tensor in enumerate(self.call.inputs):
            if tensor.source == source:
                return index
        return self._own(source.node)

    def _tensor(self, tensor: TensorRef) -> tuple[Origin, int, Tensor]:
        return self._origin(tensor.source), tensor.source.output, _known(tensor)

    def _below(self, call: BlockCall) -> BlockCall:
        return replace(call, path=self._own(call.path))

    def _node(self, name: str, data: Mapping[str, Any], calls: int) -> _Node:
        if data["loop"] is not None or any(isinstance(v, WeightRef) for v in data["args"].values()):
            raise UnlikeError
        named_in = data.get("named_in")
        edges = sorted(
            (edge["input"], source, edge["output"])
            for source, _, edge in self.context.graph.in_edges(name, data=True)
        )
        return _Node(
            self._own(name),
            self._own(data["path"]),
            self._own(data["scope"]),
            None if named_in is None else self._own(named_in),
            calls,
            _copied(data),
            tuple((self._origin(Source(source, output)), output) for _, source, output in edges),
            self.context.argument_spans[name],
            self.context.outcomes[name],
        )

    def _scope(self, scope: Scope) -> tuple[str, Scope, tuple[tuple[str, Origin, int], ...]]:
        if scope.loop is not None or scope.parent is None:
            raise UnlikeError
        tensors = [*scope.inputs, *(("", source) for source in scope.outputs)]
        own = self._own
        mine = replace(scope, id=own(scope.id), path=own(scope.path), parent=own(scope.parent))
        found = [(name, self._origin(source), source.output) for name, source in tensors]
        return mine.id, mine, tuple(found)


def _copied(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a node says, in a copy that may be changed."""
    return {**data, "args": dict(data["args"]), "hints": dict(data["hints"])}


def _latest(found: Mapping[_T, Any], before: int) -> Iterator[_T]:
    """The keys that were added to a mapping since it had so many, in order."""
    backwards: Iterator[_T] = reversed(cast("dict[_T, Any]", found))
    return reversed(list(islice(backwards, len(found) - before)))


# The same again -----------------------------------------------------------------------


def _fits(context: Context, known: Recording) -> bool:
    """Whether no limit is met by adding so much; else the body runs, and says where."""
    size = len(context.graph) + len(context.scopes)
    more = len(known.nodes) + len(known.scopes)
    return size + more < MOST_NODES and context.budget.steps > known.steps


class _Again:
    """Adds what a recorded call added, under the path of another one."""

    def __init__(self, context: Context, call: Call, known: Recording) -> None:
        self.context = context
        self.call = call
        self.known = known
        self.path = call.frame.path

    def run(self) -> TensorRef | None:
        context, known, path, env = self.context, self.known, self.path, self.call.env
        context.budget.steps -= known.steps
        for _, scope, tensors in known.scopes:
            self._scope(scope, tensors)
        self._nodes()
        for name, module in known.modules:
            context.modules[path + name] = module
        for name, which, member in known.nested:
            context.nested[path + name, which] = path + member
        for name, number in known.ids:
            context.ids[path + name] = number
        context.conditions.extend(known.conditions)
        env.lets.update(known.lets)
        if known.outputs is not None:
            env.outputs = [self._tensor(*tensor) for tensor in known.outputs]
        return None if known.result is None else self._tensor(*known.result)

    def _source(self, origin: Origin, output: int) -> Source:
        if isinstance(origin, int):
            return self.call.inputs[origin].source
        return Source(self.path + origin, output)

    def _tensor(self, origin: Origin, output: int, type_: Tensor) -> TensorRef:
        return TensorRef(self._source(origin, output), type_)

    def _scope(self, scope: Scope, tensors: Sequence[tuple[str, Origin, int]]) -> None:
        sources = [(name, self._source(origin, output)) for name, origin, output in tensors]
        count = len(scope.inputs)
        identifier = self.path + scope.id
        self.context.scopes[identifier] = replace(
            scope,
            id=identifier,
            path=self.path + scope.path,
            parent=self.path + (scope.parent or ""),
            inputs=tuple(sources[:count]),
            outputs=tuple(source for _, source in sources[count:]),
        )

    def _nodes(self) -> None:
        context, path, graph = self.context, self.path, self.context.graph
        outer = context.calls
        chains = [
            (*outer, *(replace(call, path=path + call.path) for call in chain))
            for chain in self.known.calls
        ]
        nodes = graph.nodes
        for node in self.known.nodes:
            name = path + node.name
            graph.add_node(name)
            data = nodes[name]
            data.update(node.data)  # and then what is this node's own
            data["args"] = dict(node.data["args"])
            data["hints"] = dict(node.data["hints"])
            data["path"] = path + node.path
            data["scope"] = path + node.scope
            data["calls"] = chains[node.calls]
            if node.named_in is not None:
                data["named_in"] = path + node.named_in
            context.argument_spans[name] = node.argument_spans
            context.outcomes[name] = node.outcome
            for place, (origin, output) in enumerate(node.inputs):
                source = self._source(origin, output)
                graph.add_edge(source.node, name, key=place, input=place, output=source.output)
