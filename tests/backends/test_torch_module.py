"""The module in process: its source is written once, and again as soon as the graph differs."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archdsl
from archdsl import ops
from archdsl.backends import torch_source
from archdsl.backends.torch_module import written
from archdsl.backends.torch_module.skeleton import Skeleton
from archdsl.backends.torch_module.written import Written, fingerprint
from archdsl.diagnostics import ArchError

SPECS = Path(__file__).resolve().parents[2] / "specs"
SMALL = """
network small(classes = 5) {
    input image: [3, 8, 8]
    conv(4, 3) -> bn -> relu
    flatten
    fc: linear(classes)
}
"""
RECURRENT = """
network recurrent {
    input x: [T, 6]
    lstm(8, num_layers = 2) -> gru(5)
}
"""


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch) -> Any:
    """No network is known from before."""
    monkeypatch.setattr(written, "_KEPT", written._Shelf())
    return written._KEPT


@pytest.fixture
def writings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the networks whose source is written while the test runs."""
    names: list[str] = []
    generate = torch_source.generate

    def counting(graph: archdsl.Graph, **ways: bool) -> Any:
        names.append(graph.graph["name"])
        return generate(graph, **ways)

    monkeypatch.setattr(written, "generate", counting)
    return names


# The source is written once ---------------------------------------------------------


def test_the_same_graph_is_written_once(writings: list[str]) -> None:
    graph = archdsl.loads(SMALL).graph()
    first, second = archdsl.compile(graph), archdsl.compile(graph)
    assert type(first) is type(second)
    assert first is not second
    assert writings == ["small"]


def test_so_is_the_same_text(writings: list[str]) -> None:
    assert type(archdsl.compile(archdsl.loads(SMALL))) is type(
        archdsl.compile(archdsl.loads(SMALL))
    )
    assert writings == ["small"]


def test_modules_of_one_class_share_no_tensor_and_no_part() -> None:
    graph = archdsl.loads(SMALL).graph()
    state = archdsl.compile(graph).state_dict()
    one, two = (archdsl.compile(graph, weights=state) for _ in range(2))
    assert not {id(m) for m in one.modules()} & {id(m) for m in two.modules()}
    assert not {t.data_ptr() for t in one.state_dict().values()} & {
        t.data_ptr() for t in two.state_dict().values()
    }
    one.register_forward_hook(lambda *_: None)
    one.eval()
    assert two.training
    assert not two._forward_hooks


def test_what_a_record_keeps_for_later_makes_no_difference(writings: list[str]) -> None:
    graph = archdsl.loads(SMALL).graph()
    archdsl.compile(graph)
    graph.nodes["conv1"]["span"].source.position(30)
    archdsl.compile(graph)
    assert writings == ["small"]


EDITS: dict[str, Callable[[Any], object]] = {
    "an argument": lambda g: g.nodes["conv1"]["args"].update(bias=False),
    "an argument's type": lambda g: g.nodes["fc"]["args"].update(bias=1),
    "a path": lambda g: g.nodes["fc"].update(path="head"),
    "the doc": lambda g: g.graph.update(doc="Small."),
    "a name": lambda g: g.graph.update(name="tiny"),
    "a layer": lambda g: g.nodes["relu1"].update(op="silu", args={}),
    "an edge": lambda g: (g.remove_edge("bn1", "relu1"), g.add_edge("conv1", "relu1", 0, input=0)),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_graph_edited_in_place_is_another(edit: Callable[[Any], object]) -> None:
    graph = archdsl.loads(SMALL).graph()
    before = fingerprint(graph, checked=False)
    assert before is not None
    assert before == fingerprint(archdsl.loads(SMALL).graph(), checked=False)
    edit(graph)
    assert fingerprint(graph, checked=False) != before


def test_an_edited_graph_is_compiled_anew(writings: list[str]) -> None:
    graph = archdsl.loads(SMALL).graph()
    assert not isinstance(archdsl.compile(graph).get_submodule("relu1"), nn.SiLU)
    graph.nodes["relu1"].update(op="silu", args={})
    changed: Any = archdsl.compile(graph)
    assert writings == ["small", "small"]
    x = torch.randn(2, 3, 8, 8)
    expected = changed.fc(torch.nn.functional.silu(changed.bn1(changed.conv1(x))).flatten(1))
    torch.testing.assert_close(changed(x), expected)


def test_an_unsound_edit_is_found_although_the_graph_was_compiled() -> None:
    graph = archdsl.loads(SMALL).graph()
    archdsl.compile(graph)
    graph.nodes["conv1"]["args"]["kernel_size"] = 99
    with pytest.raises(ArchError):
        archdsl.compile(graph)


def test_a_text_of_the_same_graph_and_other_parameters_is_another(writings: list[str]) -> None:
    fixed = SMALL.replace("(classes = 5)", "").replace("linear(classes)", "linear(5)")
    one, other = archdsl.compile(archdsl.loads(SMALL)), archdsl.compile(archdsl.loads(fixed))
    assert writings == ["small", "small"]
    assert type(one)(classes=7).fc.out_features == 7  # type: ignore[union-attr]  # its own parameter
    with pytest.raises(TypeError):
        type(other)(classes=7)


def test_an_edited_graph_does_not_get_the_parameters_of_its_text() -> None:
    spec = archdsl.loads(SMALL)
    archdsl.compile(spec)
    with pytest.raises(TypeError):
        type(archdsl.compile(spec.graph()))(classes=7)


class Strange:
    """A value that a graph's owner put there."""


@pytest.mark.parametrize("value", [Strange(), Strange, lambda: 0, torch.zeros(1)])
def test_what_a_pickle_does_not_say_all_of_is_never_kept(value: object) -> None:
    graph = archdsl.loads(SMALL).graph()
    graph.nodes["fc"]["note"] = value
    assert fingerprint(graph, checked=False) is None
    state = archdsl.compile(graph).state_dict()
    archdsl.compile(graph, weights=state)


@pytest.fixture
def own_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops.op, "_REGISTRY", dict(ops.op._REGISTRY))

    @archdsl.layer("own")
    class Own(ops.Op):
        """A layer of the user's."""

        def infer(self, inputs: Any, need: Any) -> tuple[ops.Tensor, ...]:
            return (inputs[0],)

        def code(self, inputs: Any, outputs: Any) -> ops.Code:
            return ops.Code(call="{0}")


@pytest.mark.usefixtures("own_layer")
def test_with_layers_of_the_users_nothing_is_kept() -> None:
    assert fingerprint(archdsl.loads(SMALL).graph(), checked=True) is None


def test_the_shelf_is_bounded(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "MOST_KEPT", 2)
    networks = [Written(nn.Module, kept=True) for _ in range(3)]
    for name, network in zip((b"a", b"b"), networks, strict=False):
        shelf.put(name, network)
    assert shelf.get(b"a") is networks[0]
    shelf.put(b"c", networks[2])
    assert shelf.get(b"b") is None, "what was asked for longest ago goes"
    assert (shelf.get(b"a"), shelf.get(b"c")) == (networks[0], networks[2])


# Modules from a skeleton ------------------------------------------------------------


@pytest.fixture
def skeletons(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """The modules that are made from a skeleton while the test runs."""
    made: list[nn.Module] = []
    fill = Skeleton.fill

    def counting(self: Skeleton, state: Any) -> nn.Module:
        made.append(fill(self, state))
        return made[-1]

    monkeypatch.setattr(Skeleton, "fill", counting)
    return made


def attributes(module: nn.Module) -> dict[str, dict[str, object]]:
    """What every part of a module has, as text; tensors are compared elsewhere."""
    return {
        name: {k: v if isinstance(v, (int, str, tuple)) else type(v) for k, v in vars(part).items()}
        for name, part in module.named_modules(remove_duplicate=False)
    }


@pytest.mark.parametrize(
    ("target", "shape"),
    [
        (f"{SPECS / 'resnet.arch'}:resnet18", (2, 3, 64, 64)),
        (f"{SPECS / 'resnet.arch'}:resnext50_32x4d", (2, 3, 64, 64)),
        (archdsl.loads(SMALL), (2, 3, 8, 8)),
        (archdsl.loads(RECURRENT), (2, 7, 6)),
    ],
    ids=["resnet18", "resnext50", "small", "recurrent"],
)
def test_a_module_with_weights_is_what_its_constructor_makes(
    target: Any, shape: tuple[int, ...], skeletons: list[nn.Module]
) -> None:
    built = archdsl.compile(target)
    state = built.state_dict()
    filled = archdsl.compile(target, weights=state)
    assert skeletons == [filled]
    assert attributes(filled) == attributes(built)
    assert list(filled.state_dict()) == list(state)
    for one, two in zip(filled.parameters(), built.parameters(), strict=True):
        assert type(one) is type(two)
        assert one.requires_grad == two.requires_grad
        assert one.is_leaf
        assert torch.equal(one, two)
    x = torch.randn(shape)
    torch.testing.assert_close(filled.eval()(x), built.eval()(x), rtol=0, atol=0)


# Weights of their own ---------------------------------------------------------------


def test_a_file_of_shared_tensors_gives_parameters_of_their_own(tmp_path: Path) -> None:
    spec = archdsl.loads("network n {\n input x: [4]\n a: linear(4)\n b: linear(4)\n}")
    weight, bias = torch.randn(4, 4), torch.randn(9)
    state = {"a.weight": weight, "b.weight": weight, "a.bias": bias[:4], "b.bias": bias[5:]}
    torch.save(state, tmp_path / "n.pt")
    model: Any = archdsl.compile(spec, weights=tmp_path / "n.pt")
    with torch.no_grad():
        model.a.weight.zero_()
    torch.testing.assert_close(model.b.weight.detach(), weight)
    for tensor in model.parameters():
        assert tensor.untyped_storage().nbytes() == tensor.nbytes


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_model_outlives_its_file(suffix: str, tmp_path: Path) -> None:
    """A file that is mapped to memory and then cut short kills the process that reads on."""
    if suffix == ".safetensors":
        pytest.importorskip("safetensors", reason="an extra")
    program = f"""
        import torch, archdsl
        spec = archdsl.loads("network n {{ input x: [512] \\n linear(512) }}")
        state = archdsl.compile(spec).state_dict()
        path = {str(tmp_path / f"n{suffix}")!r}
        if path.endswith("safetensors"):
            from safetensors.torch import save_file as save
        else:
            save = torch.save
        save(state, path)
        model = archdsl.compile(spec, weights=path)
        open(path, "r+b").truncate(100)
        assert torch.equal(model.linear1.weight, state["linear1.weight"])
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)


def test_what_the_user_gives_stays_the_users(tmp_path: Path) -> None:
    spec = archdsl.loads(SMALL)
    state: dict[str, Tensor] = dict(archdsl.compile(spec).state_dict(keep_vars=True))
    model = archdsl.compile(spec, weights=state)
    mine = {t.data_ptr() for t in state.values()}
    assert not mine & {t.data_ptr() for t in model.state_dict().values()}
