"""The public API: what its functions take, what they raise, its types, its documentation."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import archdsl
from archdsl import ops
from archdsl.diagnostics import ArchError

ROOT = Path(__file__).resolve().parent.parent
TEXT = """
block narrow(width) { linear(width) -> relu }
block wide(width) { linear(4 * width) -> relu }

# A perceptron.
network mlp(unit = narrow, widths = [8, 8], act = relu, classes = 3) {
    input x: [4]
    for width in widths { unit(width) -> act }
    fc: linear(classes)
}
"""


@pytest.fixture
def spec() -> archdsl.Specification:
    return archdsl.loads(TEXT, "mlp.arch")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "mlp.arch"
    file.write_text(TEXT, encoding="utf-8")
    return file


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(ops.op, "_REGISTRY", dict(ops.op._REGISTRY))
    monkeypatch.setattr(ops.op, "_ALIASES", dict(ops.op._ALIASES))


# What the functions take ----------------------------------------------------------------


def targets() -> dict[str, Callable[[Path], Any]]:
    return {
        "text": str,
        "text with a network": lambda path: f"{path}:mlp",
        "path": lambda path: path,
        "specification": archdsl.load,
    }


@pytest.mark.parametrize("kind", targets())
def test_a_network_is_named_in_many_ways(kind: str, path: Path) -> None:
    target = targets()[kind](path)
    assert archdsl.check(target, classes=5).outputs["output"].dims == (5,)
    assert "class Mlp(nn.Module):" in archdsl.source(target, classes=5)
    assert archdsl.graph(target, classes=5).nodes["fc"]["shape"] == (5,)
    assert archdsl.compile(target, classes=5)(torch.randn(2, 4)).shape == (2, 5)


def test_a_graph_has_its_parameters(spec: archdsl.Specification) -> None:
    graph = spec.graph("mlp", classes=5)
    assert archdsl.check(graph).outputs["output"].dims == (5,)
    assert archdsl.compile(graph)(torch.randn(2, 4)).shape == (2, 5)
    with pytest.raises(ArchError, match="a graph has its parameters already"):
        archdsl.check(graph, classes=5)


def test_a_specification_says_what_is_in_it(spec: archdsl.Specification) -> None:
    assert spec.networks == ("mlp",)
    assert spec.name == "mlp.arch"


# Parameters -----------------------------------------------------------------------------


@pytest.mark.parametrize("widths", [[6, 7], (6, 7)])
def test_lists_and_tuples_are_lists(spec: archdsl.Specification, widths: Sequence[int]) -> None:
    shapes = [tuple(p.shape) for p in archdsl.compile(spec, widths=widths).parameters()]
    assert shapes[0] == (6, 4)
    assert shapes[2] == (7, 6)


def test_a_block_or_a_layer_is_given_by_its_name(spec: archdsl.Specification) -> None:
    model: Any = archdsl.compile(spec, unit="wide", act="gelu")
    assert model.unit1.linear1.weight.shape == (32, 4)
    assert "GELU" in archdsl.source(spec, act="gelu")


def test_a_text_that_names_a_layer_stays_a_text_where_one_belongs() -> None:
    spec = archdsl.loads(
        'network n(kind = "max") {\n input x: [3, 8, 8]\n'
        ' if kind == "mean" { avg_pool(2) } else { max_pool(2) }\n}'
    )
    assert "AvgPool2d" in archdsl.source(spec, kind="mean")
    assert "MaxPool2d" in archdsl.source(spec)


def test_whole_numbers_of_numpy(spec: archdsl.Specification) -> None:
    numpy = pytest.importorskip("numpy")
    assert archdsl.check(spec, classes=numpy.int64(7)).outputs["output"].dims == (7,)


# What they raise ------------------------------------------------------------------------


def test_check_returns_what_is_wrong(spec: archdsl.Specification) -> None:
    report = archdsl.check(spec, classes=-1)
    assert not report
    assert [d.code for d in report.diagnostics] == ["bad-argument"]
    assert str(report.diagnostics[0].span).startswith("mlp.arch:9:")


@pytest.mark.parametrize("run", [archdsl.graph, archdsl.source, archdsl.compile])
def test_the_others_raise_it(spec: archdsl.Specification, run: Callable[..., Any]) -> None:
    with pytest.raises(ArchError, match=r"mlp\.arch:9") as caught:
        run(spec, classes=-1)
    assert caught.value.diagnostics == archdsl.check(spec, classes=-1).diagnostics


@pytest.mark.parametrize("run", [archdsl.check, archdsl.graph, archdsl.source, archdsl.compile])
@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("none.arch", "unreadable-file"),
        ("none.arch:net", "unreadable-file"),
        (Path("/"), "unreadable-file"),
    ],
)
def test_what_is_not_there(run: Callable[..., Any], target: Any, code: str) -> None:
    with pytest.raises(ArchError) as caught:
        run(target)
    assert [d.code for d in caught.value.diagnostics] == [code]


def test_a_network_that_is_not_there(path: Path) -> None:
    with pytest.raises(ArchError, match="did you mean mlp"):
        archdsl.check(f"{path}:mpl")


def test_an_unknown_parameter(spec: archdsl.Specification) -> None:
    with pytest.raises(ArchError, match="did you mean classes"):
        archdsl.source(spec, clases=3)


def test_the_exception_says_it_all(spec: archdsl.Specification) -> None:
    error = ArchError(archdsl.check(spec, classes=-1).diagnostics)
    assert str(error) == str(error.diagnostics[0])
    again = pickle.loads(pickle.dumps(error))
    assert [d.code for d in again.diagnostics] == ["bad-argument"]


# The module -----------------------------------------------------------------------------


def test_the_module_is_its_source(spec: archdsl.Specification) -> None:
    model = archdsl.compile(spec)
    assert type(model).__name__ == "Mlp"
    assert type(model).__doc__ == "A perceptron."
    assert inspect.getsource(type(model)).strip() in archdsl.source(spec)
    assert archdsl.compile(spec).__class__ is type(model)


def test_the_module_is_copied_and_pickled(spec: archdsl.Specification) -> None:
    model = archdsl.compile(spec)
    x = torch.randn(2, 4)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(other(x), model(x))


def test_an_error_in_forward_shows_the_line(spec: archdsl.Specification) -> None:
    with pytest.raises(RuntimeError) as caught:
        archdsl.compile(spec)(torch.randn(2, 5))
    shown = "".join(traceback.format_exception(caught.value))
    assert re.search(r'File "<archdsl mlp \w+>", line \d+, in forward\n +\S+ = self\.', shown)


# Layers of one's own --------------------------------------------------------------------


def times(name: str = "times", factor: float = 2.0, **more: Any) -> type[ops.Op]:
    @archdsl.layer(name, **more)
    class Times(ops.Op):
        """Multiply by a constant."""

        by: float = ops.number(default=factor, doc="what to multiply by")

        def infer(self, inputs: Sequence[ops.Tensor], need: ops.Need) -> tuple[ops.Tensor, ...]:
            return (inputs[0],)

        def code(self, inputs: Sequence[ops.Tensor], outputs: Sequence[ops.Tensor]) -> ops.Code:
            return ops.Code(call="{0} * {by}", constants={"by": self.by})

    return Times


USE = "network n {\n input x: [3]\n times\n}"


@pytest.mark.usefixtures("registry")
def test_a_layer_of_ones_own_is_a_word_of_the_language() -> None:
    with pytest.raises(ArchError):
        archdsl.graph(archdsl.loads(USE))
    times()
    spec = archdsl.loads(USE)
    torch.testing.assert_close(archdsl.compile(spec)(torch.ones(1, 3)), torch.full((1, 3), 2.0))
    assert "x * 2.0" in archdsl.source(spec)


@pytest.mark.usefixtures("registry")
def test_a_layer_defined_again_takes_the_place_of_the_earlier_one() -> None:
    times()
    times(factor=3.0)
    model = archdsl.compile(archdsl.loads(USE))
    torch.testing.assert_close(model(torch.ones(1, 3)), torch.full((1, 3), 3.0))


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("name", ["conv", "bn", "swish", "input"])
def test_a_name_that_is_taken(name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"^{name} is (the name|an alias) of the layer archdsl\.ops"
    ):
        times(name)
    assert ops.find(name) is not None
    if name != "input":
        times(name, replace=True)
        assert ops.find(name) is not None
        assert ops.names().count(name) == 1


@pytest.mark.usefixtures("registry")
def test_a_class_that_cannot_be_a_layer() -> None:
    with pytest.raises(TypeError, match=r"^the layer mute has no shape rule: give it .* infer$"):
        archdsl.layer("mute")(type("Mute", (ops.Op,), {}))
    with pytest.raises(TypeError, match=r"^the layer mute has no PyTorch: give it .* code$"):
        archdsl.layer("mute")(type("Mute", (ops.Op,), {"infer": lambda *_: ()}))
    with pytest.raises(TypeError, match=r"^a layer is a class derived from archdsl\.Op"):
        archdsl.layer("mute")(nn.ReLU)  # type: ignore[type-var]  # what is refused
    whole = {"infer": lambda *_: (), "code": lambda *_: ops.Code()}
    for more, message in [
        ({"__annotations__": {"by": "float"}, "by": 3.0}, "by of the layer mute does not say what"),
        ({"by": ops.number()}, "by of the layer mute has no type"),
        ({"__annotations__": {"weights": "int"}, "weights": ops.size()}, "weights is a name of"),
    ]:
        with pytest.raises(TypeError, match=message):
            archdsl.layer("mute")(type("Mute", (ops.Op,), {**whole, **more}))
    with pytest.raises(ValueError, match="a layer cannot be called 'two words'"):
        archdsl.layer("two words")(type("Mute", (ops.Op,), whole))
    assert ops.find("mute") is None


@pytest.mark.usefixtures("registry")
def test_the_words_of_a_choice_are_known_at_once() -> None:
    @archdsl.layer("paint")
    class Paint(ops.Op):
        """Nothing at all, in a colour."""

        colour: str = ops.choice("crimson", "teal", default="teal", doc="the colour")

        def infer(self, inputs: Sequence[ops.Tensor], need: ops.Need) -> tuple[ops.Tensor, ...]:
            return (inputs[0],)

        def code(self, inputs: Sequence[ops.Tensor], outputs: Sequence[ops.Tensor]) -> ops.Code:
            return ops.Code(call="{0} + 0")

    text = "block b(colour) { paint(colour = colour) }\nnetwork n {\n input x: [3]\n b(crimson)\n}"
    assert archdsl.check(archdsl.loads(text)).ok


def test_what_a_layer_is_made_of_is_exported() -> None:
    assert set(ops.__all__) <= set(dir(ops))
    wanted = (
        "Op layer Tensor Need OpError Code Construct module keyword positional size sizes number"
    )
    assert set(wanted.split()) <= set(ops.__all__)


# The package ----------------------------------------------------------------------------


def test_the_names_of_the_package() -> None:
    assert len(set(archdsl.__all__)) == len(archdsl.__all__)
    for name in archdsl.__all__:
        assert getattr(archdsl, name).__doc__, name
    wanted = "Builder block check compile graph layer load loads source"
    assert set(wanted.split()) <= set(archdsl.__all__)


def test_it_is_typed() -> None:
    assert (resources.files("archdsl") / "py.typed").is_file()
    pytest.importorskip("mypy", reason="it checks the types")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", "--no-error-summary",
         "tests/typing/uses_of_the_builder.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = [line for line in done.stdout.splitlines() if line.startswith("tests/typing")]
    assert told == [], done.stdout


# Documentation and examples -------------------------------------------------------------


def run_file(code: str, tmp_path: Path) -> str:
    """What a program prints, in an interpreter of its own."""
    file = tmp_path / "program.py"
    file.write_text(code, encoding="utf-8")
    return run_program(file, tmp_path)


def run_program(file: Path, folder: Path = ROOT) -> str:
    code = (
        f"import sys, runpy; sys.path.insert(0, {str(ROOT)!r});"
        f"runpy.run_path({str(file)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def code_blocks(text: str) -> Iterator[str]:
    yield from re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def test_the_documentation_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    blocks = list(code_blocks((ROOT / "docs" / "python.md").read_text(encoding="utf-8")))
    assert len(blocks) >= 6
    code = "\n".join(blocks)
    printed = run_file(code, tmp_path).splitlines()
    promised = re.findall(r"^ *print\(.*\)  # (.+)$", code, flags=re.MULTILINE)
    assert len(promised) >= 6
    assert [line for line in promised if line not in printed] == []


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("builder", "175,258 parameters, [2, 10]"),
        ("custom_layer", "class Snake(nn.Module):"),
        ("edit_a_graph", "layer3_features"),
    ],
)
def test_the_examples_run(name: str, printed: str) -> None:
    assert printed in run_program(ROOT / "examples" / f"{name}.py")
