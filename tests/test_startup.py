"""A command starts with what it needs, and what was put off is there when it is asked for."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import networkx as nx
import pytest

from archdsl.cli import COMMANDS, cli
from archdsl.ops.op import build, find

ROOT = Path(__file__).resolve().parents[1]

LOADED = """
import json, sys
from archdsl.cli import main
sys.argv[0] = "archdsl"
try:
    main()
finally:
    sys.stdout.write("\\n" + json.dumps(sorted(sys.modules)))
"""

LEAN = """
from archdsl.commands.lean_networkx import import_networkx
import_networkx()
import sys, networkx as nx
"""


def run(code: str, *arguments: str) -> str:
    made = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return made.stdout


def loaded_by(*arguments: str) -> set[str]:
    return set(json.loads(run(LOADED, *arguments).splitlines()[-1]))


def test_check_leaves_out_what_it_has_no_use_for() -> None:
    loaded = loaded_by("check", str(ROOT / "specs" / "resnet.arch"))
    assert {"networkx", "archdsl.commands.check"} <= loaded  # or the test looks at nothing
    put_off = {
        "networkx.algorithms",
        "importlib.metadata",
        "archdsl.backends.torch_source",
        "archdsl.syntax.printer",
        "archdsl.commands.compile",
        "torch",
    }
    assert not put_off & loaded


def test_fmt_needs_no_graph() -> None:
    loaded = loaded_by("fmt", "--check", str(ROOT / "specs" / "lenet.arch"))
    assert "archdsl.syntax.printer" in loaded
    assert "networkx" not in loaded


def test_every_command_is_in_the_table_and_every_entry_a_command() -> None:
    files = (ROOT / "archdsl" / "commands").glob("*.py")
    written = {f.stem for f in files if f"def {f.stem}_command(" in f.read_text(encoding="utf-8")}
    assert written == set(COMMANDS)
    context = cli.make_context("archdsl", ["--help"], resilient_parsing=True)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
    assert cli.get_command(context, "lean_networkx") is None


# networkx -------------------------------------------------------------------------------


def test_what_was_put_off_of_networkx_follows_when_it_is_asked_for() -> None:
    code = LEAN + (
        "before = 'networkx.algorithms' in sys.modules\n"
        "graph = nx.MultiDiGraph([('a', 'b'), ('b', 'c')])\n"
        "print([before, sorted(nx.descendants(graph, 'a')), sorted(dir(nx))])"
    )
    before, found, names = eval(run(code))
    assert not before
    assert found == ["b", "c"]
    assert set(names) == set(dir(nx))


def test_a_name_that_networkx_has_not_is_still_an_error() -> None:
    assert run(LEAN + "print(hasattr(nx, 'no_such_name'))") == "False\n"


def test_a_part_that_was_put_off_can_be_imported_by_its_name() -> None:
    code = LEAN + "import networkx.algorithms.dag as dag, importlib.metadata\nprint(dag.ancestors)"
    assert run(code).startswith("<function ancestors")


def test_a_networkx_that_cannot_do_without_is_imported_whole() -> None:
    code = (
        "import archdsl.commands.lean_networkx as lean\n"
        "lean._PUT_OFF = ('classes',)\n"
        "lean.import_networkx()\n"
        "import networkx as nx\n"
        "print(nx.descendants(nx.DiGraph([(1, 2)]), 1))"
    )
    assert run(code) == "{2}\n"


# Layers -----------------------------------------------------------------------------------


def test_a_layer_unpickled_elsewhere_is_whole() -> None:
    cls = find("conv")
    assert cls is not None
    conv = build(cls, {"out_channels": 8, "kernel_size": 3})
    code = (
        "import pickle, sys, archdsl\n"
        "conv = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
        "print(repr(conv), conv == pickle.loads(bytes.fromhex(sys.argv[1])), conv.arguments)"
    )
    expected = f"{conv!r} True {conv.arguments}\n"
    assert run(code, pickle.dumps(conv).hex()) == expected


@pytest.mark.parametrize("name", ["conv", "linear", "relu"])
def test_a_layer_can_be_made_by_its_class_in_a_fresh_process(name: str) -> None:
    """The class is no dataclass before: its first instance makes it one."""
    fields = {"conv": "8, 3", "linear": "8", "relu": ""}[name]
    code = (
        "import dataclasses, archdsl\nfrom archdsl.ops.op import find\n"
        f"cls = find({name!r})\n"
        "before = dataclasses.is_dataclass(cls)\n"
        f"print(before, cls({fields}) == cls({fields}), dataclasses.is_dataclass(cls))"
    )
    assert run(code) == "False True True\n"
