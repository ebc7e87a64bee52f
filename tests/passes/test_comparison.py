"""Comparison: what is said to differ is what was edited, and what is said to load, torch loads."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import archdsl
from archdsl.compiler import diff
from archdsl.ops.op import find
from archdsl.passes.comparison import compare
from archdsl.passes.differences import Comparison, Entry
from archdsl.specification import load

SPECS = Path(__file__).resolve().parents[2] / "specs"


def zoo(name: str) -> str:
    """A network of the zoo, as «file:network»."""
    file, _, network = name.partition(":")
    return f"{SPECS / file}.arch:{network}"


def compare_zoo(a: str, b: str, **parameters: object) -> Comparison:
    """Compare networks of the zoo; parameters are B's."""
    return compare(archdsl.graph(zoo(a)), archdsl.graph(zoo(b), **parameters))


def compare_texts(a: str, b: str) -> Comparison:
    return diff(archdsl.loads(a), archdsl.loads(b))


def network(*statements: str, sizes: str = "[3, 16, 16]") -> str:
    return "\n".join(["network n {", f"    input x: {sizes}", *statements, "}"])


def outermost(entry: Entry, status: str) -> list[str]:
    """The paths of what has a status, without what is inside of such."""
    if entry.status == status:
        return [entry.path]
    return [path for member in entry.members for path in outermost(member, status)]


def changes(found: Comparison) -> dict[str, dict[str, tuple[str, str]]]:
    """What was changed in layers, but for what follows from elsewhere, by B's paths."""
    return {
        entry.path: {c.name or c.what: (c.before, c.after) for c in entry.changes if not c.follows}
        for entry in found.layers
        if entry.status == "changed"
    }


# Networks of the zoo ------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.arch")), ids=lambda path: path.stem)
def test_a_network_is_the_same_as_itself(path: Path) -> None:
    spec = load(path)
    for name in [n for n in spec.networks if not spec.needs(n)][:2]:
        found = compare(spec.graph(name), spec.graph(name))
        assert found.identical
        assert not found.weights.renames
        assert {entry.status for entry in found.layers} == {"kept"}
        assert all(before == after for before, after in found.pairs.items())


def test_resnet34_is_resnet18_with_more_blocks() -> None:
    found = compare_zoo("resnet:resnet18", "resnet:resnet34")
    assert outermost(found.root, "added") == [
        *("layer1.2", "layer2.2", "layer2.3", "layer3.2", "layer3.3", "layer3.4", "layer3.5"),
        "layer4.2",
    ]
    assert outermost(found.root, "removed") == []
    assert changes(found) == {}
    assert len(found.weights.loads) == 122
    # 21,797,672 and 11,689,512 are what torchvision's documentation says of these two.
    assert (found.before.parameters, found.after.parameters) == (11_689_512, 21_797_672)


def test_another_number_of_classes_changes_the_last_layer_alone() -> None:
    found = compare_zoo("resnet:resnet18", "resnet:resnet18", classes=10)
    assert changes(found) == {"fc": {"out_features": ("1000", "10")}}
    assert [c.after for c in found.root.changes] == ["10"]
    assert found.after_status["output"] == "resized"
    assert [(a.name, a.shape, b.shape) for a, b in found.weights.wrong_shape] == [
        ("fc.weight", (1000, 512), (10, 512)),
        ("fc.bias", (1000,), (10,)),
    ]


def test_the_stride_of_resnet50_stands_elsewhere_in_the_paper() -> None:
    found = compare_zoo("resnet:resnet50", "resnet:resnet50_v1")
    assert changes(found) == {
        f"layer{level}.0.{conv}": {"stride": strides}
        for level in (2, 3, 4)
        for conv, strides in (("conv1", ("1", "2")), ("conv2", ("2", "1")))
    }
    assert len(found.weights.loads) == 320
    assert not found.weights.wrong_shape
    assert {e.path for e in found.layers if e.status == "resized"} == {
        f"layer{level}.0.{name}" for level in (2, 3, 4) for name in ("bn1", "relu1")
    }


def test_vgg11_bn_is_vgg11_with_norms_though_all_numbers_shift() -> None:
    found = compare_zoo("vgg:vgg11", "vgg:vgg11_bn")
    added = [entry for entry in found.layers if entry.status == "added"]
    assert [entry.kind for entry in added] == ["batch_norm"] * 8
    assert found.count("kept") == found.before.layers
    assert not found.count("removed")
    assert found.weights.renames["features.3.weight"] == "features.4.weight"
    assert "features.0.weight" not in found.weights.renames


def test_plain18_is_resnet18_without_its_shortcuts() -> None:
    found = compare_zoo("resnet:resnet18", "resnet:plain18")
    kinds = [entry.kind for entry in found.layers if entry.status == "removed"]
    assert kinds.count("add") == 8
    assert len(kinds) == 8 + 3 * 2  # and three projections, each with its norm
    assert changes(found) == {}, "what an addition's removal explains is no rewiring"


def test_the_two_unets_are_paired_through_another_nesting() -> None:
    found = compare_zoo("unet:unet", "unet:unet_same")
    pairs = {entry.path_before: entry.path_after for entry in found.layers if entry.renamed}
    assert pairs["convolve_twice1.conv1"] == "double_conv1.conv_bn1.0"
    assert [e.kind for e in found.layers if e.status == "removed"] == ["dropout", *["crop"] * 4]
    added = [e.kind for e in found.layers if e.status == "added"]
    assert added == ["batch_norm"] * 18


def test_more_layers_of_a_transformer_are_added_at_its_end() -> None:
    found = compare_zoo("vit:vit_b_16", "vit:vit_l_16")
    assert outermost(found.root, "added") == [
        f"encoder.layers.encoder_layer_{i}" for i in range(12, 24)
    ]


PAIRS = [
    ("resnet:resnet18", "resnet:resnet50"),
    ("resnet:resnet50", "vgg:vgg11"),
    ("googlenet:googlenet", "densenet:densenet121"),
    ("siamese:siamese", "lenet:lenet5"),
    ("gpt:gpt", "vit:vit_b_32"),
    ("unet:unet", "resnet:resnet18"),
]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_every_layer_is_told_of_once_and_paired_with_its_like(a: str, b: str) -> None:
    left, right = archdsl.graph(zoo(a)), archdsl.graph(zoo(b))
    found = compare(left, right)
    assert sorted(e.before for e in found.layers if e.before is not None) == sorted(left)
    assert sorted(e.after for e in found.layers if e.after is not None) == sorted(right)
    for before, after in found.pairs.items():
        kinds = {left.nodes[before]["op"], right.nodes[after]["op"]}
        assert len({layer.family for layer in map(find, kinds) if layer}) == 1
    assert found.count("added") - found.count("removed") == found.after.layers - found.before.layers


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_forth_and_back_say_the_same(a: str, b: str) -> None:
    forth, back = compare_zoo(a, b), compare_zoo(b, a)
    assert forth.before.parameters == back.after.parameters
    assert {t.name for t in forth.weights.loads} == {t.name for t in back.weights.loads}
    assert {t.name for t in forth.weights.only_after} == {t.name for t in back.weights.only_before}


# Edits --------------------------------------------------------------------------------

PLAIN = network(
    "    stem: conv(8, 3) -> bn -> relu",
    "    encoder: {",
    "        conv(16, 3) -> bn -> relu",
    "        conv(32, 3) -> bn -> relu",
    "    }",
    "    global_avg_pool -> flatten",
    "    fc: linear(10)",
)


def test_another_activation_takes_the_place_of_the_first() -> None:
    found = compare_texts(PLAIN, PLAIN.replace("relu", "gelu"))
    assert changes(found) == {
        "gelu1": {"layer": ("relu", "gelu")},
        "encoder.2": {"layer": ("relu", "gelu")},
        "encoder.5": {"layer": ("relu", "gelu")},
    }


def test_another_norm_does_not_hand_its_weights_on() -> None:
    found = compare_texts(PLAIN, PLAIN.replace("-> bn ->", "-> group_norm(2) ->"))
    assert changes(found)["encoder.1"] == {"layer": ("batch_norm", "group_norm")}
    assert not found.weights.renames


def test_arguments_at_their_defaults_are_said() -> None:
    found = compare_texts(
        network("conv(8, 3) -> dropout"), network("conv(8, 3, padding = 1) -> dropout(0.1)")
    )
    assert changes(found) == {
        "conv1": {"padding": ("0", "1")},
        "dropout1": {"p": ("0.5", "0.1")},
    }


def test_an_input_from_elsewhere_is_a_change() -> None:
    text = network("linear(8) as a", "linear(8) as b", "add(a, b)", sizes="[8]")
    found = compare_texts(text, text.replace("add(a, b)", "add(a, x)"))
    assert changes(found)["add1"] == {"2": ("linear2", "x")}


def test_a_further_input_is_a_change() -> None:
    text = network("linear(8) as a", "linear(8) as b", "add(a, b)", sizes="[8]")
    found = compare_texts(text, text.replace("add(a, b)", "add(a, b, x)"))
    assert changes(found)["add1"] == {"input": ("2", "3")}


def test_what_is_put_in_between_is_the_only_change() -> None:
    found = compare_texts(PLAIN, PLAIN.replace("global_avg_pool", "dropout -> global_avg_pool"))
    assert outermost(found.root, "added") == ["dropout1"]
    assert changes(found) == {}
    assert not found.identical


def test_an_input_of_other_sizes_is_a_change() -> None:
    found = compare_texts(PLAIN, PLAIN.replace("[3, 16, 16]", "[1, 16, 16]"))
    assert changes(found) == {"x": {"sizes": ("(3, 16, 16)", "(1, 16, 16)")}}
    assert [a.name for a, _ in found.weights.wrong_shape] == ["stem.weight"]


def test_a_name_that_was_written_is_told_of_when_it_changes() -> None:
    found = compare_texts(PLAIN, PLAIN.replace("encoder:", "backbone:"))
    assert not found.count("added")
    assert not found.count("changed")
    assert not found.identical
    relabelled = [e.path for e in found.root.members if e.relabelled]
    assert relabelled == ["backbone"]


def test_labels_are_paired_wherever_they_stand() -> None:
    text = network("a: linear(8)", "b: linear(8, bias = false)", "c: linear(8)", sizes="[8]")
    moved = network("c: linear(8)", "a: linear(8)", "b: linear(8, bias = false)", sizes="[8]")
    found = compare_texts(text, moved)
    assert {one: other for one, other in found.pairs.items() if one in "abc"} == {
        "a": "a",
        "b": "b",
        "c": "c",
    }
    assert len(found.weights.loads) == 5


def test_layers_that_moved_into_another_module_are_found_with_their_neighbours() -> None:
    text = network(
        "    body: { conv(8, 3) -> bn -> relu -> conv(16, 3) -> bn -> relu }",
        "    tail: { global_avg_pool -> flatten -> linear(10) }",
    )
    moved = network(
        "    body: { conv(8, 3) -> bn -> relu }",
        "    tail: { conv(16, 3) -> bn -> relu -> global_avg_pool -> flatten -> linear(10) }",
    )
    found = compare_texts(text, moved)
    pairs = {entry.path_before: entry.path_after for entry in found.layers}
    assert pairs["body.3"] == "tail.0"
    assert pairs["body.5"] == "tail.2"
    assert not found.count("added")
    assert not found.count("removed")
    assert found.weights.renames["body.4.running_var"] == "tail.1.running_var"
    assert found.weights.renames["tail.2.weight"] == "tail.5.weight"


def test_layers_without_weights_or_neighbours_are_not_said_to_have_moved() -> None:
    text = network("    a: { tanh -> relu -> sigmoid }", "    b: { linear(3) }", sizes="[3]")
    other = network("    a: { linear(4) }", "    b: { tanh -> relu -> sigmoid }", sizes="[3]")
    found = compare_texts(text, other)
    assert found.count("removed") == 4
    assert found.count("added") == 4


def test_an_argument_that_names_a_layer_follows_its_name() -> None:
    text = (
        "network n { input x: int[5]; embed: embedding(7, 4)\n"
        " head: linear(7, bias = false, tie = embed.weight) }"
    )
    renamed = text.replace("embed:", "tokens:").replace("embed.weight", "tokens.weight")
    assert not changes(compare_texts(text, renamed))


REFACTORED = "block unit(w) { conv(w, 3) -> bn -> relu }\n" + network(
    "    stem: conv(8, 3) -> bn -> relu",
    "    backbone: { unit(16) -> unit(32) }",
    "    global_avg_pool -> flatten",
    "    head: linear(10)",
)


@pytest.mark.parametrize(("a", "b"), [(PLAIN, REFACTORED), (REFACTORED, PLAIN)])
def test_after_the_renames_a_refactored_network_computes_the_same(a: str, b: str) -> None:
    found = compare_texts(a, b)
    old, new = (archdsl.compile(archdsl.loads(text)).eval() for text in (a, b))
    torch.manual_seed(0)
    for tensor in old.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    renames = found.weights.renames
    new.load_state_dict({renames.get(k, k): v for k, v in old.state_dict().items()}, strict=True)
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(new(x), old(x))


WIDTHS = st.lists(st.integers(1, 40), min_size=2, max_size=12, unique=True)


@given(WIDTHS, st.data())
@settings(max_examples=max(settings.default.max_examples // 4, 1))  # type: ignore[union-attr]  # there is a default
def test_what_was_taken_out_or_put_in_is_found(widths: list[int], data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.sampled_from(widths), unique=True))
    places = data.draw(st.sets(st.integers(0, len(widths))))
    before = [f"linear({w})" for w in widths]
    after: list[str] = []
    for place, width in enumerate(widths):
        after += ["tanh"] * (place in places)
        after += [f"linear({width})"] * (width in kept)
    found = compare_texts(network(*before, sizes="[4]"), network(*after, "sum(1)", sizes="[4]"))
    removed = [e.caption for e in found.layers if e.status == "removed"]
    added = [e.caption for e in found.layers if e.status == "added"]
    assert removed == [f"linear({w})" for w in widths if w not in kept]
    assert added == [*["tanh"] * sum(p < len(widths) for p in places), "sum(1)"]


# Weights ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "parameters"),
    [
        ("resnet:resnet18", "resnet:resnet34", {}),
        ("resnet:resnet18", "resnet:resnet18", {"classes": 10}),
        ("resnet:resnet18", "resnet:resnet50", {}),
        ("resnet:resnet50", "resnet:wide_resnet50_2", {}),
        ("vgg:vgg11", "vgg:vgg11_bn", {"classes": 7}),
        ("vit:vit_b_16", "vit:vit_b_32", {}),
        ("densenet:densenet121", "densenet:densenet169", {}),
        ("gpt:gpt", "lenet:lenet5", {}),
    ],
)
def test_what_is_said_to_load_is_what_torch_loads(
    a: str, b: str, parameters: dict[str, int]
) -> None:
    left, right = archdsl.graph(zoo(a)), archdsl.graph(zoo(b), **parameters)
    with torch.device("meta"):
        old, new = archdsl.compile(left), archdsl.compile(right)
    said = compare(left, right).weights
    state = old.state_dict()

    wrong = {tensor.name: (tensor.shape, there.shape) for tensor, there in said.wrong_shape}
    fitting = {name: tensor for name, tensor in state.items() if name not in wrong}
    outcome = new.load_state_dict(fitting, strict=False, assign=True)
    assert set(outcome.unexpected_keys) == {t.name for t in said.only_before}
    # torch misses no counter of batches: checkpoints from before it had them should load.
    missing = {t.name for t in said.only_after if not t.name.endswith("num_batches_tracked")}
    assert set(outcome.missing_keys) == missing | wrong.keys()
    loaded = {t.name: t.shape for t in said.loads}
    assert loaded == {
        name: tuple(fitting[name].shape) for name in fitting if name not in outcome.unexpected_keys
    }
    there = {name: tuple(tensor.shape) for name, tensor in new.state_dict().items()}
    assert wrong == {name: (tuple(state[name].shape), there[name]) for name in wrong}

    renamed = {said.renames.get(one.name, one.name): one.name for one, _ in said.matches}
    assert len(renamed) == len(said.matches), "no two go to one place"
    assert all(there[place] == tuple(state[name].shape) for place, name in renamed.items())


def test_weights_that_land_in_another_layer_are_told_of() -> None:
    text = network("body: {", "linear(4) -> tanh -> linear(4) -> tanh", "}", sizes="[4]")
    other = text.replace("linear(4) -> tanh -> ", "tanh -> tanh -> linear(4) -> tanh -> ", 1)
    found = compare_texts(text, other).weights
    assert [t.name for t in found.loads] == ["body.2.weight", "body.2.bias"]
    assert [t.name for t in found.misplaced] == ["body.2.weight", "body.2.bias"]
    assert found.renames["body.0.weight"] == "body.2.weight"


# Totals and time ----------------------------------------------------------------------


def test_totals_are_those_of_check_at_the_sizes_given() -> None:
    found = diff(zoo("resnet:resnet18"), zoo("resnet:resnet50"), sizes={"H": 224, "W": 224})
    # Of torchvision's documentation: 1.81 and 4.09 billion.
    assert found.before.multiply_adds == 1_814_073_344
    assert found.after.multiply_adds == 4_089_184_256
    assert not isinstance(
        diff(zoo("resnet:resnet18"), zoo("resnet:resnet50")).before.multiply_adds, int
    )


def test_time_grows_with_the_layers_not_with_their_square() -> None:
    def seconds(blocks: int) -> float:
        block = "block unit(w) { conv(w, 3, padding = 1) -> relu }\n"
        a, b = (
            archdsl.loads(block + network(f"repeat {blocks} {{ unit({w}) }}")).graph()
            for w in (8, 9)
        )
        start = time.process_time()
        assert compare(a, b).count("changed") == blocks
        return time.process_time() - start

    small, large = (min(seconds(blocks) for _ in range(2)) for blocks in (100, 800))
    assert large < 24 * small, "eight times the layers: 64 times as long would be their square"
