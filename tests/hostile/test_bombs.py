"""Small texts that ask for more than there is end soon, in little memory, with a diagnostic."""

from __future__ import annotations

import json
import os

import pytest

from tests.hostile.journey import run_bounded

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits as POSIX has them")


def network(body: str, sizes: str = "4, 8, 8") -> str:
    return f"network n {{\n    input x: [{sizes}]\n    {body}\n}}\n"


def doubling(levels: int, name: str = "l", brackets: str = "[]") -> str:
    """Constants of which each holds the one before twice: 2 ** levels items, in a few lines."""
    start, end = brackets[0], brackets[1]
    lines = [f"let {name}0 = {start}0, 0{end}"]
    lines += [
        f"let {name}{i} = {start}{name}{i - 1}, {name}{i - 1}{end}" for i in range(1, levels + 1)
    ]
    return "\n".join(lines) + "\n"


def powers(first: str, sizes: str) -> str:
    """A size that is raised to the eighth power ten times."""
    lets = [f"let a0 = {first}"] + [f"let a{i + 1} = a{i} ** 8" for i in range(10)]
    return network("\n    ".join([*lets, "linear(a10)"]), sizes)


TUPLES = doubling(60, brackets="()")
LISTS = doubling(60)
NESTED = "let a = [0] * 1000\nlet b = [a] * 1000\nlet c = [b] * 1000\n"
MANY = 10_000

BOMBS = {
    # numbers
    "a thousand digits": (network(f"linear({'9' * 1000})"), "bad-value"),
    "more digits": (network(f"linear({'9' * 1001})"), "syntax"),
    "a tower of powers": (network("linear(9 ** 9 ** 9 ** 9)"), "bad-value"),
    "a power of nearly one": (network("linear(1.0000001 ** 10 ** 18)"), "bad-value"),
    "places before the point": (network("linear(round(5, -(10 ** 10)))"), "bad-argument"),
    "places behind it": (network("linear(round(5, 10 ** 18))"), None),
    "powers of a free size": (powers("it.channels * 3", "H, 4"), "bad-value"),
    "powers of a sum": (powers("it.channels + it.height + 1", "H, W, 4"), "too-large"),
    "a half of a free size": (network("linear(it.channels / 2)", "H, 4"), "bad-value"),
    "a free size by a fraction": (network("linear(it.channels * 1.5)", "H, 4"), "bad-value"),
    # lists
    "a huge range": (network("for i in range(10 ** 12) { relu }"), "too-large"),
    "a huge list": (network("linear(len([0] * 10 ** 12))"), "too-large"),
    "ranges in ranges": (
        network("linear(len([0 for i in range(10 ** 6) if len([0 for j in range(10 ** 6)]) > 0]))"),
        "too-large",
    ),
    "text times a number": (network('linear("a" * 10 ** 9)'), "bad-value"),
    "constants without end": (
        "".join(f"let a{i} = enumerate([0] * 1000000)\n" for i in range(300)) + network("relu"),
        "too-large",
    ),
    "maxima of maxima": (network(f"linear({'max(' * 40}1, 2{')' * 40})"), "bad-value"),
    # lists that are short to write and long to look through
    "said in a message": (LISTS + network("linear(l60)"), "bad-argument"),
    "in the chain of calls": (
        TUPLES + "block b(v) { linear(nothing) }\n" + network("b(l60)"),
        "unknown-name",
    ),
    "an argument of torch": (LISTS + network("nn.ReLU(l60)"), "bad-argument"),
    "an argument of torch, wide": (NESTED + network("nn.ReLU(c)"), "bad-argument"),
    "a named one": (NESTED + network("nn.ReLU(inplace = c)"), "bad-argument"),
    "compared": (LISTS + doubling(60, "m") + network("if l60 == m60 { relu }"), "bad-value"),
    "compared in layers": (
        LISTS + doubling(60, "m") + network("if conv(l60) == conv(m60) { relu }"),
        "bad-value",
    ),
    "a label": (LISTS + network("a{l60}: relu"), "bad-value"),
    "a default": (LISTS + "network n(v = l60) {\n input x: [4]\n linear(3)\n}\n", None),
    # expansion
    "a long repeat": (network("repeat 10 ** 12 { relu }"), "too-large"),
    "repeats of repeats": (
        network("repeat 1000 { repeat 1000 { repeat 1000 { relu } } }"),
        "too-large",
    ),
    "a deep u": (
        network("unet l in range(10 ** 12) {\n down { max_pool(2) }\n up { upsample(2) }\n}"),
        "too-large",
    ),
    "recursion": ("block b() { b -> b }\n" + network("b"), "recursion"),
    # sizes
    "sizes that grow": (
        network("repeat 5000 { concat(it, it, it, it, it, it, it, it) }"),
        "too-large",
    ),
    "free sizes that grow": (
        network("repeat 5000 { upsample(scale_factor = 10) }", "4, H, W"),
        "too-large",
    ),
    "a huge parameter": (network("linear(2 ** 31 - 1) -> linear(2 ** 31 - 1)"), None),
    # depth
    **{
        f"deep {name}": (text, "too-deep")
        for name, text in {
            "parentheses": network(f"linear({'(' * MANY}1{')' * MANY})"),
            "lists": network(f"linear({'[' * MANY}1{']' * MANY})"),
            "groups": network("{ " * MANY + "relu" + " }" * MANY),
            "ifs": network("if true { " * MANY + "relu" + " }" * MANY),
            "chains of else": network("if false { relu } else " * MANY + "{ relu }"),
            "residuals": network("residual { " * MANY + "relu" + " }" * MANY),
            "signs": network(f"linear({'- ' * MANY}1)"),
            "negations": network(f"if {'not ' * MANY}true {{ relu }}"),
            "powers": network(f"linear(1{' ** 1' * MANY})"),
            "sums": network(f"linear(1{' + 1' * MANY})"),
            "conditions": network(f"linear({'1 if true else ' * MANY}1)"),
            "calls": network(f"relu{'()' * MANY}"),
            "attributes": network(f"linear(it{'.shape' * MANY})"),
        }.items()
    },
    # length
    "a long pipeline": (network(" -> ".join(["relu"] * MANY)), None),
    "comments without end": ("# a\n" * 2 * MANY + network("relu"), None),
    "brackets never closed": (network("linear(" + "f(" * MANY), "too-deep"),
    "one long line": (network(f"linear(len([{'1, ' * MANY}]))"), None),
    "one long name": (network("a" * 1_000_000), "syntax"),
    "one long label": (network("a" * 1_000_000 + ": relu"), "syntax"),
}

WALK = """
import json, resource, sys, time
from tests.hostile.journey import walk
for name, text in json.load(sys.stdin).items():
    start = time.process_time()
    codes = walk(text)
    print(json.dumps([name, codes, time.process_time() - start]), flush=True)
"""
ORDINARY_LONGEST = 12.0  # seconds; the slowest takes about four
MEGABYTES = 1536


def test_bombs_are_duds() -> None:
    done = run_bounded(
        WALK,
        stdin=json.dumps({name: text for name, (text, _) in BOMBS.items()}),
        seconds=100,
        megabytes=MEGABYTES,
    )
    walked = {
        name: (codes, took) for name, codes, took in map(json.loads, done.stdout.split("\n")[:-1])
    }
    missing = next((name for name in BOMBS if name not in walked), None)
    assert missing is None, f"{missing}: {done.returncode} {done.stderr[-2000:]}"
    wrong = {
        name: codes
        for name, (codes, _) in walked.items()
        if (
            BOMBS[name][1] not in codes
            if BOMBS[name][1]
            else any(c != "shadowed-name" for c in codes)
        )
    }
    assert not wrong
    assert not {name: took for name, (_, took) in walked.items() if took > ORDINARY_LONGEST}


def test_the_bounds_hold() -> None:
    """A process that does go off is stopped: else the test above could not fail."""
    done = run_bounded("x = [0] * 10 ** 9", megabytes=512)
    assert "MemoryError" in done.stderr
    assert run_bounded("while True: pass", seconds=1).returncode < 0


SPARSE = """
import sys
import archdsl
for size in map(int, sys.argv[2:]):
    with open(sys.argv[1], "wb") as file:
        file.truncate(size)
    try:
        archdsl.load(sys.argv[1])
    except archdsl.ArchError as error:
        print(error.diagnostics[0].code)
"""


def test_a_file_of_100_megabytes_is_refused(tmp_path: object) -> None:
    done = run_bounded(
        SPARSE, f"{tmp_path}/a.arch", str(100 * 2**20 + 1), str(100 * 2**20), seconds=10
    )
    assert done.stdout.split() == ["too-large", "syntax"], done.stderr[-500:]


def test_what_has_no_end_is_refused() -> None:
    code = (
        "import archdsl\ntry: archdsl.load('/dev/zero')\n"
        "except archdsl.ArchError as error: print(error.diagnostics[0].code)"
    )
    assert run_bounded(code, seconds=10).stdout.split() == ["too-large"]
