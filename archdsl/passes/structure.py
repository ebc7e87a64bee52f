"""Structure: every node's module path, scope and loop settled, and what reaches no output."""

from __future__ import annotations

import keyword
from collections.abc import Iterator

from archdsl.diagnostics import ArchError, Diagnostic, suggest
from archdsl.elaborate.scopes import MODULE_ATTRIBUTES
from archdsl.graph import Graph, Scope, graph_error, live_nodes, scopes, walk_scopes
from archdsl.ops.op import find


def place_node(graph: Graph, node: str) -> None:
    """Give a node what it may lack: a module path, the scope that it stands in, its loop.

    A node without a path stands where its neighbours do; a path that leads elsewhere than
    the node's scope wins over it, and makes the scopes that it needs.
    Raises ArchError for a path, scope or loop that cannot be.
    """
    data = graph.nodes[node]
    known = scopes(graph)
    scope, path = data.get("scope"), data.get("path")
    if scope is not None and scope not in known:
        meant = suggest(str(scope), known)
        raise ArchError(
            [
                graph_error(
                    graph,
                    node,
                    f"the node stands in a scope {scope} that is not there",
                    help=f"did you mean {meant}?" if meant else "leave it out: the path decides",
                )
            ]
        )
    _place_in_loop(graph, node)
    if _is_end(graph, node):
        data.setdefault("scope", "")
        data.setdefault("path", node)
        return
    if path is None:
        scope = scope if scope is not None else _neighbouring_scope(graph, node)
        data["scope"], data["path"] = scope, _free_path(graph, known[scope].path, node)
    elif not isinstance(path, str) or not _is_path(path):
        message = f"{path!r} is no module path: names parted by dots, as in layer1.0.conv1"
        raise ArchError([graph_error(graph, node, message)])
    elif scope is None or path.rpartition(".")[0] != known[scope].path:
        data["scope"] = _scope_of_path(graph, path.rpartition(".")[0], data["loop"])
    _check_name(graph, node, data["path"].rpartition(".")[2])


def _is_end(graph: Graph, node: str) -> bool:
    """Whether a node is an end of the network or of a loop, which are no modules."""
    cls = find(graph.nodes[node].get("op") or "")
    return cls is not None and cls.internal


def _place_in_loop(graph: Graph, node: str) -> None:
    data = graph.nodes[node]
    if "loop" not in data:
        data["loop"] = None if _is_end(graph, node) else _neighbouring_loop(graph, node)
        return
    loop = data["loop"]
    if loop is not None and (loop not in graph or graph.nodes[loop].get("op") != "scan"):
        message = f"the node stands in the loop of {loop}, which is no scan"
        raise ArchError([graph_error(graph, node, message, help='"loop": None takes it out')])


def _neighbouring_loop(graph: Graph, node: str) -> str | None:
    """The innermost loop that what comes in stands in."""
    deepest: tuple[int, str | None] = (0, None)
    for before in graph.predecessors(node):
        data = graph.nodes[before]
        loop = before if data.get("op") == "scan" else data.get("loop")
        depth, outer = 0, loop
        while outer is not None:
            depth, outer = depth + 1, graph.nodes[outer].get("loop")
        deepest = max(deepest, (depth, loop), key=lambda found: found[0])
    return deepest[1]


def _neighbouring_scope(graph: Graph, node: str) -> str:
    """The innermost scope that a node's id leads into, or else that its neighbours share."""
    known = scopes(graph)
    prefix = node.rpartition(".")[0]
    while prefix:
        if prefix in known:
            return prefix
        prefix = prefix.rpartition(".")[0]
    chains = []
    for other in (*graph.predecessors(node), *graph.successors(node)):
        scope = graph.nodes[other].get("scope")
        if scope in known and not _is_end(graph, other):
            chains.append([s.id for s in walk_scopes(graph, scope)][::-1])
    shared = ""
    for column in zip(*chains):  # noqa: B905 - as deep as the shallowest
        if len(set(column)) > 1:
            break
        shared = column[0]
    return shared


def _free_path(graph: Graph, prefix: str, node: str) -> str:
    """A path for a node that has none: its id, in the scope that it stands in."""
    inside = not prefix or node.startswith(f"{prefix}.")
    wanted = node if inside else f"{prefix}.{node.replace('.', '_')}"
    if inside and "." in node[len(prefix) + 1 if prefix else 0 :]:
        head = f"{prefix}." if prefix else ""
        wanted = head + node[len(head) :].replace(".", "_")
    taken = {data.get("path") for _, data in graph.nodes(data=True)}
    path, number = wanted, 1
    while path in taken:
        number += 1
        path = f"{wanted}_{number}"
    return path


def _scope_of_path(graph: Graph, prefix: str, loop: str | None) -> str:
    """The scope at a path, made with those around it where it is not there."""
    known = scopes(graph)
    if prefix in known and known[prefix].path == prefix:
        return prefix
    for scope in known.values():
        if scope.path == prefix:
            return scope.id
    outer, _, name = prefix.rpartition(".")
    around = _scope_of_path(graph, outer, loop)
    known[prefix] = Scope(prefix, prefix, around, "group", name, loop=loop)
    return prefix


def _is_path(path: str) -> bool:
    return all(_is_name(part) or part.isdecimal() for part in path.split(".")) and path.isascii()


def _is_name(text: str) -> bool:
    return text.isidentifier() and text.isascii()


def _check_name(graph: Graph, node: str, name: str) -> None:
    if name.isdecimal():
        return
    if not _is_name(name):
        message = f"{name!r} is no name for a module: letters, digits and underscores"
        raise ArchError([graph_error(graph, node, message, help="give the node a path")])
    if name in MODULE_ATTRIBUTES or keyword.iskeyword(name) or name.startswith("__"):
        owner = "a Python keyword" if keyword.iskeyword(name) else "an attribute of nn.Module"
        message = f"a module cannot be called {name}, which is {owner}"
        raise ArchError([graph_error(graph, node, message, code="reserved-name")])


def check_nesting(graph: Graph) -> Iterator[Diagnostic]:
    """Errors of modules that cannot be one call, and of tensors that are not seen where used.

    What a module computes may not come back into it from outside; what a scan's body
    computes is seen inside it, and leaves it through the scan's end alone.
    """
    import networkx as nx  # the checks of a specification's own graph have no need of it

    known = scopes(graph)
    chains = {
        node: [s.id for s in walk_scopes(graph, data["scope"])][::-1]
        for node, data in graph.nodes(data=True)
    }
    calls: dict[str, nx.DiGraph[str]] = {}
    for before, after in dict.fromkeys(graph.edges()):
        if _loop_of_result(graph, before) not in _loops_seen(graph, after):
            message = f"{after} takes what {before} computes inside a scan, and stands outside"
            yield graph_error(graph, after, message, help="take it from the end of the scan")
            continue
        one, other = chains[before], chains[after]
        depth = 0
        while depth < min(len(one), len(other)) and one[depth] == other[depth]:
            depth += 1
        members = calls.setdefault(one[depth - 1], nx.DiGraph())
        source, target = (
            f"scope {chain[depth]}" if depth < len(chain) else f"node {node}"
            for chain, node in ((one, before), (other, after))
        )
        members.add_edge(source, target)
    for members in calls.values():
        if nx.is_directed_acyclic_graph(members):
            continue
        names = [origin for origin, _ in nx.find_cycle(members)]
        scope = next(known[n[6:]] for n in names if n.startswith("scope "))
        between = [n[5:] for n in names if n.startswith("node ")]
        node = between[0] if between else next(n for n, c in chains.items() if scope.id in c)
        message = f"the module {scope.path} cannot be one call: what it computes comes back into it"
        help = (
            f"give {node} a path inside {scope.path}" if between else "give the nodes other paths"
        )
        yield graph_error(graph, node, message, help=help)


def _loop_of_result(graph: Graph, node: str) -> str | None:
    """The loop inside which a node's outputs are seen."""
    data = graph.nodes[node]
    loop: str | None = node if data["op"] == "scan" else data["loop"]
    return loop


def _loops_seen(graph: Graph, node: str) -> list[str | None]:
    """The loops whose tensors a node sees: those around it, and the one that it ends."""
    data = graph.nodes[node]
    loop = data["args"].get("begin") if data["op"] == "scan end" else data["loop"]
    seen: list[str | None] = [None]
    while loop is not None and loop in graph:
        seen.append(loop)
        loop = graph.nodes[loop].get("loop")
    return seen


def find_leftovers(graph: Graph) -> Iterator[Diagnostic]:
    """Warnings of inputs that nothing uses, and of paths that reach no output."""
    alive = live_nodes(graph)
    for node, data in graph.nodes(data=True):
        if data["op"] == "input" and not any(after in alive for after in graph.successors(node)):
            yield Diagnostic(
                "unused-input",
                f"nothing uses the input {node}",
                data.get("span"),
                notes=(f"at node {node}",),
                help="leave it out, or feed it to a layer",
                severity="warning",
            )
        elif node not in alive and all(after in alive for after in graph.successors(node)):
            yield Diagnostic(
                "dead-path",
                f"what {data['path']} computes reaches no output",
                data.get("span"),
                "computed, and dropped",
                notes=(f"at node {node}",),
                help="merge it, give it an output node, or leave it out",
                severity="warning",
            )
