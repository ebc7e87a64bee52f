"""docs/training.md and docs/techniques.md: the one is run, the other made from the registry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import archdsl
from archdsl.cli import COMMANDS
from archdsl.handbook import describe_technique, list_techniques, techniques_page
from archdsl.recipes.changes import read_data
from archdsl.recipes.recipe import Measured, Stage, Term
from archdsl.recipes.settings import SETTINGS
from archdsl.techniques.technique import Technique, kinds, registered

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "training.md"
REFERENCE = ROOT / "docs" / "techniques.md"
BLOCK = re.compile(r"^```(\w+)([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(GUIDE.read_text(encoding="utf-8"))
SPECIFICATIONS = [(words.strip(), text) for language, words, text in BLOCKS if language == "arch"]
PROGRAMS = [text for language, _, text in BLOCKS if language == "python"]

EVERY = [cls for kind in kinds() for cls in registered(kind)]


@pytest.mark.parametrize(("words", "text"), SPECIFICATIONS)
def test_a_specification_of_the_guide_is_what_it_is_said_to_be(words: str, text: str) -> None:
    assert archdsl.fmt(text) == text
    specification = archdsl.loads(text)
    for network in specification.networks:
        recipe, found = specification.recipe(specification.graph(network))
        expected = re.findall(r"error\[([a-z-]+)\]", words)
        assert [d.code for d in found] == expected, "\n".join(map(str, found))
        assert (recipe is None) == bool(expected)


def test_the_programs_of_the_guide_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert PROGRAMS
    for program in PROGRAMS:
        exec(compile(program, "training.md", "exec"), {})


def test_every_block_of_the_guide_is_looked_at() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert text.count("\n```") == 2 * len(BLOCKS)
    assert len(SPECIFICATIONS) + len(PROGRAMS) == len(BLOCKS)
    assert len(SPECIFICATIONS) >= 5


def test_the_commands_of_the_guide_are_commands() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for command in re.findall(r"^    archdsl (\w+)", text, re.MULTILINE):
        assert command in COMMANDS


def test_the_settings_of_the_guide_are_settings() -> None:
    for _, text in SPECIFICATIONS:
        blocks = re.findall(r"^train.*?^}|^train [^\n]*}$", text, re.MULTILINE | re.DOTALL)
        for key in re.findall(r"^    (\w+):", "\n".join(blocks), re.MULTILINE):
            assert key in SETTINGS


def test_the_reference_is_made_from_the_registry(request: pytest.FixtureRequest) -> None:
    text = techniques_page()
    if request.config.getoption("--update-golden"):
        REFERENCE.write_text(text, encoding="utf-8", newline="\n")
    assert REFERENCE.read_text(encoding="utf-8") == text, "`make docs` writes it anew"


def test_every_technique_is_in_the_reference() -> None:
    text, listed = techniques_page(), list_techniques()
    for cls in EVERY:
        assert f"\n### {cls.name}\n" in text
        assert re.search(rf"^  {cls.name}\b", listed, re.MULTILINE)
        first = (cls.__doc__ or "").partition("\n")[0].replace("``", "`")
        assert first in describe_technique(cls.name)


# Examples -----------------------------------------------------------------------------------

_SETTINGS = {
    "clipping": "clip",
    "mixing": "augment",
    "initialization": "initialize",
    "metric": "metrics",
    "penalty": "loss",
    "prediction": "predict",
    "reparametrization": "reparametrize",
    "stopping": "early_stopping",
    "transform": "augment",
}
"""The setting that takes the techniques of a kind, where it is not called as the kind is."""

_FIELDS = {"constraint": "constraints"}

CLASSIFIER = """
network example {{
    input image: [3, {size}, {size}]

    conv(4, 3) -> relu -> max_pool(4) -> flatten
    fc: linear({classes}) -> {end}
}}
"""
SCORES = CLASSIFIER.format(size=28, classes=10, end="dropout(0.1)")
VALUES = """
network example {
    input x: [4]

    linear(8) -> relu -> linear(3)
}
"""
MASKS = """
network example {
    input image: [3, 16, 16]

    conv(4, 3, padding = 1) -> relu -> conv(5, 1)
}
"""
TEXT = """
network example {
    input text: int[16]

    embedding(30, 8) -> lstm(8) -> linear(30)
}
"""
VECTORS = """
network example {{
    input x: [4]

    x -> linear(8) -> relu as seen
    {branches}
    output {names}
}}
"""


def _giving(*names: str) -> str:
    """A network with these outputs, vectors of one length."""
    branches = "\n    ".join(f"seen -> linear(3) as {name}" for name in names)
    return VECTORS.format(branches=branches, names=", ".join(names))


_VALUE_METRICS = dict.fromkeys([("metric", n) for n in ("mae", "mse", "rmse", "r2")], VALUES)
_VALUE_LOSSES = dict.fromkeys(
    [("loss", n) for n in ("mse", "mae", "huber", "smooth_l1", "cosine")], VALUES
)
_NETWORKS = {
    ("loss", "nll"): CLASSIFIER.format(size=28, classes=10, end="log_softmax"),
    ("loss", "dice"): MASKS,
    ("loss", "kl"): _giving("mu", "log_var"),
    ("loss", "contrastive"): _giving("left", "right"),
    ("loss", "triplet"): _giving("anchor", "positive", "negative"),
    ("metric", "auroc"): CLASSIFIER.format(size=28, classes=1, end="sigmoid"),
    ("metric", "iou"): MASKS,
    ("metric", "perplexity"): TEXT,
    ("initialization", "orthogonal"): TEXT,
    ("initialization", "uniform"): TEXT,
    ("transform", "random_resized_crop"): CLASSIFIER.format(size=224, classes=10, end="relu"),
    **_VALUE_METRICS,
    **_VALUE_LOSSES,
}
"""The networks that examples speak of; the classifier, where none stands here."""
_LOSSES = {("metric", "auroc"): "binary_cross_entropy"} | dict.fromkeys(_VALUE_METRICS, "mse")
_ALSO = {
    ("schedule", "constant"): "epochs: 90",
    ("schedule", "multi_step"): "epochs: 90",
    ("average", "snapshots"): "schedule: cosine(cycles = 5)",
}


def _technique_in(held: object) -> object:
    """What a term of the loss, a metric's measurement or a stage of a schedule is of."""
    match held:
        case Term():
            return held.technique
        case Measured():
            return held.metric
        case Stage():
            return held.value
    return held


def _read_in_a_block(cls: type[Technique], written: str) -> tuple[Technique, ...]:
    """The techniques of that kind in the recipe of a block that has it as written."""
    of = (cls.kind, cls.name)
    key = _SETTINGS.get(cls.kind, cls.kind)
    loss = _LOSSES.get(of, "cross_entropy")
    settings = [f"{key}: {written}"]
    if cls.kind == "penalty":
        settings = [f"loss: {loss} + {written}"]
    elif cls.kind != "loss":
        settings.append(f"loss: {loss}")
    settings += [_ALSO[of]] if of in _ALSO else []
    lines = "\n    ".join(settings)
    text = f"{_NETWORKS.get(of, SCORES)}\ntrain for example {{\n    {lines}\n}}\n"
    specification = archdsl.loads(text)
    recipe, found = specification.recipe(specification.graph("example"))
    assert not found, "\n".join(map(str, found))
    assert recipe is not None
    held = getattr(recipe, _FIELDS.get(key, key))
    every = held if isinstance(held, tuple) else (held,)
    unwrapped = [_technique_in(one) for one in every]
    return tuple(t for t in unwrapped if isinstance(t, cls))


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: f"{cls.kind}-{cls.name}")
def test_the_example_of_a_technique_is_read(cls: type[Technique]) -> None:
    """In a block of a network that has all that the example speaks of."""
    if cls.kind == "data":
        assert type(read_data(cls.example)) is cls
    else:
        assert _read_in_a_block(cls, cls.example)


@pytest.mark.parametrize(
    "cls",
    [cls for cls in EVERY if cls.kind not in ("loss", "penalty")],
    ids=lambda cls: f"{cls.kind}-{cls.name}",
)
def test_a_technique_is_shown_as_it_could_be_written(cls: type[Technique]) -> None:
    if cls.kind == "data":
        source = read_data(cls.example)
        assert read_data(str(source)) == source
        return
    first = _read_in_a_block(cls, cls.example)[-1]
    assert _read_in_a_block(cls, str(first))[-1] == first


def test_texts_are_shown_in_quotes_and_words_are_not() -> None:
    source = read_data(r"""csv("a \"b\".csv", target = ["p", "q"], delimiter = "\t")""")
    shown = r"""csv(file = "a \"b\".csv", target = ["p", "q"], delimiter = "\t")"""
    assert str(source) == shown
    assert read_data(shown) == source
    assert str(read_data('sequences("t.txt", level = word)')) == (
        'sequences(file = "t.txt", level = word)'
    )
