"""``archdsl compile``: a network as PyTorch source, or as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import click

from archdsl.commands.examples import examples
from archdsl.commands.messages import CLEAN, SPECIFICATION_AT_FAULT, call_error, json_option, tell
from archdsl.commands.target import complete_file, open_target, set_option
from archdsl.compiler import split_target
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
    "training",
    "--with-training",
    is_flag=True,
    help="With the train block, as a script that trains the network on an .npz file."
    " It needs torch and lightning, and kornia where images are augmented.",
)
@json_option
def compile_command(
    target: str,
    settings: tuple[str, ...],
    output: str | None,
    form: str,
    weights: str | None,
    training: bool,
) -> int:
    """Write a network as PyTorch source, or as an ONNX file.

    The source is a file of its own that needs torch alone; without -o it goes to standard
    output. In ONNX the batch and the free sizes stay open.
    """
    if training and form == "onnx":
        raise call_error("an ONNX file cannot train", help="leave out --with-training or --format")
    if form == "onnx" and output is None:
        raise call_error("ONNX is no text for a terminal", help="say where to: -o network.onnx")
    if form != "onnx" and weights is not None:
        raise call_error("source has no weights in it", help="--weights goes with --format onnx")
    if output is not None and output != "-":
        spare_the_specification(target, output)
    graph = checked_graph(target, settings)
    if graph is None:
        return SPECIFICATION_AT_FAULT
    if training:
        script = _script(graph)
        if script is None:
            return SPECIFICATION_AT_FAULT
        content: str | bytes = script
    else:
        content = _source(graph) if form == "source" else _onnx(graph, weights)
    if output is None or output == "-":
        click.echo(content.encode() if isinstance(content, str) else content, nl=False)
    else:
        write_file(output, content)
    return CLEAN


def checked_graph(text: str, settings: tuple[str, ...]) -> Graph | None:
    """The graph of the network that is named, or None; what there is to say of it is said."""
    target = open_target(text, settings)
    found = target.elaborate(target.only())
    tell(found.diagnostics)
    return None if found.failed else found.graph


def spare_the_specification(target: str, output: str) -> None:
    """Refuse to write over the file that is read."""
    path = Path(split_target(target)[0])
    if path.exists() and Path(output).exists() and path.samefile(output):
        raise call_error(f"{output} is the specification itself", help="write to another file")


def _source(graph: Graph) -> str:
    from archdsl.backends.torch_source import generate

    return generate(graph).text


def _script(graph: Graph) -> str | None:
    """The network with its training, or None; what there is to say of its recipe is said."""
    from archdsl.backends.torch_source import generate
    from archdsl.backends.torch_training.script import generate_script

    recipe, diagnostics = graph.graph["vary"].specification.recipe(graph)
    tell(diagnostics)
    if recipe is None:
        if not diagnostics:
            raise call_error("no train block says how this network is trained")
        return None
    return generate_script(recipe, generate(graph))


def _onnx(graph: Graph, weights: str | None) -> bytes:
    from archdsl.backends.torch_export import export_onnx

    return export_onnx(graph, weights=weights)
