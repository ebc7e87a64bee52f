"""The documentation: its examples are run, and its pages are made from what they describe.

``make docs`` writes anew what is made. In docs/language.md the words behind ``arch`` say what
a block is:

    arch                  a whole specification, without a mistake: it is compiled and run
    arch fragment         the same for the statements of a network; it is given an input
    arch blocks.arch      a file of this name, which later blocks of the section can import
    arch error[code]      gets this error, and no other (or ``warning[code]``)

A block behind it shows what it gives: ``text`` what ``archdsl check`` says, ``text modules``
what its modules are called, ``python`` the classes of the generated source.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import archdsl
from archdsl import compiler
from archdsl.backends.torch_source import generate
from archdsl.commands import check as command
from archdsl.diagnostics import Diagnostic, render
from archdsl.dims import evaluate, symbols
from archdsl.elaborate import body, bounds, context, functions
from archdsl.graph import Graph
from archdsl.ops import arguments
from archdsl.ops.op import registered
from archdsl.reference import layers_page
from archdsl.specification import (
    DEEPEST_IMPORT,
    LARGEST_FILE,
    Specification,
    load,
    std_sources,
)
from archdsl.syntax import parser
from archdsl.syntax.ast import Definition
from archdsl.syntax.words import RESERVED
from archdsl.zoo import ZooFile, find_zoo, zoo_files
from tests.soundness.running import Accepted, run

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
LANGUAGE = DOCS / "language.md"

BLOCK = re.compile(r"^```(\w+)([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^#+ (.+)$", re.MULTILINE)
EXPECTED = re.compile(r"(error|warning)\[([a-z-]+)\]")
INPUT = "input image: [3, 32, 32]\n"


# Blocks and examples --------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its language, the words behind that, its text."""

    start: int
    end: int
    language: str
    words: tuple[str, ...]
    text: str


@dataclass
class Example:
    """A specification with the blocks that show what it gives, and the files that it imports."""

    section: str
    block: Block
    shown: list[Block] = field(default_factory=list)
    files: list[Block] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What its file is called."""
        named = [word for word in self.block.words if word.endswith(".arch")]
        return named[0] if named else "example.arch"

    @property
    def mistake(self) -> tuple[str, str] | None:
        """The severity and the code of what is wrong with it on purpose."""
        found = EXPECTED.search(" ".join(self.block.words))
        return (found[1], found[2]) if found else None

    @property
    def text(self) -> str:
        """The whole specification."""
        text = self.block.text
        if "fragment" not in self.block.words:
            return text
        given = "" if re.search(r"^input ", text, re.MULTILINE) else f"{INPUT}\n"
        return f"network example {{\n{textwrap.indent(given + text, '    ')}}}\n"

    def formatted(self) -> str:
        """The block's text as `archdsl fmt` lays it out."""
        if self.mistake and self.mistake[1] == "syntax":
            return self.block.text
        whole = archdsl.fmt(self.text, self.name)
        if "fragment" not in self.block.words:
            return whole
        inner = textwrap.dedent(whole.partition("\n")[2].removesuffix("}\n"))
        if INPUT in inner and INPUT not in self.block.text:
            inner = inner.replace(INPUT, "", 1).lstrip("\n")
        return inner

    def load(self, folder: Path) -> Specification:
        """The specification, in a folder with what it imports."""
        for file in self.files:
            (folder / file.words[0]).write_text(file.text, encoding="utf-8")
        path = folder / self.name
        path.write_text(self.text, encoding="utf-8")
        return load(path)


def blocks(page: str) -> Iterator[Block]:
    for found in BLOCK.finditer(page):
        yield Block(found.start(3), found.end(3), found[1], tuple(found[2].split()), found[3])


def examples(page: str) -> list[Example]:
    """The specifications of a page, each with what is shown of it."""
    made: list[Example] = []
    sections = [(found.start(), found[1]) for found in SECTION.finditer(page)]
    for block in blocks(page):
        section = [name for start, name in sections if start < block.start][-1]
        if block.language == "arch":
            files = [e.block for e in made if e.section == section and e.name != "example.arch"]
            made.append(Example(section, block, files=files))
        elif block.language in {"text", "python"}:
            made[-1].shown.append(block)
    return made


def said(example: Example, folder: Path) -> list[Diagnostic]:
    """Everything that is wrong with an example."""
    try:
        specification = example.load(folder)
        found = list(specification.diagnostics)
        for network in usable(specification):
            found += specification.elaborate(network).diagnostics
    except archdsl.ArchError as error:
        found = list(error.diagnostics)
    return list(dict.fromkeys(found))


def usable(specification: Specification) -> list[str]:
    return [name for name in specification.networks if not specification.needs(name)]


# What an example gives ------------------------------------------------------------


def give(example: Example, block: Block, folder: Path) -> str:
    """What stands in a block behind an example, made anew."""
    if block.language == "text" and not block.words:
        return checked(example, folder)
    network = usable(example.load(folder))[-1]
    if block.language == "python":
        return classes(archdsl.source(f"{folder / example.name}:{network}"), block.text)
    if block.words == ("modules",):
        return modules(example.load(folder).graph(network))
    return pytest.fail(f"nobody makes a block of {block.language} {block.words}")


def checked(example: Example, folder: Path) -> str:
    """What the check says: mistakes, or a line on every network and what it asks of sizes."""
    if example.mistake:
        messages = [render(diagnostic) for diagnostic in said(example, folder)]
    else:
        specification = example.load(folder)
        messages = [
            command.describe(name, compiler.report(specification.elaborate(name)))
            for name in usable(specification)
        ]
    return "\n".join(messages).replace(f"{folder}/", "") + "\n"


def modules(graph: Graph) -> str:
    """The names of modules without members, and of parameters, with what they are."""
    module = archdsl.compile(graph)
    rows = [
        (name, type(member).__name__)
        for name, member in module.named_modules()
        if not list(member.children()) and name
    ]
    rows += [(name, "Parameter") for name, _ in module.named_parameters() if "." not in name]
    width = max(len(name) for name, _ in rows)
    return "".join(f"{name:<{width}}  {kind}\n" for name, kind in rows)


def classes(source: str, shown: str) -> str:
    """The whole source, or those classes of it that are shown."""
    if shown.startswith('"""'):
        return source
    wanted = re.findall(r"^class (\w+)", shown, re.MULTILINE)
    lines = source.splitlines()
    made = {
        node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno])
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
    }
    return "\n\n\n".join(made[name] for name in wanted) + "\n"


# docs/language.md -----------------------------------------------------------------

EXAMPLES = examples(LANGUAGE.read_text(encoding="utf-8"))
NAMES = [
    f"{e.section}-{[o.section for o in EXAMPLES[:i]].count(e.section) + 1}"
    for i, e in enumerate(EXAMPLES)
]


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_an_example_of_the_language_is_what_it_is_said_to_be(
    example: Example, tmp_path: Path
) -> None:
    found = said(example, tmp_path)
    assert [(d.severity, d.code) for d in found] == ([example.mistake] if example.mistake else [])
    if example.mistake and example.mistake[0] == "error":
        return
    specification = example.load(tmp_path)
    for name in usable(specification):
        run_small(specification.elaborate(name).graph, example.text)


def run_small(graph: Graph, text: str) -> None:
    """Forward and backward at the declared sizes, or at the smallest that are good."""
    report = archdsl.check(graph)
    assert report.conditions is not None
    module = archdsl.compile(graph)
    found = Accepted(text, graph, report, generate(graph))
    for sizes in report.conditions.examples(2) if report.conditions.names else [{}]:
        run(found, module, sizes)


def test_what_the_language_page_shows_is_what_comes_out(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    page = LANGUAGE.read_text(encoding="utf-8")
    changes = [(e.block, e.formatted()) for e in EXAMPLES]
    changes += [(block, give(e, block, tmp_path)) for e in EXAMPLES for block in e.shown]
    made = page
    for block, text in sorted(changes, key=lambda change: -change[0].start):
        made = made[: block.start] + text + made[block.end :]
    held(LANGUAGE, made, request)


def test_every_kind_of_block_of_the_language_page_is_looked_at() -> None:
    page = LANGUAGE.read_text(encoding="utf-8")
    assert page.count("\n```") == 2 * len(list(blocks(page)))
    assert {block.language for block in blocks(page)} <= {"arch", "text", "python", "console"}
    assert len(EXAMPLES) >= 40


def table(title: str) -> list[list[str]]:
    """The rows of the table in a section of the language page, cell by cell."""
    page = LANGUAGE.read_text(encoding="utf-8")
    section = page.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]


def test_the_limits_are_those_of_the_program() -> None:
    shown = [row[-1].replace(",", "") for row in table("Limits")]
    assert shown == [
        str(context.MOST_NODES),
        str(context.DEEPEST_CALL),
        str(DEEPEST_IMPORT),
        str(body.DEEPEST_BODY),
        str(parser.BRACKET_LIMIT),
        str(bounds.MOST_STEPS),
        str(bounds.LONGEST_LIST),
        f"2 ** {bounds.LARGEST_NUMBER.bit_length() - 1}",
        f"2 ** {(arguments.LARGEST + 1).bit_length() - 1} - 1",
        f"{LARGEST_FILE // 2**20} MB",
    ]


def test_the_words_and_functions_are_those_of_the_program() -> None:
    page = LANGUAGE.read_text(encoding="utf-8")
    words = re.search(r"^No name at all: (.+?)\.$", page, re.MULTILINE | re.DOTALL)
    assert words
    assert set(re.findall(r"`(\w+)`", words[1])) == RESERVED
    named = re.search(r"^The functions are (.+?)\.", page, re.MULTILINE | re.DOTALL)
    assert named
    assert set(re.findall(r"`(\w+)`", named[1])) == set(functions.FUNCTIONS)


def test_every_block_of_std_is_named() -> None:
    shown = {name for row in table("std") for name in re.findall(r"`(\w+)", row[0])}
    parsed = [d for source in std_sources() for d in parser.parse(source).declarations]
    assert shown == {d.name for d in parsed if isinstance(d, Definition)}


# Pages that are made --------------------------------------------------------------


def held(path: Path, text: str, request: pytest.FixtureRequest) -> None:
    """Write a page anew, or hold what stands there against it."""
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8", newline="\n")
    assert path.read_text(encoding="utf-8") == text, f"`make docs` writes {path.name} anew"


def test_the_reference_of_the_layers_is_made_from_the_registry(
    request: pytest.FixtureRequest,
) -> None:
    text = layers_page()
    assert all(f"\n### {cls.name}\n" in text for cls in registered() if not cls.internal)
    held(DOCS / "layers.md", text, request)


ZOO = """\
# The zoo

Architectures that come with the package, a family a file: read them beside their papers, or start
from one with `archdsl new NAME`. Networks that torchvision has bear its names and load its weights.

Parameters are those that are trained. Multiply-adds are those of one sample, at the input that is
shown: where a file leaves sizes free, at usual ones.

This page is made from [specs/](../specs) (`make docs` writes it).
"""


def zoo_page() -> str:
    """docs/zoo.md as it should be."""
    parts = [ZOO.rstrip("\n")]
    for file in zoo_files():
        papers = re.sub(r"(?<=\d{4}\)) (?=[A-Z])", "\n- ", f"- {file.title}")
        parts.append(f"## [{file.name}.arch](../specs/{file.name}.arch)")
        parts.append(papers if "\n" in papers else file.title)
        parts.append("\n".join(zoo_rows(file)))
    return "\n\n".join(parts) + "\n"


def zoo_rows(file: ZooFile) -> Iterator[str]:
    yield "| network | input | parameters | multiply-adds |"
    yield "|---|---|---:|---:|"
    specification = load(find_zoo() / f"{file.name}.arch")
    for name in usable(specification):
        report = compiler.report(specification.elaborate(name))
        assert report.cost
        sizes = command._usual_sizes(report) or {}
        steps = report.cost.multiply_adds
        steps = evaluate(steps, {s: sizes[s] for s in symbols(steps)})
        shapes = ", ".join(
            str(kind.with_dims(*(evaluate(d, sizes) for d in kind.dims)))
            for kind in report.inputs.values()
        )
        counts = f"{report.cost.parameters:,} | {command._count(steps)}"
        yield f"| `{name}` | {shapes} | {counts} |"


def test_the_page_of_the_zoo_is_made_from_its_files(request: pytest.FixtureRequest) -> None:
    held(DOCS / "zoo.md", zoo_page(), request)


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_every_link_leads_somewhere(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    outside = BLOCK.sub("", page)
    anchors = {slug(title) for title in SECTION.findall(outside)}
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", outside):
        assert not target or (DOCS / target).exists(), f"{target} is not there"
        assert not anchor or target or anchor in anchors, f"#{anchor} is not there"


def slug(title: str) -> str:
    """What a heading is called in a link, as GitHub has it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
