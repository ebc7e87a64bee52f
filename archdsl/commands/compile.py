"""``archdsl compile``: a network as PyTorch source, or as an ONNX file."""

from __future__ import annotations

import click

from archdsl.commands.examples import examples
from archdsl.commands.messages import CLEAN, SPECIFICATION_AT_FAULT, call_error, json_option, tell
from archdsl.commands.target import (
    checked_graph,
    complete_file,
    set_option,
    spare_the_specification,
)
from archdsl.graph import Graph
from archdsl.output import write_file


@click.command(
    "compile",
    epilog=examples(
        "archdsl compile resnet.arch:resnet50 -o resnet50.py",
        "archdsl compile unet.arch:unet_same --set classes=3 | less",
        "archdsl compile resnet.arch:resnet18 --format onnx -o resnet18.onnx",
    ),
)
@click.argument("target", shell_complete=complete_file, metavar="FILE[:NETWORK]")
@set_option
@click.option(
    "output", "-o", "--output", type=click.Path(), metavar="FILE", help="Where to write to."
)
@click.option(
    "form",
    "--format",
    type=click.Choice(["source", "onnx"]),
    default="source",
    show_default=True,
    help="PyTorch source, or an ONNX file (pip install 'archdsl[onnx]').",
)
@click.option(
    "--weights",
    type=click.Path(),
    metavar="FILE",
    help="For ONNX: the weights, a .safetensors file or what torch.save wrote of a state_dict."
    " Without them they are random.",
)
@click.option(
    "inplace",
    "--inplace",
    is_flag=True,
    help="Let activations write over what nobody else reads, as nn.ReLU(inplace=True) does: less"
    " memory, but a hook on the layer before sees what became of its output.",
)
@click.option(
    "training",
    "--with-training",
    is_flag=True,
    help="With the train block, as a script that trains the network on an .npz file."
    " It needs torch and lightning, and kornia where images are augmented.",
)
@click.option(
    "name",
    "--recipe",
    metavar="NAME",
    help="Which train block, for --with-training, where a network has several; else the one"
    " without a name.",
)
@json_option
def compile_command(
    target: str,
    settings: tuple[str, ...],
    output: str | None,
    form: str,
    weights: str | None,
    inplace: bool,
    training: bool,
    name: str | None,
) -> int:
    """Write a network as PyTorch source, or as an ONNX file.

    The source is a file of its own that needs torch alone; without -o it goes to standard
    output. In ONNX the batch and the free sizes stay open; weights of more than 2 GB lie
    beside the file, in FILE.data.
    """
    if training and form == "onnx":
        raise call_error("an ONNX file cannot train", help="leave out --with-training or --format")
    if form == "onnx" and output is None:
        raise call_error("ONNX is no text for a terminal", help="say where to: -o network.onnx")
    if form != "onnx" and weights is not None:
        raise call_error("source has no weights in it", help="--weights goes with --format onnx")
    if inplace and form == "onnx":
        raise call_error("an ONNX file knows no memory", help="--inplace is for PyTorch source")
    if name is not None and not training:
        raise call_error("--recipe chooses a train block", help="it goes with --with-training")
    if output is not None and output != "-":
        spare_the_specification(target, output)
    graph = checked_graph(target, settings)
    if graph is None:
        return SPECIFICATION_AT_FAULT
    if form == "onnx" and output not in {None, "-"}:
        assert output is not None
        _write_onnx(graph, output, weights)
        return CLEAN
    if training:
        script = _script(graph, name, inplace=inplace)
        if script is None:
            return SPECIFICATION_AT_FAULT
        content: str | bytes = script
    else:
        content = _source(graph, inplace=inplace) if form == "source" else _onnx(graph, weights)
    if output is None or output == "-":
        click.echo(content.encode() if isinstance(content, str) else content, nl=False)
    else:
        write_file(output, content)
    return CLEAN


def _source(graph: Graph, *, inplace: bool) -> str:
    from archdsl.backends.torch_source import generate

    return generate(graph, inplace=inplace).text


def _script(graph: Graph, name: str | None, *, inplace: bool) -> str | None:
    """The network with its training, or None; what there is to say of its recipe is said."""
    from archdsl.backends.torch_source import generate
    from archdsl.backends.torch_training.script import generate_script

    recipe, diagnostics = graph.graph["vary"].specification.recipe(graph, name)
    tell(diagnostics)
    if recipe is None:
        if not diagnostics:
            raise call_error("no train block says how this network is trained")
        return None
    return generate_script(recipe, generate(graph, inplace=inplace))


def _onnx(graph: Graph, weights: str | None) -> bytes:
    from archdsl.backends.torch_export import export_onnx

    return export_onnx(graph, weights=weights)


def _write_onnx(graph: Graph, path: str, weights: str | None) -> None:
    from archdsl.backends.torch_export import write_onnx

    write_onnx(graph, path, weights=weights)
