"""Nodes of the tree: equal by what they say, whatever their places."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields, replace

import pytest

from archdsl.diagnostics import Source, Span
from archdsl.syntax import ast

SOURCE = Source("a.arch", "x + y")
HERE, THERE = Span(SOURCE, 0, 1), Span(SOURCE, 4, 5)


def test_the_place_makes_no_difference() -> None:
    assert ast.Name(HERE, "x") == ast.Name(THERE, "x")
    assert hash(ast.Name(HERE, "x")) == hash(ast.Name(THERE, "x"))
    value = ast.Name(HERE, "it")
    assert ast.Attribute(HERE, value, "rank", HERE) == ast.Attribute(THERE, value, "rank", THERE)


def test_what_is_said_makes_one() -> None:
    assert ast.Name(HERE, "x") != ast.Name(HERE, "y")
    left, right = ast.Name(HERE, "x"), ast.Name(HERE, "y")
    assert ast.Binary(HERE, "+", left, right) != ast.Binary(HERE, "-", left, right)
    assert ast.ListExpr(HERE, ()) != ast.TupleExpr(HERE, ())
    assert ast.Name(HERE, "x") != "x"


def test_a_node_shows_what_it_says() -> None:
    shown = repr(ast.Unary(HERE, "-", ast.Name(HERE, "x")))
    assert shown == "Unary(op='-', operand=Name(id='x'))"


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))]
)
def test_a_copy_is_equal(again: object) -> None:
    node = ast.Call(HERE, ast.Name(HERE, "relu"), ())
    made = again(node)  # type: ignore[operator]
    assert made == node
    assert made is not node
    assert made.span == HERE


def test_a_node_can_be_made_anew_with_another_field() -> None:
    let = ast.Let(HERE, "x", HERE, ast.Name(THERE, "y"))
    assert replace(let, doc="why").doc == "why"
    assert replace(let, doc="why") != let


def test_every_kind_of_node_can_be_compared() -> None:
    """Each has content besides its places: without any, all of a kind would be equal."""
    kinds = [k for k in vars(ast).values() if isinstance(k, type) and issubclass(k, ast.Node)]
    assert len(kinds) > 30
    for kind in kinds:
        assert kind is ast.Node or any(f.compare for f in fields(kind)), kind
