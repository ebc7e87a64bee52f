"""The rules of the house: imports stay light, floors hold, and the package ships what it needs."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "onnx", "onnxruntime", "onnxscript", "safetensors"}
NETWORK = "network tiny {\n    input x: [3, 8, 8]\n    conv(4, 3) -> relu\n}\n"


def run_python(code: str, *arguments: str, place: Path = ROOT) -> str:
    """What a fresh interpreter prints, run at a place whose packages it imports first."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(place)!r})\n{code}",
            *arguments,
        ],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# Importing stays light ------------------------------------------------------------


def heavy_after(code: str, *arguments: str) -> set[str]:
    """Which heavy packages a fresh interpreter has loaded once it has run some code."""
    shown = run_python(f"{code}\nprint('loaded:', *sys.modules)", *arguments)
    loaded = shown.rpartition("loaded:")[2].split()
    assert "sys" in loaded
    return HEAVY.intersection(loaded)


RUN_COMMAND = """
from archdsl.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert heavy_after("import archdsl") == set()


@pytest.mark.parametrize("command", ["check", "fmt"])
def test_a_command_that_runs_no_network_loads_nothing_heavy(command: str, tmp_path: Path) -> None:
    path = tmp_path / "tiny.arch"
    path.write_text(NETWORK, encoding="utf-8")
    assert heavy_after(RUN_COMMAND, command, str(path)) == set()


def test_writing_the_source_loads_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "tiny.arch"
    path.write_text(NETWORK, encoding="utf-8")
    code = "import archdsl\nassert 'nn.Conv2d' in archdsl.source(sys.argv[1])"
    assert heavy_after(code, f"{path}:tiny") == set()


def test_the_command_line_leaves_the_builder_alone() -> None:
    shown = run_python("import archdsl.cli, sys\nprint('archdsl.builder' in sys.modules)")
    assert shown.strip() == "False"
    shown = run_python(
        "import archdsl, sys\narchdsl.Builder\nprint('archdsl.builder' in sys.modules)"
    )
    assert shown.strip() == "True"


def test_a_heavy_import_would_be_seen() -> None:
    assert "torch" in heavy_after("import archdsl, torch")


# The floors hold ------------------------------------------------------------------


def lint_imports(place: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter, with this repository's contracts, on the archdsl at a place."""
    code = "from importlinter.cli import lint_imports_command as lint; lint()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache", "--config", str(ROOT / "pyproject.toml")],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_floor_knows_only_those_below() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("path", "line", "broken"),
    [
        ("diagnostics.py", "import archdsl.ops", "A floor knows only the floors below it"),
        ("attic.py", "", "A floor knows only the floors below it"),
        ("graph.py", "import torch", "Nothing but the module in process and its export"),
        ("backends/dot.py", "import archdsl.backends.other", "The backends are blind"),
    ],
)
def test_a_broken_floor_would_be_seen(path: str, line: str, broken: str, tmp_path: Path) -> None:
    package = tmp_path / "archdsl"
    shutil.copytree(ROOT / "archdsl", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "backends" / "other.py").touch()
    with (package / path).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(row.startswith(broken) and " BROKEN" in row for row in done.stdout.splitlines()), (
        done.stdout
    )


# No homeless functions ------------------------------------------------------------


def homeless(root: Path) -> Iterator[str]:
    """The modules and packages whose name says nothing of what they hold."""
    for path in sorted(root.rglob("*")):
        if (path.is_dir() or path.suffix == ".py") and path.stem.strip("_") in {
            "base",
            "common",
            "helper",
            "helpers",
            "misc",
            "util",
            "utils",
        }:
            yield path.relative_to(root).as_posix()


@pytest.mark.parametrize("folder", ["archdsl", "tests", "examples"])
def test_every_module_has_a_name_that_says_what_it_holds(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert list(homeless(ROOT / folder)) == []


def test_a_homeless_module_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "utils").mkdir()
    (tmp_path / "utils" / "_helpers.py").touch()
    (tmp_path / "conv.py").touch()
    assert list(homeless(tmp_path)) == ["utils", "utils/_helpers.py"]


# What is shipped ------------------------------------------------------------------


def shipped_files() -> set[str]:
    """The data files of this checkout, each where the installed package has it."""
    places = {
        "grammars": "archdsl/grammars",
        "specs": "archdsl/specs",
        "archdsl/std": "archdsl/std",
    }
    return {
        f"{installed}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, installed in places.items()
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".arch", ".lark"}
    } | {"archdsl/py.typed"}


_PAGE = {".html", ".css", ".js"}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built in a room of its own."""
    pytest.importorskip("hatchling", reason="the build backend is missing: make setup")
    out = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    alone = ["--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, *alone, "--wheel-dir", str(out), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("archdsl-*.whl")
    return built


def test_the_grammar_is_found_from_a_checkout() -> None:
    assert "archdsl/grammars/arch.lark" in shipped_files()
    code = "from archdsl.syntax.tables import find_grammar; print(find_grammar())"
    assert Path(run_python(code).strip()) == ROOT / "grammars" / "arch.lark"


def test_the_wheel_holds_what_the_package_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert shipped_files() <= names
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "archdsl").rglob("*.py")}
    assert modules <= names
    fonts = {path.relative_to(ROOT).as_posix() for path in (ROOT / "archdsl").rglob("fonts/*.*")}
    assert len(fonts) == 6  # three fonts, their licences, and a page on them
    assert fonts <= names
    page = ROOT / "archdsl" / "backends" / "dot" / "page"
    parts = {p.relative_to(ROOT).as_posix() for p in page.iterdir() if p.suffix in _PAGE}
    assert len(parts) == 12  # a document, a style, ten scripts
    assert parts <= names
    assert {name.partition("/")[0] for name in names} == {"archdsl", "archdsl-0.1.0.dist-info"}


def test_the_grammar_is_found_from_a_wheel(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "from archdsl.diagnostics import Source\n"
        "from archdsl.syntax.parser import parse\n"
        "from archdsl.syntax.tables import find_grammar\n"
        "parse(Source('tiny.arch', sys.argv[1]))\n"
        "print(find_grammar())"
    )
    grammar = run_python(code, NETWORK, place=tmp_path).strip()
    assert Path(grammar) == tmp_path.resolve() / "archdsl" / "grammars" / "arch.lark"


def test_the_zoo_is_found_from_a_wheel(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "import archdsl; print(archdsl.new('lenet'), end='')"
    expected = (ROOT / "specs" / "lenet.arch").read_text(encoding="utf-8")
    assert run_python(code, place=tmp_path) == expected


def test_the_source_distribution_holds_what_the_wheel_is_built_from(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the build backend is missing: make setup")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (built,) = tmp_path.glob("archdsl-*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "LICENSE", "grammars/arch.lark", "archdsl/diagnostics.py"}
    assert wanted <= names


# Golden files ---------------------------------------------------------------------


def test_a_golden_file_is_written_kept_and_compared(tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    shutil.copy(ROOT / "tests" / "conftest.py", tests)
    sample = tests / "test_sample.py"

    def run(text: str, *flags: str) -> tuple[int, str]:
        sample.write_text(
            "import pytest\n\n"
            "@pytest.mark.parametrize('size', ['a/b'])\n"
            f"def test_shape(golden, size):\n    golden({text!r}, suffix='.py')\n",
            encoding="utf-8",
        )
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *flags, str(sample)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    status, shown = run("x = 1\n")
    assert status == 1
    assert "tests/golden/sample/shape-a-b.py is missing" in shown
    assert run("x = 1\n", "--update-golden")[0] == 0
    assert (tests / "golden" / "sample" / "shape-a-b.py").read_text(encoding="utf-8") == "x = 1\n"
    assert run("x = 1\n")[0] == 0
    status, shown = run("x = 2\n")
    assert status == 1
    assert "-x = 1" in shown
    assert "+x = 2" in shown
