"""What a layer makes of its inputs is remembered, and nothing is mixed up by that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

import archdsl
from archdsl.ops import OpError, Tensor, choice, number, size
from archdsl.ops import op as registry
from archdsl.ops.op import (
    Need,
    Op,
    build,
    choice_words,
    find,
    find_public,
    layer,
    names,
    outcome,
    signature,
)
from archdsl.ops.torch_text import Code


def layer_of(name: str, **arguments: Any) -> Op:
    cls = find(name)
    assert cls is not None
    return build(cls, arguments)


def test_what_is_equal_is_not_yet_the_same() -> None:
    """1 is equal to True, and no answer to whether there is a bias."""
    assert layer_of("linear", out_features=4, bias=True).arguments == {"out_features": 4}
    with pytest.raises(OpError, match="bias of linear"):
        layer_of("linear", out_features=4, bias=1)
    with pytest.raises(OpError, match="out_features of linear"):
        layer_of("linear", out_features=True)


def test_an_outcome_says_what_the_layer_says() -> None:
    conv = layer_of("conv", out_channels=8, kernel_size=3)
    inputs = (Tensor((3, 32, 32)),)
    found = outcome(conv, inputs)
    assert found.outputs == conv.infer(inputs, Need()) == (Tensor((8, 30, 30)),)
    assert found.weights == conv.weights(inputs)
    assert found.multiply_adds == 8 * 3 * 3 * 3 * 30 * 30
    assert outcome(conv, (Tensor((5, 32, 32)),)).weights["weight"] == (8, 5, 3, 3)


def test_an_argument_that_is_no_key_is_no_hindrance() -> None:
    @dataclass(frozen=True)
    class Listed(Op):
        factors: list[float]

        def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
            return (inputs[0],)

    inputs = (Tensor((4,)),)
    assert outcome(Listed([1.0]), inputs).outputs == inputs


def test_conditions_of_like_layers_have_a_place_each() -> None:
    graph = archdsl.loads(
        "network twice {\n"
        "    input x: [3, H, W]\n"
        "    branch add {\n"
        "        conv(8, 7)\n"
        "        conv(8, 7)\n"
        "    }\n"
        "}\n"
    ).graph()
    lines = {c.span.line for c in graph.graph["conditions"] if c.span}
    assert lines == {4, 5}


def test_arguments_of_one_node_can_be_changed_alone() -> None:
    graph = archdsl.loads("network n {\n    input x: [4]\n    linear(4) -> linear(4)\n}\n").graph()
    graph.nodes["linear1"]["args"]["bias"] = False
    assert "bias" not in graph.nodes["linear2"]["args"]


# The registry ----------------------------------------------------------------------


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is registered in a test is forgotten after it."""
    choice_words()
    for name in ("_REGISTRY", "_ALIASES", "_SIGNATURES"):
        monkeypatch.setattr(registry, name, dict(getattr(registry, name)))
    for name in ("_CHOICE_WORDS", "_INCOMPLETE"):
        monkeypatch.setattr(registry, name, set(getattr(registry, name)))
    yield
    registry._known_layer.cache_clear()


class Plain(Op):
    """The methods that a layer must have."""

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        return (inputs[0],)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return Code(call="{0}")


def another(name: str = "alpha", *aliases: str, **more: Any) -> type[Op]:
    """One class after another, each called the same."""

    class Same(Plain):
        by: int = size(default=more.pop("by", 1), doc="how often")

    return layer(name, *aliases, **more)(Same)


@pytest.mark.usefixtures("fresh")
def test_a_layer_is_found_by_its_names() -> None:
    cls = another("alpha", "beta", "gamma", family="mine")
    assert (cls.name, cls.aliases, cls.family) == ("alpha", ("beta", "gamma"), "mine")
    assert [find(n) for n in ("alpha", "beta", "gamma", "delta")] == [cls, cls, cls, None]
    assert {"alpha", "beta", "gamma"} <= set(names())
    assert len(names()) == len(set(names()))
    assert cls(4).arguments == {"by": 4}  # a dataclass, when it is used
    assert another("delta").family == "custom"


@pytest.mark.usefixtures("fresh")
def test_what_the_compiler_alone_makes_has_no_public_name() -> None:
    class Hidden(Plain):
        internal = True

    layer("hidden one")(Hidden)
    assert find("hidden one") is Hidden
    assert find_public("hidden one") is None
    assert "hidden one" not in names()
    assert "scan end" not in names()


@pytest.mark.usefixtures("fresh")
def test_a_class_defined_again_takes_all_the_names_of_the_earlier_one() -> None:
    first = another("alpha", "beta", "gamma", by=1)
    assert signature(first)[0].default == 1
    second = another("alpha", "beta", by=2)
    assert find("alpha") is find("beta") is second
    assert find("gamma") is None
    assert "gamma" not in names()
    assert signature(second)[0].default == 2
    assert first not in registry._SIGNATURES
    # What was an alias may become a name; the layer that had it keeps the others.
    third = another("beta", by=3)
    assert (find("alpha"), find("beta")) == (second, third)
    # And a name an alias, which takes the other layer's aliases with it.
    another("delta", "alpha", by=4)
    assert find("alpha") is find("delta")


@pytest.mark.usefixtures("fresh")
def test_names_that_others_have_are_theirs() -> None:
    class Other(Plain):
        pass

    another("alpha", "beta")
    for taken, what in (("alpha", "the name of"), ("beta", "an alias of")):
        for called in ((taken,), ("omega", taken)):
            with pytest.raises(ValueError, match=rf"^{taken} is {what} the layer .*Same: choose"):
                layer(*called)(Other)
    assert find("omega") is None
    layer("alpha", "omega", replace=True)(Other)
    assert find("alpha") is find("omega") is Other
    assert find("beta") is None
    elsewhere = type("Other", (Plain,), {"__module__": "elsewhere"})
    with pytest.raises(ValueError, match="the name of the layer"):
        layer("alpha")(elsewhere)
    within = type("Other", (Plain,), {"__module__": __name__, "__qualname__": "Other"})
    with pytest.raises(ValueError, match="the name of the layer"):
        layer("alpha")(within)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("name", ["two words", "1st", "größe", ""])
def test_a_name_is_a_word_of_plain_letters(name: str) -> None:
    with pytest.raises(ValueError, match="a layer cannot be called"):
        another(name)


@pytest.mark.usefixtures("fresh")
def test_a_class_says_what_its_fields_are() -> None:
    class Good(Plain):
        """Names that are no fields have ClassVar, or no annotation."""

        factor: float = number(default=1.0, doc="a factor")
        known: ClassVar[int] = 3
        also = 4

    assert layer("good")(Good)(2.0).arguments == {"factor": 2.0}
    with pytest.raises(TypeError, match="late of the layer bad has no type"):
        layer("bad")(type("Bad", (Plain,), {"late": size()}))
    with pytest.raises(TypeError, match=r"weights is a name of archdsl\.Op"):
        layer("bad")(
            type("Bad", (Plain,), {"weights": size(), "__annotations__": {"weights": "int"}})
        )
    with pytest.raises(TypeError, match="by of the layer bad does not say what it takes"):
        layer("bad")(type("Bad", (Plain,), {"by": 3, "__annotations__": {"by": "int"}}))
    with pytest.raises(TypeError, match="has no shape rule"):
        layer("bad")(type("Bad", (Op,), {"code": Plain.code}))
    with pytest.raises(TypeError, match="has no PyTorch"):
        layer("bad")(type("Bad", (Op,), {"infer": Plain.infer}))
    with pytest.raises(TypeError, match=r"a layer is a class derived from archdsl\.Op"):
        layer("bad")(int)  # type: ignore[type-var]  # what is refused
    assert find("bad") is None


@pytest.mark.usefixtures("fresh")
def test_the_words_of_a_choice_are_known_once_the_layer_is() -> None:
    class Painted(Plain):
        colour: str = choice("crimson", "teal", doc="the colour")

    assert not {"crimson", "teal"} & choice_words()
    layer("painted")(Painted)
    assert {"crimson", "teal"} <= choice_words()


def test_what_a_layer_says_where_it_says_nothing() -> None:
    relu, x = layer_of("relu"), Tensor((4, 3))
    assert relu.least_batch([x]) == 1
    plain = Op()
    assert (plain.weights([x]), plain.buffers([x]), plain.multiply_adds([x], [x])) == ({}, {}, 0)
    assert plain.reach([x, Tensor((2,))], [x], 0, 0) == (None, None)
    assert plain.reach([x, Tensor((2,))], [x], 1, 0) == (None,)
    saved = plain.saved([x, x], [x], [True, False])
    assert (saved.inputs, saved.outputs, saved.made) == ((0, 1), (0,), ())
    assert plain.shares([x], [x, x], training=True) == (None, None)
    for method in (plain.infer, plain.code):
        with pytest.raises(TypeError, match="Op has no"):
            method([x], Need())  # type: ignore[arg-type]  # neither has a rule


def test_arguments_that_are_missing_or_unknown() -> None:
    with pytest.raises(OpError) as refusal:
        layer_of("linear")
    assert refusal.value.code == "missing-argument"
    with pytest.raises(OpError) as refusal:
        layer_of("linear", out_features=3, bais=True)
    assert (refusal.value.code, refusal.value.argument) == ("unknown-argument", "bais")
    assert layer_of("linear", out_features=3, bias=True).arguments == {"out_features": 3}
    assert layer_of("linear", out_features=3, bias=False).arguments == {
        "out_features": 3,
        "bias": False,
    }
