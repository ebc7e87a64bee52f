"""Expressions: what a person computes while a specification is read.

Total and bounded: no attribute but the sizes of a tensor, no call but the few pure
functions of ``FUNCTIONS``, no number or list beyond its limit, and a budget of steps.
"""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from archdsl.diagnostics import Diagnostic, Label, Span, suggest
from archdsl.dims import Dim, DimError, show
from archdsl.elaborate.trained import KINDS as TRAINED
from archdsl.elaborate.trained import Evaluate, is_technique, read_techniques
from archdsl.elaborate.values import (
    ABSENT,
    UNKNOWN,
    BlockDef,
    Bound,
    Env,
    LabelRef,
    LayerName,
    LayerValue,
    NetworkAlias,
    Poisoned,
    Stop,
    TensorRef,
)
from archdsl.ops import find_public as find
from archdsl.ops import names as layer_names
from archdsl.ops.arguments import Choice, describe
from archdsl.ops.op import Parameter, Tensor, choice_words, signature
from archdsl.records import record
from archdsl.syntax import ast

LONGEST_LIST = 1_000_000
LARGEST_NUMBER = 2**63
MOST_STEPS = 5_000_000
MOST_TERMS = 10_000  # of a free size's expression, while it is multiplied out
HIGHEST_DEGREE = 64  # of such an expression: how many free sizes are multiplied
MOST_PLACES = 400  # that are rounded to: no float has more before or behind its point
DEEPEST_LIST = 50  # how deep lists that are compared may be nested


@dataclass
class Budget:
    """How many more evaluation steps a specification may take."""

    steps: int = MOST_STEPS

    def spend(self, span: Span, steps: int = 1) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise Stop(
                Diagnostic(
                    "too-large",
                    "the specification takes too many steps to expand",
                    span=span,
                    text=f"stopped here after {MOST_STEPS:,} steps",
                    help="look for a count that is larger than it was meant to be",
                )
            )


def too_long(expr: ast.Node, length: int) -> Stop:
    """The error for a list that is longer than a specification may make one."""
    return Stop(
        Diagnostic(
            "too-large",
            f"a list of {length:,} items is too long",
            span=expr.span,
            text=f"at most {LONGEST_LIST:,}",
        )
    )


def bad_value(expr: ast.Node, message: str, *, text: str = "", help: str = "") -> Stop:
    """The error for a value that cannot be computed or used where it stands."""
    return Stop(Diagnostic("bad-value", message, span=expr.span, text=text, help=help))


def evaluate(expr: ast.Expr, env: Env, budget: Budget) -> Any:
    """The value of an expression. Raises Stop for a mistake, Poisoned where one was reported."""
    budget.spend(expr.span)
    return _EVALUATORS[type(expr)](expr, env, budget)


def _literal(expr: ast.Literal_, env: Env, budget: Budget) -> Any:
    if isinstance(expr.value, (int, float)) and not isinstance(expr.value, bool):
        return _bounded(expr, expr.value)
    return expr.value


def look_up(name: str, span: Span, env: Env, *, what: str = "name") -> Any:
    """The value of a name, from the innermost scope to the registered layers."""
    value = env.find(name)
    if value is UNKNOWN:
        raise Poisoned
    if value is not ABSENT:
        return value
    cls = find(name)
    if cls is not None:
        return LayerValue(cls)
    if name == "it":
        return current_tensor(span, env)
    if name in FUNCTIONS:
        raise Stop(
            Diagnostic(
                "bad-value", f"{name} is a function: call it", span=span, help=f"write {name}(…)"
            )
        )
    raise Stop(unknown_name(name, span, env, what))


MODULE_OR_TENSOR = "module or tensor"


def unknown_name(name: str, span: Span, env: Env, what: str = "name") -> Diagnostic:
    """The error for a name that stands for nothing, with what it may have meant."""
    message = f"there is no {what} {name}"
    inner = env.inner.get(name)
    if name in env.inner:
        labels = (Label(inner, "this one is inside { }"),) if inner is not None else ()
        help = "a name inside { } is not seen outside: give out what the group gives, with `as`"
        return Diagnostic("unknown-name", message, span=span, labels=labels, help=help)
    near = [k for k in env.visible() if not is_network(env.find(k))]
    meant = suggest(name, [*near, *FUNCTIONS, "it"])
    if (meant is None or what != "name") and what != MODULE_OR_TENSOR:
        meant = suggest(name, [*near, *layer_names(), "it"], closeness=0.7) or meant
    help = f"did you mean {meant}?" if meant else ""
    if not meant and name.isupper():
        help = "a free size is declared by its input: input x: [3, H, W]"
    elif name == "skip":
        help = "skip is what a unet keeps of a level: it is seen in join { … } alone"
    elif is_technique(name):
        help = "a layer with weights is told so itself: linear(8, penalty = l2(0.01))"
    elif not meant and hasattr(builtins, name):
        help = "nothing of Python can be used here: a specification never runs code"
    return Diagnostic("unknown-name", message, span=span, help=help)


def is_network(value: Any) -> bool:
    """Whether a name stands for a network, which is no part of another."""
    if isinstance(value, LayerValue) and isinstance(value.target, BlockDef):
        return value.target.definition.kind == "network"
    return isinstance(value, NetworkAlias)


def current_tensor(span: Span, env: Env) -> TensorRef:
    """``it``: the tensor that arrives."""
    it = next((e.it for e in env.chain() if e.it is not None), None)
    if it is None:
        raise no_tensor(span, env)
    return it


def no_tensor(span: Span, env: Env) -> Stop:
    """The error for a stage at which no tensor arrives."""
    tensors = [k for e in env.chain() for k, v in e.names.items() if isinstance(v, TensorRef)]
    start = f"start from a tensor: {tensors[0]} -> …" if tensors else ""
    several = "with several inputs, the first pipeline names where it starts"
    if not tensors and any(e.kind == "block" for e in env.chain()):
        start = "the block is called where nothing arrives: call it behind a tensor, x -> …"
    return Stop(
        Diagnostic(
            "no-tensor",
            "no tensor arrives here",
            span=span,
            text=several if len(tensors) > 1 else "",
            help=start,
        )
    )


def _name(expr: ast.Name, env: Env, budget: Budget) -> Any:
    return look_up(expr.id, expr.span, env)


def _items(
    expr: ast.ListExpr | ast.TupleExpr, env: Env, budget: Budget
) -> list[Any] | tuple[Any, ...]:
    budget.spend(expr.span, len(expr.items))
    values = [evaluate(item, env, budget) for item in expr.items]
    return values if isinstance(expr, ast.ListExpr) else tuple(values)


def _comprehension(expr: ast.Comprehension, env: Env, budget: Budget) -> list[Any]:
    result = []
    for item in elements(expr.iterable, env, budget):
        inner = Env(env)
        bind_targets(expr.iterable, expr.targets, item, inner)
        if expr.condition is None or truth(expr.condition, inner, budget):
            result.append(evaluate(expr.element, inner, budget))
    return result


def elements(expr: ast.Expr, env: Env, budget: Budget) -> Sequence[Any]:
    """The items of a list that is looped over."""
    value = evaluate(expr, env, budget)
    if isinstance(value, (list, tuple, range)):
        return value
    help = ""
    if isinstance(value, int) and not isinstance(value, bool):
        help = f"write range({value}) to count"
    raise bad_value(expr, f"a list is needed here, not {describe(value)}", help=help)


def bind_targets(expr: ast.Node, targets: tuple[str, ...], item: Any, env: Env) -> None:
    """Bind the names of a loop to one of its items."""
    for target in targets:
        refuse_it(target, expr.span)
    if len(targets) == 1:
        env.names[targets[0]] = item
        return
    if not isinstance(item, (list, tuple)) or len(item) != len(targets):
        many = isinstance(item, (list, tuple))
        names = f"the names {', '.join(targets[:-1])} and {targets[-1]}"
        raise bad_value(
            expr,
            f"{names} cannot be taken from {describe(item)}",
            text=f"each item is {len(item)} values" if many else "each item is one value",
            help=f"write one name, or enumerate({expr.span.text}) for a number with each item"
            if not many and len(targets) == 2
            else "",
        )
    env.names.update(zip(targets, item, strict=True))


def refuse_it(name: str, span: Span) -> None:
    """Raise Stop where a name that is bound is `it`, the tensor that arrives."""
    if name == "it":
        raise Stop(
            Diagnostic(
                "reserved-name",
                "`it` is the tensor that arrives, and nothing else can be called so",
                span=span,
                help="choose another name",
            )
        )


def truth(expr: ast.Expr, env: Env, budget: Budget) -> bool:
    """A condition: ``true`` or ``false``, known when the specification is read."""
    value = evaluate(expr, env, budget)
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float, str, list, tuple)) or value is None:
        return bool(value)
    if isinstance(value, LayerValue):
        return True
    if isinstance(value, Dim):
        raise _free_condition(expr, value)
    help = ""
    if isinstance(value, TensorRef):
        help = "ask for its shape, which is known: it.channels > 3"
    raise bad_value(expr, f"a condition must be true or false, not {describe(value)}", help=help)


def _unary(expr: ast.Unary, env: Env, budget: Budget) -> Any:
    if expr.op == "not":
        return not truth(expr.operand, env, budget)
    value = evaluate(expr.operand, env, budget)
    _need_number(expr.operand, value, expr.op)
    return -value if expr.op == "-" else value


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


def _binary(expr: ast.Binary, env: Env, budget: Budget) -> Any:
    if expr.op in ("and", "or"):
        left = evaluate(expr.left, env, budget)
        if bool_of(expr.left, left) == (expr.op == "or"):
            return left
        return evaluate(expr.right, env, budget)
    left = evaluate(expr.left, env, budget)
    right = evaluate(expr.right, env, budget)
    if isinstance(left, (list, tuple)) or isinstance(right, (list, tuple)):
        return _list_arithmetic(expr, left, right, budget)
    _need_number(expr.left, left, expr.op)
    _need_number(expr.right, right, expr.op)
    for number, size in ((left, right), (right, left)):
        if isinstance(number, float) and isinstance(size, Dim):
            message = f"{expr.op} of the free size {show(size)} takes whole numbers, not {number!r}"
            raise bad_value(expr, message)
    if expr.op == "/" and (isinstance(left, Dim) or isinstance(right, Dim)):
        raise bad_value(
            expr, "a free size is divided into whole numbers", help="write // in the place of /"
        )
    try:
        if expr.op == "**":
            return _power(expr, left, right)
        if expr.op in ("*", "%", "//"):
            _need_few_terms(expr, left, right)
        return _bounded(expr, _ARITHMETIC[expr.op](left, right))
    except ZeroDivisionError:
        raise bad_value(expr, "division by zero", text="the divisor is 0") from None
    except OverflowError:
        raise bad_value(expr, "the number is too large") from None
    except DimError as problem:
        raise bad_value(expr, str(problem)) from None


def bool_of(expr: ast.Expr, value: Any) -> bool:
    if isinstance(value, Dim):
        raise _free_condition(expr, value)
    return bool(value)


def _need_few_terms(expr: ast.Binary, left: Any, right: Any) -> None:
    terms = [len(side.terms) if isinstance(side, Dim) else 1 for side in (left, right)]
    if terms[0] * terms[1] > MOST_TERMS:
        raise Stop(
            Diagnostic(
                "too-large",
                "this size has too many terms when it is multiplied out",
                span=expr.span,
                text=f"more than {MOST_TERMS:,}",
            )
        )


def _list_arithmetic(expr: ast.Binary, left: Any, right: Any, budget: Budget) -> Any:
    if expr.op == "+" and type(left) is type(right):
        if len(left) + len(right) > LONGEST_LIST:
            raise too_long(expr, len(left) + len(right))
        budget.spend(expr.span, (len(left) + len(right)) // 4)
        return left + right
    if expr.op == "*":
        items, count = (left, right) if isinstance(left, (list, tuple)) else (right, left)
        if isinstance(count, int) and not isinstance(count, bool):
            if len(items) * max(count, 0) > LONGEST_LIST:
                raise too_long(expr, len(items) * count)
            budget.spend(expr.span, len(items) * max(count, 0) // 4)
            return items * count
    raise bad_value(expr, f"{describe(left)} {expr.op} {describe(right)} has no meaning")


def _need_number(expr: ast.Expr, value: Any, op: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float, Dim)):
        raise bad_value(expr, f"{op} needs numbers, and this is {describe(value)}")


def _power(expr: ast.Binary, base: Any, exponent: Any) -> Any:
    if isinstance(base, Dim) and isinstance(exponent, int) and 0 <= exponent <= 8:
        result: Any = 1
        for _ in range(exponent):
            _need_few_terms(expr, result, base)
            result = _bounded(expr, result * base)
        return result
    if isinstance(base, Dim) or isinstance(exponent, Dim):
        raise bad_value(expr, "a power of a free size must be a small whole number")
    if base == 0 and exponent < 0:
        raise ZeroDivisionError
    if base not in (0, 1, -1) and abs(exponent) * max(1.0, abs(math.log2(abs(base)))) > 1100:
        raise bad_value(expr, "the number is too large", text="a power this high is out of range")
    result = base**exponent
    if isinstance(result, complex):
        raise bad_value(expr, "the power of a negative number by a fraction has no real value")
    return _bounded(expr, result)


def _bounded(expr: ast.Node, value: Any) -> Any:
    if isinstance(value, Dim):
        if any(abs(coefficient) > LARGEST_NUMBER for coefficient in value.terms.values()):
            raise bad_value(expr, "the number is too large", text="a factor beyond 2 ** 63")
        if any(len(monomial) > HIGHEST_DEGREE for monomial in value.terms):
            message = f"a product of more than {HIGHEST_DEGREE} free sizes is too large"
            raise bad_value(expr, message)
        return value
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise bad_value(expr, "the number is too large", text="beyond 2 ** 63")
    if isinstance(value, float) and not math.isfinite(value):
        raise bad_value(expr, "the number is not finite")
    return value


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compare(expr: ast.Compare, env: Env, budget: Budget) -> bool:
    left = evaluate(expr.first, env, budget)
    for op, right_expr in expr.rest:
        right = evaluate(right_expr, env, budget)
        if not _compared(expr, op, left, right, budget):
            return False
        left = right
    return True


def _compared(expr: ast.Compare, op: str, left: Any, right: Any, budget: Budget) -> bool:
    if op in ("in", "not in"):
        if not isinstance(right, (list, tuple, range)):
            raise bad_value(expr, f"`{op}` needs a list, and this is {describe(right)}")
        found = any(_same(expr, left, item, budget) for item in right)
        return found == (op == "in")
    free = [v for v in (left, right) if isinstance(v, Dim)]
    if free and left != right:
        raise _free_condition(expr, free[0])
    if op in ("==", "!="):
        return _same(expr, left, right, budget) == (op == "==")
    numbers = all(isinstance(v, (int, float, Dim)) for v in (left, right))
    if free:
        return op in ("<=", ">=")
    if not numbers:
        raise bad_value(expr, f"{describe(left)} {op} {describe(right)} has no meaning")
    return _COMPARISONS[op](left, right)


def _same(expr: ast.Compare, left: Any, right: Any, budget: Budget, depth: int = 0) -> bool:
    """Equality, item by item for lists and for the arguments of layers, within the budget."""
    budget.spend(expr.span)
    if isinstance(left, LayerValue) and isinstance(right, LayerValue):
        if left.target is not right.target or left.named.keys() != right.named.keys():
            return False
        left, right = (_arguments(layer) for layer in (left, right))
    if not isinstance(left, (list, tuple)) or not isinstance(right, (list, tuple)):
        return bool(left == right)
    if depth > DEEPEST_LIST:
        raise bad_value(expr, f"lists nested more than {DEEPEST_LIST} deep are not compared")
    if type(left) is not type(right) or len(left) != len(right):
        return False
    pairs = zip(left, right, strict=True)
    return all(_same(expr, one, two, budget, depth + 1) for one, two in pairs)


def _arguments(layer: LayerValue) -> list[Any]:
    """What is bound to a layer, in an order that does not depend on how it was written."""
    named = [layer.named[name].value for name in sorted(layer.named)]
    return [[bound.value for bound in layer.positional], named]


def _free_condition(expr: ast.Node, size: Dim) -> Stop:
    return Stop(
        Diagnostic(
            "free-size",
            f"a condition cannot depend on the free size {show(size)}",
            span=expr.span,
            text="decided when the specification is read, not while the network runs",
            help="fix the size in the input, or make it a parameter",
        )
    )


def _conditional(expr: ast.Conditional, env: Env, budget: Budget) -> Any:
    chosen = expr.then if truth(expr.condition, env, budget) else expr.otherwise
    return evaluate(chosen, env, budget)


def _index(expr: ast.Index, env: Env, budget: Budget) -> Any:
    if isinstance(expr.value, ast.Attribute) and expr.value.name == "shape":
        return _shape_item(expr, env, budget)
    value = evaluate(expr.value, env, budget)
    index = evaluate(expr.index, env, budget)
    if not isinstance(value, (list, tuple, range)):
        raise bad_value(expr.value, f"only a list can be indexed, not {describe(value)}")
    if isinstance(index, bool) or not isinstance(index, int):
        raise bad_value(expr.index, f"an index must be a whole number, not {describe(index)}")
    if not -len(value) <= index < len(value):
        raise bad_value(
            expr.index, f"index {index} is outside the list", text=f"it has {len(value)} items"
        )
    return value[index]


def _shape_item(expr: ast.Index, env: Env, budget: Budget) -> Any:
    assert isinstance(expr.value, ast.Attribute)
    tensor = _tensor(expr.value, env, budget)
    axis = evaluate(expr.index, env, budget)
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise bad_value(expr.index, f"an axis must be a whole number, not {describe(axis)}")
    position = axis - 1 if axis > 0 else axis + tensor.rank
    if axis == 0 or position == -1:
        raise bad_value(expr.index, "axis 0 is the batch, whose size is never known")
    if not 0 <= position < tensor.rank:
        raise bad_value(expr.index, f"{tensor} has no axis {axis}", text="axis 0 is the batch")
    return tensor.dims[position]


SHAPE_ATTRIBUTES = ("channels", "height", "width", "depth", "length", "features", "rank", "shape")


def _attribute(expr: ast.Attribute, env: Env, budget: Budget) -> Any:
    if isinstance(expr.value, ast.Name) and expr.value.id == "nn" and not env.binds("nn"):
        return LayerValue(_foreign(), (Bound(expr.name, expr.name_span),))
    tensor = _tensor(expr, env, budget)
    if expr.name == "shape":
        raise bad_value(
            expr,
            "shape is asked for one axis at a time",
            text="the batch is axis 0, and its size is never known",
            help="it.shape[1] is the first size of a sample",
        )
    if expr.name == "rank":
        return tensor.rank
    position = _position(expr.name, tensor.rank)
    if position is None:
        called = [name for name in SHAPE_ATTRIBUTES if _position(name, tensor.rank) is not None]
        raise bad_value(
            expr,
            f"{tensor} has no {expr.name}",
            text=f"its sizes are called {', '.join(called)}" if called else "it has no sizes",
        )
    return tensor.dims[position]


def _position(name: str, rank: int) -> int | None:
    """The place of a named size among the sizes without the batch."""
    if name == "channels" and rank >= 1:
        return 0
    if name == "features" and rank >= 1:
        return rank - 1
    if name == "width" and rank >= 3:
        return rank - 1
    if name == "height" and rank >= 3:
        return rank - 2
    if name == "depth" and rank == 4:
        return 1
    if name == "length" and rank in (1, 2):
        return rank - 1
    return None


def _tensor(expr: ast.Attribute, env: Env, budget: Budget) -> Tensor:
    root = expr.value
    unbound = isinstance(root, ast.Name) and root.id != "it" and env.find(root.id) is ABSENT
    if isinstance(root, ast.Name) and unbound and find(root.id) is None:
        raise Stop(unknown_name(root.id, root.span, env, MODULE_OR_TENSOR))
    value = evaluate(root, env, budget)
    if isinstance(value, LabelRef):
        raise bad_value(
            expr,
            f"{expr.span.text} is a weight, which only an argument such as `tie` can take",
            help=f"a tensor has sizes: name what {value.name} gives with `as`",
        )
    if expr.name not in SHAPE_ATTRIBUTES:
        meant = suggest(expr.name, SHAPE_ATTRIBUTES)
        is_tensor = isinstance(value, TensorRef)
        raise Stop(
            Diagnostic(
                "unknown-attribute",
                f"{'a tensor' if is_tensor else describe(value)} has no attribute {expr.name}",
                span=expr.name_span,
                text=f"a tensor has {', '.join(SHAPE_ATTRIBUTES[:-1])} and shape[i]"
                if is_tensor
                else "only tensors have attributes",
                help=f"did you mean {meant}?" if meant and is_tensor else "",
            )
        )
    if not isinstance(value, TensorRef):
        raise bad_value(expr.value, f"only a tensor has {expr.name}, and this is {describe(value)}")
    return value.known()


def _foreign() -> Any:
    return find("nn")


def _call(expr: ast.Call, env: Env, budget: Budget) -> Any:
    if isinstance(expr.callee, ast.Name):
        name = expr.callee.id
        value = env.find(name)
        callable_here = isinstance(value, (LayerValue, NetworkAlias, BlockDef))
        is_function = name in FUNCTIONS and not callable_here
        if is_function and (name not in ("max", "sum") or _is_arithmetic(expr, env, budget)):
            return _function(expr, name, env, budget)
    callee = callable_of(expr.callee, env, budget)
    return bind_arguments(callee, expr, env, budget)


def callable_of(expr: ast.Expr, env: Env, budget: Budget) -> Any:
    """What a name stands for where something to call or run is needed.

    A parameter such as ``dropout = 0.5`` does not hide the layer of its name there.
    """
    if isinstance(expr, ast.Name):
        value = env.find(expr.id)
        if isinstance(value, LayerName):
            return value.layer
        if isinstance(value, (int, float, str, list, tuple, Dim)) or value is None:
            cls = find(expr.id)
            if cls is not None:
                return LayerValue(cls)
        return look_up(expr.id, expr.span, env, what="layer, block or tensor")
    return evaluate(expr, env, budget)


def bind_arguments(callee: Any, expr: ast.Call, env: Env, budget: Budget) -> Any:
    """A layer, block or network with the arguments of a call."""
    if isinstance(callee, LabelRef):
        hidden = find(callee.name) is not None
        raise bad_value(
            expr,
            f"{callee.name} is a module already: it runs again without arguments",
            help="the label hides the layer of its name: label it otherwise, or write"
            f" {callee.name}"
            " alone to run it once more"
            if hidden
            else f"write {callee.name} alone",
        )
    if not isinstance(callee, LayerValue):
        raise Stop(
            Diagnostic(
                "not-callable",
                f"{describe(callee)} cannot be called",
                span=expr.callee.span,
                help=_hidden_layer(callee, expr.callee)
                or "only layers, blocks, and " + ", ".join(FUNCTIONS) + " are called",
            )
        )
    positional: list[Bound] = []
    named: dict[str, Bound] = {}
    for argument in expr.arguments:
        bound = Bound(_argument_value(callee, argument, env, budget), argument.span, argument.value)
        if argument.name is None:
            if named:
                raise Stop(
                    Diagnostic(
                        "bad-argument",
                        "an argument without a name follows one with a name",
                        span=argument.span,
                        help="put it first, or name it",
                    )
                )
            positional.append(bound)
        elif argument.name in named:
            raise given_twice(argument.name, argument.span, named[argument.name].span)
        else:
            named[argument.name] = bound
    return callee.bind(tuple(positional), named)


def given_twice(name: str, span: Span | None, first: Span | None) -> Stop:
    """The error for an argument that a call has twice."""
    labels = (Label(first, "given here already"),) if first is not None else ()
    return Stop(Diagnostic("bad-argument", f"{name} is given twice", span=span, labels=labels))


def _hidden_layer(callee: Any, expr: ast.Expr) -> str:
    """What to do where a tensor bears the name of the layer that was meant."""
    if isinstance(callee, TensorRef) and isinstance(expr, ast.Name) and find(expr.id):
        return f"the tensor hides the layer of its name: call it something else than {expr.id}"
    return ""


def _argument_value(callee: LayerValue, argument: ast.Argument, env: Env, budget: Budget) -> Any:
    """The value of an argument; a bare word may be one of the choices that a layer offers."""
    expr = argument.value
    if argument.name in TRAINED and not isinstance(callee.target, BlockDef):
        return read_techniques(argument.name, expr, Evaluate(evaluate, env, budget))
    if isinstance(expr, ast.Name) and not isinstance(callee.target, BlockDef):
        parameter = next((p for p in signature(callee.target) if p.name == argument.name), None)
        if parameter and expr.id in parameter.kind.choices:
            bound = env.find(expr.id)
            if bound is ABSENT or isinstance(bound, LayerValue):
                return Choice(expr.id)
        if parameter and parameter.kind.choices and env.find(expr.id) is ABSENT:
            _need_choice(callee, parameter, expr)
    if isinstance(expr, ast.Name) and env.find(expr.id) is ABSENT and is_choice_only(expr.id):
        return Choice(expr.id)
    if isinstance(expr, ast.Attribute) and isinstance(expr.value, (ast.Name, ast.Attribute)):
        root = expr.value
        while isinstance(root, ast.Attribute) and isinstance(root.value, (ast.Name, ast.Attribute)):
            root = root.value
        if isinstance(root, ast.Name) and isinstance(env.find(root.id), LabelRef):
            return WeightPath(expr, env.find(root.id))
    return evaluate(expr, env, budget)


def _need_choice(callee: LayerValue, parameter: Parameter, expr: ast.Name) -> None:
    """A bare word that is bound nowhere was meant as one of the choices of its argument."""
    words = [w for w in parameter.kind.choices if w not in ("true", "false")]
    if not words or find(expr.id) is not None or expr.id in (*FUNCTIONS, "it"):
        return
    meant = suggest(expr.id, words)
    raise Stop(
        Diagnostic(
            "bad-argument",
            f"{parameter.name} of {callee.name} cannot be {expr.id}",
            span=expr.span,
            text=f"{parameter.name} takes {parameter.kind.words}",
            help=f"did you mean {meant}?" if meant else "",
        )
    )


@record(frozen=True)
class WeightPath:
    """``embed.weight`` as written, to be looked up among the modules built so far."""

    expression: ast.Attribute
    label: LabelRef

    @property
    def names(self) -> list[str]:
        """The names after the label."""
        result: list[str] = []
        expr: ast.Expr = self.expression
        while isinstance(expr, ast.Attribute):
            result.append(expr.name)
            expr = expr.value
        return result[::-1]

    def __str__(self) -> str:
        return f"the weight {self.expression.span.text}"


def is_choice_only(word: str) -> bool:
    """Whether a word is a choice that some layer offers, and no layer itself."""
    return word in choice_words() and find(word) is None


# The functions of the language ------------------------------------------------------


def _is_arithmetic(expr: ast.Call, env: Env, budget: Budget) -> bool:
    """Whether ``max`` or ``sum`` is the function: its first argument is no tensor."""
    if not expr.arguments:
        return False
    first = expr.arguments[0]
    if first.name is not None:
        return False
    if isinstance(first.value, ast.Name) and first.value.id == "it":
        return False
    value = evaluate(first.value, env, budget)
    if expr.callee.id == "sum" and not isinstance(value, (list, tuple)):  # type: ignore[union-attr]  # a Name, as the caller saw
        return False
    return not isinstance(value, TensorRef)


def _function(expr: ast.Call, name: str, env: Env, budget: Budget) -> Any:
    named = next((a for a in expr.arguments if a.name is not None), None)
    if named is not None:
        raise bad_value(named, f"{name} takes no argument called {named.name}")
    values = [evaluate(a.value, env, budget) for a in expr.arguments]
    for value in values:
        if isinstance(value, (list, tuple, range)):
            budget.spend(expr.span, len(value) // 4)
    if any(isinstance(v, Dim) for v in values):
        raise bad_value(expr, f"{name} of a free size is not known when the specification is read")
    try:
        result = FUNCTIONS[name](*values)
    except _TooLongError as problem:
        raise too_long(expr, problem.length) from None
    except OverflowError:
        raise bad_value(expr, "the number is too large") from None
    except (TypeError, ValueError, ZeroDivisionError) as problem:
        shown = ", ".join(describe(v) for v in values)
        raise bad_value(
            expr, f"{name} cannot take ({shown})", text=_own_words(str(problem))
        ) from None
    if isinstance(result, list):
        budget.spend(expr.span, len(result) // 4)
    return _bounded(expr, result)


def _own_words(problem: str) -> str:
    return problem if problem.startswith(("needs", "the lists")) else ""


class _TooLongError(Exception):
    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length


def _list(values: Any) -> list[Any]:
    if isinstance(values, range) and (length := _range_length(values)) > LONGEST_LIST:
        raise _TooLongError(length)
    if not isinstance(values, (list, tuple, range)):
        raise ValueError("needs a list")
    return list(values)


def _numbers(values: tuple[Any, ...]) -> list[Any]:
    items = _list(values[0]) if len(values) == 1 else list(values)
    if not items or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in items):
        raise ValueError("needs numbers")
    return items


def _range(*values: Any) -> list[int]:
    if not 1 <= len(values) <= 3 or any(
        isinstance(v, bool) or not isinstance(v, int) for v in values
    ):
        raise ValueError("needs one to three whole numbers")
    return _list(range(*values))


def _range_length(values: range) -> int:
    """The length of a range, which ``len`` refuses to tell beyond a machine word."""
    towards = 1 if values.step > 0 else -1
    return max(0, (values.stop - values.start + values.step - towards) // values.step)


def _zip(*lists: Any) -> list[Any]:
    columns = [_list(values) for values in lists]
    if len({len(column) for column in columns}) > 1:
        lengths = " and ".join(str(len(column)) for column in columns)
        raise ValueError(f"the lists have different lengths: {lengths}")
    return list(zip(*columns, strict=True))


def _round(value: Any, digits: Any = None) -> Any:
    number = _numbers((value, 0))[0]
    if digits is None:
        return round(number)
    places = _numbers((digits, 0))[0]
    if not isinstance(places, int):
        raise ValueError("needs a whole number of places")
    return round(number, max(-MOST_PLACES, min(places, MOST_PLACES)))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "range": _range,
    "len": lambda values: len(_list(values)),
    "enumerate": lambda values, start=0: [
        (i + _numbers((start, 0))[0], v) for i, v in enumerate(_list(values))
    ],
    "zip": _zip,
    "min": lambda *values: min(_numbers(values)),
    "max": lambda *values: max(_numbers(values)),
    "sum": lambda values: sum(_numbers((_list(values),))) if values else 0,
    "round": _round,
    "floor": lambda value: math.floor(_numbers((value, 0))[0]),
    "ceil": lambda value: math.ceil(_numbers((value, 0))[0]),
    "reversed": lambda values: _list(values)[::-1],
}


_EVALUATORS: dict[type, Callable[[Any, Env, Budget], Any]] = {
    ast.Literal_: _literal,
    ast.Name: _name,
    ast.ListExpr: _items,
    ast.TupleExpr: _items,
    ast.Comprehension: _comprehension,
    ast.Unary: _unary,
    ast.Binary: _binary,
    ast.Compare: _compare,
    ast.Conditional: _conditional,
    ast.Index: _index,
    ast.Attribute: _attribute,
    ast.Call: _call,
}
