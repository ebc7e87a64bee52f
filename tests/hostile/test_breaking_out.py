"""Text of a specification never becomes code, markup or structure in what is written from it."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

import archdsl
from archdsl.backends.summary.data import to_csv, to_data
from archdsl.backends.summary.latex import to_latex
from archdsl.backends.summary.markup import to_markdown

MARK = "BREAKOUT"
"""What every payload tries to smuggle out as structure: a statement, an element, a command."""

PAYLOADS = [
    f'"""\nimport os; {MARK} = 1\n"""',
    f"'''\n{MARK} = 1\n'''",
    '"""' * 3 + f" {MARK}",
    f"{MARK} ends in a backslash \\",
    f'{MARK} ends in a quote"',
    f'\\"""\n{MARK}()\n',
    f"\\N{{BULLET}} \\x41 \\u0041 {{{MARK}}} %s {{0}} ${{{MARK}}}",
    f"</text></svg><script>{MARK}()</script>",
    f"<img src=x onerror={MARK}()>",
    f"&lt;script&gt;{MARK}()&lt;/script&gt; &#60;{MARK}&#62; &nbsp; &bogus;",
    f"]]><{MARK}/><![CDATA[",
    f"--><{MARK}/><!--",
    f'"]; {MARK} [label="',
    f">]; {MARK} [label=<",
    f"</TD></TR></TABLE>>]; {MARK}",
    f"| {MARK} |\n|---|\n| x |",
    f"[x](javascript:{MARK}()) ![x](y) `{MARK}`",
    f"\\end{{tabular}}\\input{{{MARK}}}",
    f"% $ & # _ ^ ~ \\write18{{{MARK}}}",
    f"\u2028{MARK} = 1\u2029",
    f"\x0b\x0c\x1b[31m{MARK}\x07\x7f\x85",
    f"\u202e{MARK}\u2066",
    f"# {MARK}\\",
]

TEXTS = """
network n(v = {text}) {{
    input x: [4, 8, 8]
    conv(6, 3) -> nn.{module} -> stage{{1}}: relu
    flatten -> linear(3)
}}
"""


def quoted(text: str) -> str:
    """A text as the language writes it."""
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    )
    return (
        '"'
        + "".join(c if c.isprintable() or c == "\\" else f"\\u{ord(c):04x}" for c in escaped)
        + '"'
    )


def commented(text: str) -> str:
    """A specification with a text in every comment that may become documentation."""
    doc = "\n".join(f"# {line}" for line in re.split(r"[\n]", text))
    inner = re.sub(r"\n", " ", text)
    return (
        f"{doc}\n\n{doc}\nblock part(width) {{\n    conv(width, 3) # {inner}\n"
        f"    # {inner}\n    relu\n}}\n\n# another\n{doc}\n"
        f"network n(classes = 3) {{\n    # {inner}\n    input x: [4, 8, 8] # {inner}\n"
        f"    part(6) -> part(8)\n    flatten -> linear(classes) # {inner}\n}}\n"
    )


PLAIN = commented("nothing to see")


def shape_of(tree: ast.AST) -> list[str]:
    """The kinds of all nodes: what a text may not change."""
    return [
        type(node).__name__
        for node in ast.walk(tree)
        if not isinstance(node, ast.Expr | ast.Constant)
    ]


@pytest.mark.parametrize("text", PAYLOADS)
def test_a_comment_stays_documentation_in_python(text: str) -> None:
    source = archdsl.source(archdsl.loads(commented(text), "n.arch"))
    tree, plain = ast.parse(source), ast.parse(archdsl.source(archdsl.loads(PLAIN, "n.arch")))
    assert shape_of(tree) == shape_of(plain)
    for node in ast.walk(tree):
        assert getattr(node, "id", getattr(node, "name", "")) != MARK
    assert all(c.isprintable() or c == "\n" for c in source)
    assert archdsl.fmt(commented(text)) == archdsl.fmt(archdsl.fmt(commented(text)))


def refusal_or_source(text: str) -> str:
    try:
        return archdsl.source(archdsl.loads(text, "n.arch"))
    except archdsl.ArchError:
        return ""


@pytest.mark.parametrize("text", PAYLOADS)
def test_a_string_stays_a_string_in_python(text: str) -> None:
    """``nn.GELU`` passes its text on; ``nn.Identity`` takes anything and so lets all through."""
    passed = refusal_or_source(TEXTS.format(text=quoted(text), module=f"Identity({quoted(text)})"))
    found = [n.value for n in ast.walk(ast.parse(passed)) if isinstance(n, ast.Constant)]
    assert text in found
    calls = [
        n.func.id
        for n in ast.walk(ast.parse(passed))
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    ]
    assert set(calls) <= {"super", "OrderedDict"}
    refusal_or_source(TEXTS.format(text="1", module=f"GELU(approximate = {quoted(text)})"))


@pytest.mark.parametrize(
    "option", ["__class__", "x=1) or print", "self", "lambda", "a b", "1", "", "*args", "**k"]
)
def test_an_option_is_a_name(option: str) -> None:
    source = refusal_or_source(TEXTS.format(text="1", module=f"Identity({option} = 1)"))
    called = [
        [keyword.arg for keyword in n.keywords]
        for n in ast.walk(ast.parse(source))
        if isinstance(n, ast.Call) and ast.unparse(n.func) == "nn.Identity"
    ]
    assert called == ([[option]] if source else [])
    assert bool(source) == (option == "__class__")  # a name, if an odd one: the others are none


@pytest.mark.parametrize("text", [*PAYLOADS, "", " ", ".", "a.b", "x" * 5000, "__class__", "1"])
def test_a_label_made_of_text_is_a_name_or_refused(text: str) -> None:
    spec = f"network n {{\n    input x: [4]\n    a{{{'v'}}}: linear(4)\n}}\n"
    spec = f"let v = {quoted(text)}\n{spec}"
    source = refusal_or_source(spec)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            assert node.attr.isidentifier()
    if text in PAYLOADS:
        assert not source


# Pictures, pages and tables ----------------------------------------------------------


def with_text(text: str) -> archdsl.Specification:
    """A network whose figure and table show a text: it is a layer's option, and its file's name."""
    spec = TEXTS.format(text="1", module=f"Identity({quoted(text)}, key = {quoted(text)})")
    return archdsl.loads(spec, text.replace("\n", " ") + ".arch")


def no_handler(root: ET.Element) -> None:
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        assert tag not in {"script", "img", "foreignObject", "image", MARK}
        assert not [k for k in element.attrib if k.lower().startswith("on")]


@pytest.mark.parametrize("text", PAYLOADS)
@pytest.mark.parametrize("style", ["graph", "volume"])
def test_svg_is_well_formed_and_holds_no_code(text: str, style: str) -> None:
    picture = archdsl.draw(with_text(text), style=style)  # type: ignore[arg-type]  # one of the two
    no_handler(ET.fromstring(picture.svg))  # noqa: S314  # our own output


@pytest.mark.parametrize("text", PAYLOADS)
def test_dot_has_the_nodes_of_the_graph_alone(text: str) -> None:
    dot = archdsl.draw(with_text(text)).dot
    plain = archdsl.draw(with_text("plain")).dot
    assert MARK not in outside_strings(dot)
    edges = outside_strings(dot).count("->")
    assert edges == outside_strings(plain).count("->")
    assert outside_strings(dot).count(";") == outside_strings(plain).count(";")


def outside_strings(dot: str) -> str:
    """DOT without quoted strings and HTML-like labels, read as its grammar has them."""
    kept, depth, at = [], 0, 0
    while at < len(dot):
        c = dot[at]
        if depth:
            depth += (c == "<") - (c == ">")
        elif c == '"':
            at += 1
            while dot[at] != '"':
                at += 2 if dot[at] == "\\" else 1
        elif c == "<":
            depth = 1
        else:
            kept.append(c)
        at += 1
    assert not depth
    return "".join(kept)


class Tags(HTMLParser):
    """The tags of a page and the names of their attributes, as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(k for k, _ in attrs)))


@pytest.mark.parametrize("text", PAYLOADS)
def test_the_page_has_no_tag_more(text: str) -> None:
    page, plain = (archdsl.draw(with_text(t)).html() for t in (text, "plain"))
    tags, expected = Tags(page).tags, Tags(plain).tags
    assert [t for t in tags if t[0] in ("script", "img", "style", "iframe")] == [
        t for t in expected if t[0] in ("script", "img", "style", "iframe")
    ]
    assert not [t for t in tags if any(k.startswith("on") for k in t[1])]


@pytest.mark.parametrize("text", PAYLOADS)
def test_the_tables_have_no_cell_more(text: str) -> None:
    found, plain = (archdsl.summary(with_text(t)) for t in (text, "plain"))
    cells, expected = (list(csv.reader(io.StringIO(to_csv(table)))) for table in (found, plain))
    assert cells[0] == expected[0]
    assert [len(row) for row in cells] == [len(row) for row in expected]
    assert Tags(found._repr_html_()).tags == Tags(plain._repr_html_()).tags
    assert json.loads(json.dumps(to_data(found))) == to_data(found)
    rows = [re.sub(r"\\.", "", line).count("|") for line in to_markdown(found).splitlines()]
    assert rows == [re.sub(r"\\.", "", line).count("|") for line in to_markdown(plain).splitlines()]
    latex = to_latex(found)
    body = "\n".join(line for line in latex.splitlines() if not line.startswith("%"))
    assert f"\\input{{{MARK}}}" not in body
    assert "\\write18" not in body
    assert body.count("\\end{tabular}") == 1
    assert body.splitlines()[-1] == "\\end{tabular}"
    assert all(c.isprintable() or c == "\n" for c in str(found))


@pytest.mark.parametrize("text", PAYLOADS)
def test_a_file_of_any_name_is_named_safely(text: str, tmp_path: Path) -> None:
    name = text.replace("\n", " ").replace("/", "|").replace("\0", "")[:60] + ".arch"
    (tmp_path / name).write_text(PLAIN, encoding="utf-8")
    source = archdsl.source(archdsl.load(tmp_path / name))
    assert shape_of(ast.parse(source)) == shape_of(
        ast.parse(archdsl.source(archdsl.loads(PLAIN, "n.arch")))
    )
