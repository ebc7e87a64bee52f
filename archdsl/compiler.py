"""The pipeline on one screen: text, specification, graph, checks, source, module."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeGuard, cast

from archdsl.conditions import Solution
from archdsl.diagnostics import ArchError, Diagnostic, Source
from archdsl.elaborate.network import Elaborated
from archdsl.graph import Graph, Wiring
from archdsl.ops import foreign
from archdsl.ops.op import Tensor
from archdsl.passes.cost import Cost, count_cost
from archdsl.passes.shapes import (
    conditions_of,
    infer_shapes,
    input_types,
    output_types,
    training_outputs,
)
from archdsl.passes.structure import find_leftovers
from archdsl.records import record
from archdsl.specification import LARGEST_FILE, Specification, load, loads, read
from archdsl.syntax.parser import parse

if TYPE_CHECKING:
    from torch import Tensor as TorchTensor
    from torch import nn

    from archdsl.backends.dot import Layout
    from archdsl.backends.summary import Summary
    from archdsl.passes.differences import Comparison, Status
    from archdsl.picture import Picture, Style
    from archdsl.recipes import Recipe
    from archdsl.training.fit import Outcome
    from archdsl.training.runs import Trained

    class Compiled(nn.Module):
        """A compiled network, as a type checker sees it."""

        recipe: Recipe | None
        written: Written | None


Target: TypeAlias = "str | os.PathLike[str] | Graph | Specification"


@record(frozen=True)
class Report:
    """What a check found: the messages; of a sound network its sizes, and what they must meet."""

    name: str
    diagnostics: tuple[Diagnostic, ...] = ()
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    outputs: Mapping[str, Tensor] = field(default_factory=dict)
    conditions: Solution | None = None
    cost: Cost | None = None
    least_batch: int = 1
    in_training: tuple[str, ...] = ()
    """The outputs that there are in training alone."""

    @property
    def ok(self) -> bool:
        """Whether the network compiles and can be trained as the file says, for all warnings."""
        return not any(d.severity == "error" for d in self.diagnostics)

    def __bool__(self) -> bool:
        return self.ok


@record(frozen=True)
class Written:
    """Where a compiled network and its recipe were written, and what is wrong with the recipe."""

    folder: Path | None
    mistakes: tuple[Diagnostic, ...] = ()
    specification: Specification | None = None
    network: str = ""


def check(target: Target, /, **parameters: Any) -> Report:
    """Check a network, and say what is known of it before it runs.

    ``target`` is a graph, or ``"file.arch:network"``, or a specification with one network.
    Mistakes come as the report's diagnostics; ArchError is raised only where there is no
    network to look at (no such file, a syntax error).
    """
    found = _elaborate(target, parameters)
    if _is_graph(target):
        try:
            checked = infer_shapes(found.graph)
            found = Elaborated(checked, tuple(find_leftovers(checked)))
        except ArchError as error:
            found = Elaborated(found.graph, error.diagnostics)
    return report(found)


def report(found: Elaborated) -> Report:
    """What is known of a network that was elaborated, and of its training."""
    graph = found.graph
    name = str(graph.graph.get("name") or "network")
    if found.failed:
        return Report(name, found.diagnostics)
    from archdsl.passes.least_batch import least_batch  # checks alone ask for it

    origin = graph.graph.get("vary")
    wiring = found.wiring or Wiring(graph)
    of_training = origin.specification.check_training(graph) if origin else ()
    return Report(
        name,
        (*found.diagnostics, *of_training),
        input_types(graph),
        output_types(graph),
        conditions_of(graph),
        count_cost(graph, wiring=wiring),
        least_batch(graph, wiring=wiring),
        training_outputs(graph),
    )


def graph(target: Target, /, **parameters: Any) -> Graph:
    """The checked graph of a network: a ``networkx.MultiDiGraph`` to read and to edit."""
    found = _elaborate(target, parameters)
    if found.failed:
        raise ArchError(found.diagnostics)
    return infer_shapes(found.graph) if _is_graph(target) else found.graph


def source(target: Target, /, *, inplace: bool = False, **parameters: Any) -> str:
    """The PyTorch source of a network, a file of its own that needs torch alone.

    ``inplace`` is that of :func:`compile`.
    """
    from archdsl.backends.torch_source import generate

    return generate(graph(target, **parameters), inplace=inplace).text


def compile(
    target: Target,
    /,
    *,
    weights: Mapping[str, TorchTensor] | str | os.PathLike[str] | None = None,
    inplace: bool = False,
    **parameters: Any,
) -> Compiled:
    """The network as an ``nn.Module``, made by executing its source.

    ``weights`` (a state_dict, or a file of one) takes the place of initialization; its tensors
    are copied. ``inplace`` lets activations write over what nobody else reads, as by
    ``nn.ReLU(inplace=True)``: the same outputs and gradients from less memory, but a hook on the
    layer before sees what the activation has made of its output.

    The source of the same network is written and executed once in a process. The module's
    ``recipe`` is what the file's train block says of it; None where there is none, or it has
    mistakes (:func:`recipe` says which).
    """
    from archdsl.backends.torch_module import make_module

    found = _elaborate(target, parameters)
    if found.failed:
        raise ArchError(found.diagnostics)
    checked = not _is_graph(target)
    module = make_module(found.graph, weights=weights, checked=checked, inplace=inplace)
    made = cast("Compiled", module)
    made.recipe, mistakes = _recipe(found.graph, checked=checked)
    made.written = _written(found.graph, mistakes)
    return made


def recipe(
    target: Target,
    name: str | None = None,
    /,
    *,
    settings: Mapping[str, object] | None = None,
    **parameters: Any,
) -> Recipe:
    """How a network is trained: its file's train block, checked, as a frozen record.

    ``name`` chooses among several blocks. ``settings`` take the place of the block's, written as
    there or as numbers: ``settings={"epochs": 5, "optimizer": "sgd(lr = 0.1)"}``; with a ``loss``
    among them no block is needed. Raises ArchError with every mistake.
    """
    found = _elaborate(target, parameters)
    if found.failed:
        raise ArchError(found.diagnostics)
    read, diagnostics = _recipe(found.graph, name, settings or {}, checked=not _is_graph(target))
    if read is not None:
        return read
    if diagnostics:
        raise ArchError(diagnostics)
    raise ArchError([_no_recipe(str(found.graph.graph.get("name") or "the network"))])


def fit(
    model: nn.Module | Target,
    data: object = None,
    *,
    recipe: Recipe | None = None,
    weights: nn.Module | Mapping[str, TorchTensor] | str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool | None = None,
    devices: int = 1,
    nodes: int = 1,
    strategy: Literal["auto", "ddp", "fsdp"] = "auto",
    accelerator: str = "auto",
) -> Outcome:
    """Train a compiled network, in place, as its recipe says. Needs ``archdsl[train]``.

    What :func:`compile` takes is compiled first, with weights by the recipe's seed; the outcome
    has the network.
    An ensemble and folds train others of its kind, and leave it as it is: the outcome has them.

    ``data`` is ``"digits"`` or another source of the language, tensors or arrays ``(x, y)``, a
    Dataset, DataLoaders, a pair or triple of either (training, validation, test), or a
    LightningDataModule; without it the recipe's. ``weights`` of another network, or a file of them,
    are taken as far as they match, and what did is told. Files that the recipe names lie beside
    the network's, those that are given here where Python stands. ``folder`` takes the results,
    which :func:`trained` opens where ``model`` is a file or a specification; with ``resume`` the
    run in it goes on, with ``overwrite`` it is written over. ``progress`` is False for silence.
    ``devices``, ``nodes``, ``strategy`` and ``accelerator`` are Lightning's. What else there
    is to set is a setting of the recipe, ``fit(target, recipe=recipe(target, settings={"epochs":
    5}))``, or a parameter of the network, ``fit(compile(target, depth=2))``. Raises ArchError.
    """
    fresh: Callable[[], nn.Module] | None = None
    by_text = isinstance(model, (str, os.PathLike, Specification))
    if isinstance(model, (str, os.PathLike, Specification)) or _is_graph(model):
        fresh = partial(compile, model)
        model = fresh()
    elif not hasattr(model, "state_dict") or isinstance(model, type):
        raise ArchError([_not_to_train(model)])
    network = cast("nn.Module", model)
    own: Recipe | None = getattr(network, "recipe", None)
    written: Written | None = getattr(network, "written", None)
    chosen = recipe if recipe is not None else own
    if chosen is None:
        mistakes = written.mistakes if written else ()
        raise ArchError(mistakes or [_no_recipe(type(network).__name__)])
    from archdsl.training.extras import need_extras

    need_extras(chosen)
    from archdsl.training.experiment import fit_model
    from archdsl.training.fit import Machine
    from archdsl.training.origin import Origin, origin_of

    origin = Origin()
    if folder is not None and by_text and written and written.specification:
        origin = origin_of(written.specification, written.network, chosen, own, data)
    machine = Machine(
        devices=devices,
        nodes=nodes,
        strategy=strategy,
        accelerator=accelerator,
        folder=Path(folder) if folder is not None else None,
        resume=resume,
        overwrite=overwrite,
        progress=progress,
        origin=origin,
    )
    root = written.folder if written else None
    return fit_model(network, data, chosen, weights, _tell, machine, root, fresh)


def trained(folder: str | os.PathLike[str], /) -> Trained:
    """What a run left in its folder: ``predict`` and ``evaluate``, and the ``network`` itself.

    With its weights, its recipe, the scale of its inputs and the names of its classes; of an
    ensemble, with all its members. Needs ``archdsl[train]``. Raises ArchError for a folder without
    a finished run of ``archdsl train``, or of :func:`fit` with a file or a specification.
    """
    from archdsl.training.extras import need_extras

    need_extras()
    from archdsl.training.runs import open_trained

    return open_trained(Path(folder))


def _not_to_train(model: object) -> Diagnostic:
    kind = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
    return Diagnostic(
        "bad-call",
        f"fit trains a network, and this is {kind}",
        help='fit(archdsl.compile("net.arch"), data), fit("net.arch", data), or any nn.Module with'
        " recipe=",
    )


def _tell(text: str) -> None:
    """A line for the person at the screen, apart from what a program prints."""
    sys.stderr.write(f"{text}\n")


def _no_recipe(network: str) -> Diagnostic:
    return Diagnostic(
        "no-recipe",
        f"nothing says how {network} is trained",
        help="give its file a train block: train for … { loss: cross_entropy }",
    )


def _written(graph: Graph, mistakes: tuple[Diagnostic, ...]) -> Written | None:
    origin = graph.graph.get("vary")
    if origin is None:
        return None
    path: Path | None = origin.specification.path
    folder = path.parent.absolute() if path is not None else None
    return Written(folder, mistakes, origin.specification, origin.network)


def _recipe(
    graph: Graph,
    name: str | None = None,
    settings: Mapping[str, object] | None = None,
    *,
    checked: bool,
) -> tuple[Recipe | None, tuple[Diagnostic, ...]]:
    """The recipe of a graph that was made from a file, and may have been edited since."""
    origin = graph.graph.get("vary")
    if origin is None:
        return None, ()
    specification: Specification = origin.specification
    if not settings and not specification.trains:
        return None, ()
    from archdsl.recipes.changes import read_changes

    own = graph if checked else infer_shapes(graph)
    return specification.recipe(own, name, read_changes(settings or {}, "settings"))


def onnx(
    target: Target,
    /,
    *,
    weights: Mapping[str, TorchTensor] | str | os.PathLike[str] | None = None,
    **parameters: Any,
) -> bytes:
    """The network as the bytes of an ONNX file. Needs the extra: ``pip install archdsl[onnx]``.

    ArchError for weights of more than 2 GB: those take :func:`write_onnx`.
    """
    from archdsl.backends.torch_export import export_onnx

    return export_onnx(graph(target, **parameters), weights=weights)


def write_onnx(
    target: Target,
    path: str | os.PathLike[str],
    /,
    *,
    weights: Mapping[str, TorchTensor] | str | os.PathLike[str] | None = None,
    **parameters: Any,
) -> None:
    """Write the network as an ONNX file, as :func:`onnx` makes it.

    Where the weights take more than 2 GB they lie beside it, in a file named like it with ``.data``
    behind. ArchError, code ``unwritable-file``, where that cannot be written.
    """
    from archdsl.backends import torch_export

    torch_export.write_onnx(graph(target, **parameters), path, weights=weights)


def optimize(
    model: nn.Module,
    example: TorchTensor | Sequence[object] | Mapping[str, object],
    *,
    freeze: bool = False,
    channels_last: bool | None = None,
) -> nn.Module:
    """A faster copy of a module for inference, whose outputs are those of ``model.eval()``.

    ``example`` is an input that the module takes (several: a tuple, or a mapping of their names);
    inputs of other sizes work as before. Batch norms are folded into the layers before them, what
    is idle in evaluation is left out, memory used again, and convolutions in 2-D run channels-last
    where that helps (``channels_last`` says whether). ``freeze`` compiles with ``torch.compile``
    too, the weights as constants: it takes a C++ compiler, and minutes. The model stays as it is.
    ArchError if on the example an output would differ by more than 1e-4 of its largest number.
    """
    from archdsl.backends.torch_optimize import optimize_module

    return optimize_module(model, example, freeze=freeze, channels_last=channels_last)


def diff(a: Target, b: Target, /, *, sizes: Mapping[str, int] | None = None) -> Comparison:
    """What differs between two networks, and which weights of the first load into the second.

    ``sizes`` gives free sizes values, at which multiply-adds are then counted. One network at
    two settings: ``diff(graph(target), graph(target, classes=10))``.
    """
    from archdsl.passes.comparison import compare

    return compare(graph(a), graph(b), sizes)


def draw(
    target: Target,
    /,
    *,
    style: Style = "graph",
    depth: int | None = None,
    unfold: bool = False,
    only: str | None = None,
    theme: str = "auto",
    layout: Layout = "auto",
    sizes: Mapping[str, int] | None = None,
    before: Target | None = None,
) -> Picture:
    """A picture of a network: it shows itself in a notebook, and ``save("net.svg")`` writes it.

    ``style`` is ``"graph"``, layers and what flows between them, or ``"volume"``, feature maps as
    boxes to scale. ``depth`` is how many levels of blocks are open, as many as leave the picture
    readable unless given; ``unfold`` draws what repeats one by one, not as «×N»; ``only`` draws one
    part, by its path. ``theme`` is ``"light"``, ``"dark"`` or ``"auto"``. ``layout`` is ``"flow"``,
    from top to bottom, or ``"u"``; ``"auto"`` draws a ``unet`` as a U. ``sizes`` gives free sizes
    values.
    ``before`` is another network: the picture shows what was added, removed and changed since.
    Of a network with parameters: ``draw(graph(target, classes=10))``.
    """
    from archdsl.picture import Picture

    shown = graph(target)
    status: Mapping[str, Status] = {}
    if before is not None:
        from archdsl.passes.merged import merge_networks

        earlier = graph(before)
        merged = merge_networks(earlier, shown, diff(earlier, shown))
        shown, status = merged.graph, merged.status
    return Picture(
        shown,
        status=status,
        style=style,
        depth=depth,
        unfold=unfold,
        only=only,
        theme=theme,
        layout=layout,
        sizes=sizes or {},
    )


def summary(
    target: Target,
    /,
    *,
    depth: int | None = None,
    unfold: bool = False,
    only: str | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Summary:
    """The table of a network's layers: its ``str()`` is text, and a notebook shows it as a table.

    ``depth`` is how many levels of blocks are open, as many as a screen or two hold unless
    given; ``unfold`` gives what repeats a row each, instead of one «×N»; ``only`` is the path of
    the one module to show. Free sizes are counted at ``sizes``, those that it leaves out at usual
    values. Of a network with parameters: ``summary(graph(target, classes=10))``.
    """
    from archdsl.backends.summary import summarize
    from archdsl.passes.free_sizes import choose_sizes

    checked = graph(target)
    at = choose_sizes(checked, sizes)
    return summarize(checked, depth=depth, unfold=unfold, only=only, sizes=at)


def fmt(text: str | os.PathLike[str], name: str = "<text>") -> str:
    """A specification as canonical text: what it says, and its comments, stay as they are.

    ``text`` is a specification, or the path of one: a ``Path``, or a name that ends in ``.arch``.
    """
    from archdsl.syntax.printer import format_source

    if not isinstance(text, str) or (text.endswith(".arch") and "\n" not in text):
        name, text = str(text), read(Path(text))
    file = parse(Source(name, text))
    formatted = format_source(file)
    if parse(Source(name, formatted)) != file:
        raise RuntimeError(f"formatting {name} would change what it says")
    return formatted


def layers(name: str | None = None) -> str:
    """The reference page of a layer; without a name, all layers with a line on each."""
    from archdsl.reference import describe_layer, list_layers

    return list_layers() if name is None else describe_layer(name)


def new(name: str | None = None) -> str:
    """The text of a file of the zoo, by its name or a network's; without one, what there is."""
    from archdsl.zoo import find_in_zoo, list_zoo

    return list_zoo() if name is None else find_in_zoo(name).text


def _is_graph(target: object) -> TypeGuard[Graph]:
    """Whether a target is a graph; where nobody imported networkx, nothing is one."""
    networkx = sys.modules.get("networkx")
    return networkx is not None and isinstance(target, networkx.Graph)


def _elaborate(target: Target, parameters: Mapping[str, Any]) -> Elaborated:
    if _is_graph(target):
        if not (target.is_directed() and target.is_multigraph()):
            raise ArchError([Diagnostic("bad-graph", "a network is a networkx.MultiDiGraph")])
        if parameters:
            raise ArchError([Diagnostic("unknown-argument", "a graph has its parameters already")])
        return Elaborated(target, ())
    if isinstance(target, Specification):
        return target.elaborate(**parameters)
    if not isinstance(target, (str, os.PathLike)):
        kind = type(target).__name__
        raise TypeError(f"a network is a path, a Specification or a graph, and this is of {kind}")
    path, network = split_target(os.fspath(target))
    return open_specification(path).elaborate(network, **parameters)


def open_specification(path: str) -> Specification:
    """The specification at a path; ``-`` is standard input."""
    return loads(read_input(), "<stdin>") if path == "-" else load(path)


def read_input() -> str:
    """The text on standard input; ArchError where it is none."""
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        return sys.stdin.read() if sys.stdin else ""
    data: bytes = stream.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise ArchError([Diagnostic("too-large", "<stdin> is larger than 100 MB")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        message = f"<stdin> is not UTF-8 text (byte {problem.start})"
        raise ArchError([Diagnostic("unreadable-file", message)]) from None


def split_target(text: str) -> tuple[str, str | None]:
    """``FILE:NETWORK`` as its two parts; a colon of a drive letter is none."""
    head, colon, tail = text.rpartition(":")
    if not colon or (len(head) == 1 and head.isalpha()):
        return text, None
    named = tail.isidentifier() or head.endswith(".arch")
    return (head, tail) if named else (text, None)


def _ask_torch(*question: Any) -> Any:
    """What a module of torch.nn does to a shape; torch is imported when first asked."""
    from archdsl.backends import torch_probe

    return torch_probe.probe(*question)


foreign.set_probe(_ask_torch)

__all__ = [
    "Report",
    "check",
    "compile",
    "diff",
    "draw",
    "fit",
    "fmt",
    "graph",
    "layers",
    "load",
    "loads",
    "new",
    "onnx",
    "optimize",
    "recipe",
    "source",
    "summary",
    "trained",
]
