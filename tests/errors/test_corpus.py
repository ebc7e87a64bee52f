"""Each file of the corpus gives the errors that stand on its lines, and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import archdsl
from archdsl.diagnostics import Diagnostic, render
from tests.errors.expectations import CORPUS, agrees, cases, diagnose, expectations, listed, mistake


@pytest.mark.parametrize("case", cases(), ids=lambda path: path.stem)
def test_each_error_stands_on_its_line(case: Path) -> None:
    wanted = dict(expectations(case))
    found = {mistake(d): d for d in diagnose(case)}
    missing, unexpected = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    assert not missing, f"not reported:{listed(sorted(missing))}"
    assert not unexpected, f"reported without being expected:{listed(sorted(unexpected))}"
    for key, help in wanted.items():
        assert agrees(found[key].help, help), f"{key}\n  its help is {found[key].help!r}"


def test_a_network_that_expects_nothing_is_sound() -> None:
    """The corpus holds a few sound networks, which other ones lean on; most of it fails."""
    faulty = sum(len(list(expectations(case))) for case in cases())
    assert faulty > 250


@pytest.mark.parametrize("edit", ["# error[unknown-name] at `widht`: another message", ""])
def test_a_wrong_expectation_would_be_seen(edit: str, tmp_path: Path) -> None:
    case = tmp_path / "case.arch"
    text = f"network n {{\n    input x: [4]\n    linear(widht)  {edit}\n}}\n"
    case.write_text(text, encoding="utf-8")
    wanted = {m for m, _ in expectations(case)}
    assert wanted != {mistake(d) for d in diagnose(case)}


# What only a folder can show --------------------------------------------------------

NETWORK = "network n {\n    input x: [4]\n    linear(3)\n}\n"


def one(path: Path) -> Diagnostic:
    (diagnostic,) = archdsl.load(path).diagnostics
    return diagnostic


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (tmp_path / "outside.arch").write_text("let secret = 3\n", encoding="utf-8")
    return root


def test_an_import_does_not_leave_the_root(project: Path) -> None:
    main = project / "main.arch"
    main.write_text(f'from "../outside.arch" import secret\n{NETWORK}', encoding="utf-8")
    found = one(main)
    assert found.code == "bad-import"
    assert found.message == "an import cannot leave the project's folder"
    assert found.help == "the root is project/"


def test_a_link_does_not_lead_out_of_the_root(project: Path) -> None:
    (project / "inside.arch").symlink_to(project.parent / "outside.arch")
    main = project / "main.arch"
    main.write_text(f'from "inside.arch" import secret\n{NETWORK}', encoding="utf-8")
    assert one(main).code == "bad-import"


def test_a_link_inside_the_root_is_followed(project: Path) -> None:
    (project / "real.arch").write_text("let width = 3\n", encoding="utf-8")
    (project / "inside.arch").symlink_to(project / "real.arch")
    main = project / "main.arch"
    main.write_text(f'from "inside.arch" import width\n{NETWORK}', encoding="utf-8")
    assert archdsl.load(main).diagnostics == ()


def test_a_text_imports_from_std_alone() -> None:
    (found,) = archdsl.loads('from "blocks.arch" import part\n' + NETWORK).diagnostics
    assert found.message == "a text that is no file can import from std alone"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"network n {\xe9}"])
def test_a_file_that_is_no_text(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_bytes(content)
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.load(path)
    (found,) = caught.value.diagnostics
    assert found.code == "unreadable-file"
    assert "is not UTF-8 text" in found.message


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.load(tmp_path)
    assert caught.value.diagnostics[0].code == "unreadable-file"


# What an error looks like -----------------------------------------------------------

RESNET = """\
# Deep Residual Learning for Image Recognition (He et al., 2015)

block conv_bn(width, size) { conv(width, size) -> bn }

block basic(width, stride = 1) {
        residual {


            conv(width, 3, stride, padding = 1, bias = false) -> bn -> relu
            conv(width, 3, padding = 1, bias = false) -> bn
        } shortcut {
            if stride == 1 and it.channels != width {
                downsample: { conv(width, 1, stride, bias = false) -> bn }
            }
        }
        relu
}

network resnet(unit, depths, classes = 1000) {
    input image: [3, 224, 224]

    conv(64, 7, stride = 2, padding = 3, bias = false) -> bn -> relu
    max_pool(3, stride = 2, padding = 1)
    for level, depth in enumerate(depths) {
        layer{level + 1}: for i in range(depth) {
            unit(64 * 2 ** level, stride = 2 if i == 0 and level > 0 else 1)
        }
    }
    global_avg_pool -> flatten
    fc: linear(classes)
}

network resnet18 = resnet(basic, [2, 2, 2, 2])
"""


def test_a_residual_that_does_not_fit_looks_as_the_language_says(
    golden: Callable[..., None],
) -> None:
    specification = archdsl.loads(RESNET, "resnet.arch")
    (found,) = specification.elaborate("resnet18").diagnostics
    golden(render(found) + "\n")


def test_a_message_is_plain_data_too() -> None:
    specification = archdsl.loads(RESNET, "resnet.arch")
    (found,) = specification.elaborate("resnet18").diagnostics
    assert found.as_dict() == {
        "code": "shape-mismatch",
        "severity": "error",
        "message": "the two paths of this residual have different shapes",
        "place": {"file": "resnet.arch", "line": 6, "column": 9, "end_line": 6, "end_column": 17},
        "text": "the body gives [128, 28, 28], the shortcut gives [64, 56, 56]",
        "labels": [
            {
                "place": {
                    "file": "resnet.arch",
                    "line": 9,
                    "column": 28,
                    "end_line": 9,
                    "end_column": 34,
                },
                "text": "the size is halved here",
            }
        ],
        "notes": [],
        "calls": ["basic(128, stride = 2), called from resnet.arch:26:13 at layer2.0"],
        "help": "give it a shortcut: shortcut { conv(128, 1, stride = 2) -> bn }",
    }


def test_the_corpus_is_where_it_is_looked_for() -> None:
    assert CORPUS.is_dir()
    assert {"names", "shapes", "imports"} <= {case.stem for case in cases()}
