"""What a type checker must make of the public API. tests/test_api.py runs mypy on this file."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import archdsl
from archdsl.builder import Module

b = archdsl.Builder("tiny", doc="A network.")
x = b.input("image", 3, "H", "W")
assert_type(x, archdsl.Flow)
assert_type(x.conv(64, (3, 1), padding="same").bn().relu(name="act"), archdsl.Flow)
assert_type(b.conv(64, 3), Module)
assert_type(b.conv(64, 3)(x), archdsl.Flow)
assert_type(b.concat(x, x, axis=2), archdsl.Flow)
assert_type(x + x, archdsl.Flow)
assert_type(x.channels, int)
b.graph().add_node("y", op="relu")
x.registered_by_the_user(3, name="own")
sequence, *_ = x.lstm(128, hidden=None)
assert_type(sequence, archdsl.Flow)

x.conv()  # type: ignore[call-arg]
x.conv(64, "3")  # type: ignore[arg-type]
x.conv(64, 3, padding="sam")  # type: ignore[arg-type]
x.conv(64, 3, strides=1)  # type: ignore[call-arg]
x.cross_attention(8)  # type: ignore[call-arg]
x + 3  # type: ignore[operator]


@archdsl.block
def basic(x: archdsl.Flow, width: int, stride: int = 1) -> archdsl.Flow:
    return x.conv(width, 3, stride)


assert_type(basic(x, 64, stride=2), archdsl.Flow)
assert_type(basic.named("stem")(x, 64), archdsl.Flow)
basic(x)  # type: ignore[call-arg]
basic(x, "64")  # type: ignore[arg-type]

report = archdsl.check("net.arch:net", classes=10)
assert_type(report, archdsl.Report)
assert_type(report.ok, bool)
assert_type(archdsl.source(Path("net.arch")), str)
assert_type(archdsl.load("net.arch"), archdsl.Specification)
model = archdsl.compile(b.graph(), weights=Path("weights.pt"))
model.state_dict()
archdsl.compile(b.graph(), weights=model.state_dict())
archdsl.compile(3)  # type: ignore[arg-type]
