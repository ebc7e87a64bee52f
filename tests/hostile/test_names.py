"""Any word can be a name: what Python reserves or the source needs for itself gives way."""

from __future__ import annotations

import ast
import builtins
import keyword

import pytest
import torch
from torch import nn

import archdsl
from archdsl.diagnostics import ArchError

PYTHON = [*keyword.kwlist, *keyword.softkwlist]
BUILTIN = [name for name in dir(builtins) if name.isidentifier()]
MEMBERS = sorted({*dir(nn.Sequential), *vars(nn.Module())})
OURS = (
    "self torch nn F Tensor NamedTuple OrderedDict math super x forward training weight N n".split()
)
DUNDER = "__init__ __class__ __call__ __dict__ __getattr__ __builtins__ __import__ _ __ ___".split()
NAMES = sorted({*PYTHON, *BUILTIN, *MEMBERS, *OURS, *DUNDER})

PLACES = {
    "a label": "network n {{\n    input x: [4]\n    {name}: linear(4)\n    relu\n}}\n",
    "a label in a block": (
        "block b {{ {name}: linear(4) -> relu }}\nnetwork n {{\n    input x: [4]\n    b -> b\n}}\n"
    ),
    "a group": "network n {{\n    input x: [4]\n    {name}: {{ linear(4) -> relu }}\n}}\n",
    "a tensor": (
        "network n {{\n    input x: [4]\n    linear(4) as {name}\n    add(x, {name})\n}}\n"
    ),
    "an input": "network n {{\n    input {name}: [4]\n    {name} -> linear(4)\n}}\n",
    "an output": (
        "network n {{\n    input x: [4]\n    linear(4) as {name}\n    relu as other\n"
        "    output {name}, other\n}}\n"
    ),
    "a block": (
        "block {name} {{ linear(4) }}\nnetwork n {{\n    input x: [4]\n    {name} -> {name}\n}}\n"
    ),
    "a network": "network {name} {{\n    input x: [4]\n    linear(4)\n}}\n",
    "a parameter": (
        "network n({name} = 4) {{\n    input x: [4]\n    linear({name}) -> linear(2)\n}}\n"
    ),
    "a constant": "let {name} = 4\nnetwork n {{\n    input x: [4]\n    linear({name})\n}}\n",
}
PLACES_OF = {place: number for number, place in enumerate(PLACES)}  # which names are run there


@pytest.mark.parametrize("place", PLACES)
def test_a_name_is_taken_or_refused(place: str) -> None:
    """What is accepted is source that Python compiles; a part of the names is also run."""
    taken = 0
    label = "label" in place or place == "a group"
    for number, name in enumerate(NAMES):
        try:
            specification = archdsl.loads(PLACES[place].format(name=name))
            source = archdsl.source(specification)
        except ArchError:
            continue
        taken += 1
        compile(source, name, "exec")
        if number % 16 == PLACES_OF[place] or name in OURS or (label and name in MEMBERS):
            module = archdsl.compile(specification)
            module(torch.ones(2, 4))
            module.load_state_dict(module.state_dict())
            module.double().eval()(torch.ones(2, 4, dtype=torch.float64))
    assert taken > len(NAMES) // 4


@pytest.mark.parametrize(
    "name",
    [
        "а",
        "сonv",
        "ｃｏｎｖ",
        "ﬁ",
        "x²",
        "ª",
        "℘",
        "𝕩",
        "é",
        "e\u0301",
        "x\u200b",
        "x\u00ad",
        "\u202ex",
        "٤",
    ],
)
@pytest.mark.parametrize("place", PLACES)
def test_look_alikes_are_no_names(name: str, place: str) -> None:
    """Python would take some of these for one name (NFKC): here a name is ASCII."""
    with pytest.raises(ArchError) as caught:
        archdsl.source(archdsl.loads(PLACES[place].format(name=name)))
    assert caught.value.diagnostics[0].code == "syntax"
    assert caught.value.diagnostics[0].span is not None


def test_two_names_never_become_one() -> None:
    """A keyword gets an underscore behind it, which another name may have already."""
    text = (
        "network n {\n    input x: [4]\n    linear(4) as class\n    linear(4) as class_\n"
        "    linear(4) as self\n    linear(4) as self_\n    add(class, class_)\n"
        "    add(it, self)\n    add(it, self_)\n    output it2\n}\n"
    ).replace("    output it2\n", "")
    specification = archdsl.loads(text)
    module = archdsl.compile(specification)
    weights = [m for m in module.modules() if isinstance(m, nn.Linear)]
    x = torch.randn(3, 4)
    one = weights[0](x)
    two = weights[1](one)
    three = weights[2](two)
    four = weights[3](three)
    torch.testing.assert_close(module(x), one + two + three + four)
    assigned = [
        t.id
        for node in ast.walk(ast.parse(archdsl.source(specification)))
        if isinstance(node, ast.Assign)
        for t in node.targets
        if isinstance(t, ast.Name)
    ]
    assert not {"self", "class"} & set(assigned)
