"""Imports that would leave the project, weights that would run, disks that are full."""

from __future__ import annotations

import io
import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

import archdsl
from archdsl.diagnostics import ArchError
from archdsl.output import write_file
from tests.hostile.journey import ROOT, run_bounded

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and limits as POSIX has them")
NETWORK = "network n {\n    input x: [4]\n    linear(width)\n}\n"
OUTSIDE = "let width = 3\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (root / "models").mkdir()
    (tmp_path / "outside.arch").write_text(OUTSIDE, encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.arch").write_text(OUTSIDE, encoding="utf-8")
    return root


def codes_of_import(project: Path, module: str) -> list[str]:
    main = project / "models" / "main.arch"
    main.write_text(f'from "{module}" import width\n{NETWORK}', encoding="utf-8")
    return [d.code for d in archdsl.check(f"{main}:n").diagnostics]


# Imports ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "module",
    [
        "../../outside.arch",
        "./.././../outside.arch",
        "../models/../../outside.arch",
        "nowhere/../../../outside.arch",
        "//{tmp}/outside.arch",
        "{tmp}/outside.arch",
        "file://{tmp}/outside.arch",
        "file:///{tmp}/outside.arch",
        "~/outside.arch",
        "$HOME/outside.arch",
        "https://example.org/a.arch",
        "\\\\\\\\server\\\\share\\\\a.arch",
        "C:\\\\a.arch",
        "folder/secret.arch",
        "link.arch",
        "chain.arch",
        "../../OUTSIDE.ARCH",
        "",
        ".",
        "..",
        ".arch",
        "/.arch",
        "a\\u0000.arch",
        "a\\n.arch",
        "/dev/zero",
        "/dev/stdin.arch",
        "/proc/self/environ",
        "pipe.arch",
        "circle.arch",
        "folder.arch",
        "dangling.arch",
        "{long}.arch",
    ],
)
def test_no_import_reaches_out_of_the_project(project: Path, module: str) -> None:
    models = project / "models"
    (models / "folder").symlink_to(project.parent / "elsewhere")
    (models / "link.arch").symlink_to(project.parent / "outside.arch")
    (models / "chain.arch").symlink_to(models / "link.arch")
    (models / "circle.arch").symlink_to(models / "circle2.arch")
    (models / "circle2.arch").symlink_to(models / "circle.arch")
    (models / "dangling.arch").symlink_to(models / "nothing.arch")
    (models / "folder.arch").mkdir()
    os.mkfifo(models / "pipe.arch")
    shown = module.replace("{tmp}", str(project.parent)).replace("{long}", "x" * 5000)
    codes = codes_of_import(project, shown)
    assert codes, "the import was followed"
    assert set(codes) <= {"bad-import", "unreadable-file"}


def test_an_import_inside_the_project_is_followed(project: Path) -> None:
    """Else the test above could not fail."""
    (project / "inside.arch").write_text(OUTSIDE, encoding="utf-8")
    assert codes_of_import(project, "../inside.arch") == []


@pytest.mark.parametrize("length", [1, 2, 5])
def test_imports_in_a_circle_end(project: Path, length: int) -> None:
    for i in range(length):
        following = f"part{(i + 1) % length}.arch"
        (project / "models" / f"part{i}.arch").write_text(
            f'from "{following}" import width\n', encoding="utf-8"
        )
    assert "import-loop" in codes_of_import(project, "part0.arch")


def test_a_long_chain_of_imports_ends(project: Path) -> None:
    for i in range(3_000):
        text = f'from "part{i + 1}.arch" import width\n' if i < 2_999 else OUTSIDE
        (project / "models" / f"part{i}.arch").write_text(text, encoding="utf-8")
    assert set(codes_of_import(project, "part0.arch")) <= {"too-deep"}


# Weights ----------------------------------------------------------------------------

SMALL = "network n {\n    input x: [4]\n    fc: linear(3)\n}\n"


def refusal(path: Path) -> str:
    with pytest.raises(ArchError) as caught:
        archdsl.compile(archdsl.loads(SMALL), weights=path)
    (found,) = caught.value.diagnostics
    assert found.code == "bad-weights"
    assert len(str(found)) < 2_000
    return found.message


class Touch:
    """What makes a folder when it is unpickled, by a way that looks harmless."""

    def __init__(self, act: Any, *arguments: Any) -> None:
        self.found = act, arguments

    def __reduce__(self) -> Any:
        return self.found


def test_no_way_of_a_pickle_runs_anything(tmp_path: Path) -> None:
    mark = tmp_path / "it_ran"
    ways = [
        Touch(os.mkdir, str(mark)),
        Touch(exec, f"import os; os.mkdir({str(mark)!r})"),
        Touch(eval, f"__import__('os').mkdir({str(mark)!r})"),
        Touch(getattr, os, "mkdir"),
        Touch(torch.load, str(mark)),
        Touch(subprocess.Popen, ["mkdir", str(mark)]),
        Touch(type, "A", (), {}),
    ]
    for number, way in enumerate(ways):
        for depth, value in enumerate((way, {"fc.weight": way}, {"a": [{"b": (way,)}]})):
            path = tmp_path / f"{number}-{depth}.pt"
            try:
                torch.save(value, path)
            except (TypeError, pickle.PicklingError):
                continue
            refusal(path)
            assert not mark.exists()


def safetensors(header: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + body


def entry(**more: Any) -> bytes:
    fields = {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48], **more}
    return json.dumps({"fc.weight": fields}).encode()


@pytest.mark.parametrize(
    "content",
    [
        safetensors(entry(), b"\0" * 47),
        safetensors(entry(), b"\0" * 480),
        safetensors(entry(), b"\0" * 48, length=2**63),
        safetensors(entry(), b"\0" * 48, length=2**64 - 1),
        safetensors(entry(), b"\0" * 48, length=5),
        safetensors(entry(data_offsets=[48, 0]), b"\0" * 48),
        safetensors(entry(data_offsets=[-48, 0]), b"\0" * 48),
        safetensors(entry(data_offsets=[0, 2**62]), b"\0" * 48),
        safetensors(entry(shape=[2**40, 2**40]), b"\0" * 48),
        safetensors(entry(shape=[-3, -4]), b"\0" * 48),
        safetensors(entry(dtype="__import__('os')"), b"\0" * 48),
        safetensors(entry(dtype="I8"), b"\0" * 48),
        safetensors(b"[" * 100_000),
        safetensors(b'{"a":' * 100_000),
        safetensors(b"{}" + b" " * 1_000_000),
        safetensors(b"\xff" * 64),
        b"",
    ],
    ids=range(17),
)
def test_a_wrong_header_of_safetensors(content: bytes, tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="an extra")
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(ArchError) as caught:
        archdsl.compile(archdsl.loads(SMALL), weights=path)
    assert {d.code for d in caught.value.diagnostics} == {"bad-weights"}


def zip_bomb(path: Path, megabytes: int) -> None:
    """An archive of torch whose one record unpacks to a thousand times its size."""
    whole = io.BytesIO()
    torch.save({"fc.weight": torch.zeros(3, 4), "fc.bias": torch.zeros(3)}, whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, b"\0" * (megabytes * 2**20) if name.endswith("data/0") else data)


BOUNDED = """
import sys, archdsl
try:
    archdsl.compile(archdsl.loads(sys.argv[2]), weights=sys.argv[1])
    print("loaded")
except archdsl.ArchError as error:
    print(*(d.code for d in error.diagnostics))
"""


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    zip_bomb(tmp_path / "bomb.pt", 400)
    assert (tmp_path / "bomb.pt").stat().st_size < 2**20
    done = run_bounded(BOUNDED, str(tmp_path / "bomb.pt"), SMALL, megabytes=8192)
    assert done.stdout.split() == ["bad-weights"], done.stderr[-800:]


# Output -----------------------------------------------------------------------------

WRITE = """
import resource, signal, sys
from archdsl.diagnostics import ArchError
from archdsl.output import write_file
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_file(sys.argv[1], "new" * 100_000)
except ArchError as error:
    print(error.diagnostics[0].code, "|", error.diagnostics[0].message)
"""


def test_a_full_disk_is_one_error_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "out.py"
    path.write_text("old", encoding="utf-8")
    done = run_bounded(WRITE, str(path))
    assert done.stdout.startswith("unwritable-file | "), done.stderr
    assert "file too large" in done.stdout
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_device_is_one_error() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with pytest.raises(ArchError) as caught:
        write_file("/dev/full", "text")
    assert "no space left" in caught.value.diagnostics[0].message


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_only_be_read(tmp_path: Path) -> None:
    path = tmp_path / "out.py"
    path.write_text("old", encoding="utf-8")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ArchError) as caught:
            write_file(path, "new")
    finally:
        tmp_path.chmod(0o700)
    assert caught.value.diagnostics[0].code == "unwritable-file"
    assert path.read_text(encoding="utf-8") == "old"


AGAIN = """
import sys
from archdsl.output import write_file
print("begun", flush=True)
for number in range(10 ** 9):
    write_file(sys.argv[1], str(number % 10) * 2_000_000)
"""


def test_killed_at_any_moment_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old" * 10, encoding="utf-8")
    for delay in (0.0, 0.003, 0.01, 0.03, 0.05):
        with subprocess.Popen(
            [sys.executable, "-c", AGAIN, str(path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(delay)
            process.send_signal(signal.SIGKILL)
        text = path.read_text(encoding="utf-8")
        assert text == "old" * 10 or (len(text) == 2_000_000 and len(set(text)) == 1)
