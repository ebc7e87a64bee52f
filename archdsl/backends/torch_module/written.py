"""The class of a network: its source, written and executed once while the graph stays the same."""

from __future__ import annotations

import copyreg
import dataclasses
import functools
import hashlib
import io
import linecache
import pickle
import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import PurePath
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import nn

from archdsl.backends.torch_source import Generated, generate
from archdsl.graph import Graph
from archdsl.ops.op import registered
from archdsl.passes.shapes import infer_shapes

if TYPE_CHECKING:
    from archdsl.backends.torch_module.skeleton import Skeleton

PACKAGE = "archdsl_generated"


@dataclass
class Written:
    """A network's class."""

    cls: type[nn.Module]
    kept: bool = False
    """Whether the next module of the same graph is made from this."""
    skeleton: Skeleton | None = None
    """What a module without its tensors is made from, once there was one."""


def written_network(
    graph: Graph, *, checked: bool, inplace: bool = False, traced: bool = False
) -> Written:
    """The class of a graph's network, whose types are known if it is ``checked``."""
    content = fingerprint(graph, checked=checked)
    digest = None if content is None else (content, inplace, traced)
    known = _KEPT.get(digest) if digest else None
    if known is None:
        network = graph if checked else infer_shapes(graph)
        name = str(network.graph.get("name") or "network")
        cls = load_source(generate(network, inplace=inplace, traced=traced), name)
        known = Written(cls, kept=digest is not None)
        if digest:
            _KEPT.put(digest, known)
    return known


def load_source(generated: Generated, name: str) -> type[nn.Module]:
    """Execute generated source and give the network's class.

    The source is kept where tracebacks, ``inspect.getsource`` and ``pickle`` in this process
    find it. The same source gives the same class again.
    """
    digest = hashlib.sha256(generated.text.encode()).hexdigest()[:12]
    if PACKAGE not in sys.modules:  # pickle imports it on the way to what is in it
        sys.modules[PACKAGE] = ModuleType(PACKAGE)
        sys.modules[PACKAGE].__path__ = []
    module_name = f"{PACKAGE}.{name}_{digest}"
    known = sys.modules.get(module_name)
    if known is None:
        filename = f"<archdsl {name} {digest}>"
        known = ModuleType(module_name)
        known.__file__ = filename
        lines = generated.text.splitlines(keepends=True)
        linecache.cache[filename] = (len(generated.text), None, lines, filename)
        sys.modules[module_name] = known
        try:
            exec(compile(generated.text, filename, "exec"), known.__dict__)  # noqa: S102 - our own source
        except BaseException:
            del sys.modules[module_name]
            raise
    cls: type[nn.Module] = getattr(known, generated.class_name)
    return cls


# Whether a graph is the same ------------------------------------------------------------


def fingerprint(graph: Graph, *, checked: bool) -> bytes | None:
    """What tells a graph from every other whose source may differ; None where nothing can.

    Two graphs of the same fingerprint have the same nodes, edges and scopes in the same order, with
    the same attributes to the last type (``True`` is not ``1``), and come from the same text. It
    is taken anew at every call, for a graph may be edited in place.
    """
    if any(not cls.__module__.startswith("archdsl.") for cls in registered()):
        return None  # what a layer of the user's writes may hang on anything
    attributes = dict(graph.graph)
    if not checked:
        attributes.pop("vary", None)  # as the check does: the graph may no longer follow from it
    content = attributes, list(graph.nodes(data=True)), list(graph.edges(keys=True, data=True))
    written = io.BytesIO()
    try:
        _Exact(written, pickle.HIGHEST_PROTOCOL).dump(content)
    except Exception:  # noqa: BLE001 - whatever a value raises that is not to be pickled
        return None
    return hashlib.sha256(written.getbuffer()).digest()


class _Exact(pickle.Pickler):
    """Pickles plain values and the records of this package, which their pickles say all of."""

    def reducer_override(self, value: Any) -> Any:
        kind: Any = value if isinstance(value, type) else type(value)
        if issubclass(kind, PurePath):
            return NotImplemented
        if not kind.__module__.startswith("archdsl."):
            raise pickle.PicklingError(f"a {kind.__name__} may change where its pickle does not")
        state = getattr(value, "__dict__", {})
        names = _field_names(kind)
        if not names or len(state) == len(names) or kind is value:
            return NotImplemented
        # it keeps what was once worked out from its fields: that says nothing new
        return copyreg.__newobj__, (kind,), {name: state[name] for name in names}  # type: ignore[attr-defined]  # typeshed leaves it out


@functools.cache
def _field_names(kind: type) -> tuple[str, ...]:
    """The fields of a record; none of what is no record, or has no dictionary of its own."""
    if not dataclasses.is_dataclass(kind) or "__slots__" in vars(kind):
        return ()
    return tuple(field.name for field in dataclasses.fields(kind))


MOST_KEPT = 64
_Digest: TypeAlias = tuple[bytes, bool, bool]


class _Shelf:
    """The networks that were asked for last."""

    def __init__(self) -> None:
        self._networks: OrderedDict[_Digest, Written] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: _Digest) -> Written | None:
        with self._lock:
            known = self._networks.get(digest)
            if known is not None:
                self._networks.move_to_end(digest)
            return known

    def put(self, digest: _Digest, network: Written) -> None:
        with self._lock:
            self._networks[digest] = network
            if len(self._networks) > MOST_KEPT:
                self._networks.popitem(last=False)


_KEPT = _Shelf()
