"""The picture as Python has it: drawn from anything, saved by its ending, shown in a notebook."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import archdsl
from archdsl.diagnostics import ArchError
from archdsl.picture import FORMATS, Picture, form_of
from archdsl.render import system_dot
from archdsl.render.outcome import NotInstalled
from tests.backends.dot.reading import read

NET = "network net { input x: [3, 32, 32]; part: { conv(8, 3) -> relu }; flatten -> linear(5) }"


@pytest.fixture
def picture() -> Picture:
    return archdsl.draw(archdsl.loads(NET))


def test_a_path_a_specification_and_a_graph_are_drawn_alike(tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_text(NET, encoding="utf-8")
    specification = archdsl.load(path)
    drawn = [
        archdsl.draw(target).svg
        for target in (path, f"{path}:net", specification, archdsl.graph(specification))
    ]
    assert len(set(drawn)) == 1


def test_a_notebook_shows_the_svg(picture: Picture) -> None:
    assert picture._repr_svg_() == picture.svg
    ET.fromstring(picture.svg)  # noqa: S314 - our own text
    assert len(repr(picture)) < 300


def test_the_png_is_as_large_as_is_asked_for(picture: Picture) -> None:
    root = ET.fromstring(picture.svg)  # noqa: S314 - our own text
    width, height = (float(root.attrib[k].removesuffix("pt")) for k in ("width", "height"))
    for scale in (1.0, 3.0):
        data = picture.png(scale)
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        size = struct.unpack(">II", data[16:24])
        assert size == pytest.approx((width * scale * 96 / 72, height * scale * 96 / 72), abs=2)


@pytest.mark.parametrize("form", ["svg", "png", "dot", "html"])
def test_it_is_saved_in_the_format_of_its_ending(
    picture: Picture, tmp_path: Path, form: str
) -> None:
    picture.save(tmp_path / f"net.{form}")
    picture.save(str(tmp_path / "net.other"), form)
    expected = picture.content(form)
    for name in (f"net.{form}", "net.other"):
        data = (tmp_path / name).read_bytes()
        assert data == (expected.encode() if isinstance(expected, str) else expected)


def test_an_unknown_ending_is_refused_and_nothing_written(picture: Picture, tmp_path: Path) -> None:
    for name in ("net.jpg", "net", ".svg"):
        with pytest.raises(ArchError, match="does not say in which format") as caught:
            picture.save(tmp_path / name)
        assert caught.value.diagnostics[0].code == "bad-call"
        assert all(f".{form}" in caught.value.diagnostics[0].help for form in FORMATS)
    assert list(tmp_path.iterdir()) == []
    assert form_of("a.b.GV") == "dot"


def test_a_pdf_needs_the_program(
    picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> bytes:
        raise NotInstalled

    monkeypatch.setattr(system_dot, "render", missing)
    with pytest.raises(ArchError, match="a PDF is written by Graphviz's program dot") as caught:
        picture.save(tmp_path / "net.pdf")
    assert caught.value.diagnostics[0].code == "no-graphviz"
    assert any("install graphviz" in note for note in caught.value.diagnostics[0].notes)
    assert list(tmp_path.iterdir()) == []


def test_a_figure_of_volumes_is_svg_and_png_alone() -> None:
    figure = archdsl.draw(archdsl.loads(NET), style="volume")
    ET.fromstring(figure.svg)  # noqa: S314 - our own text
    assert figure.png(1).startswith(b"\x89PNG")
    for form in ("dot", "pdf", "html"):
        with pytest.raises(ArchError, match="a figure of volumes is not to be had as"):
            figure.content(form)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": "prt"}, "there is no module prt"),
        ({"layout": "u"}, "cannot be drawn as a U"),
        ({"theme": "sepia"}, "sepia"),
        ({"layout": "circle"}, "circle"),
        ({"style": "cubist"}, "cubist"),
        ({"depth": 0}, "depth is how many levels"),
        ({"depth": "2"}, "depth is how many levels"),
        ({"sizes": {"Q": 3}}, "no free size Q"),
    ],
)
def test_wrong_options_get_a_diagnostic(options: dict[str, object], message: str) -> None:
    with pytest.raises(ArchError, match=message):
        _ = archdsl.draw(archdsl.loads(NET), **options).svg  # type: ignore[arg-type]  # they are wrong


def test_two_networks_are_drawn_as_one_with_what_changed() -> None:
    after = archdsl.loads(NET.replace("relu", "gelu").replace("linear(5)", "linear(5) -> softmax"))
    picture = archdsl.draw(after, before=archdsl.loads(NET))
    assert set(picture.status.values()) >= {"kept", "added"}
    words = read(picture.svg).words
    assert {"softmax", "added", "conv 3×3, 8"} <= set(words)
