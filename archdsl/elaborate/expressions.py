"""Expressions: what a person computes while a specification is read.

Total and bounded: no attribute but the sizes of a tensor, no call but the few pure
functions of ``FUNCTIONS``, no number or list beyond its limit, and a budget of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from archdsl.diagnostics import Diagnostic, Label, Span, suggest
from archdsl.dims import Dim
from archdsl.elaborate.arithmetic import calculated, compared, free_condition, need_number
from archdsl.elaborate.bounds import Budget, bad_value, bounded
from archdsl.elaborate.functions import FUNCTIONS, apply_function
from archdsl.elaborate.names import MODULE_OR_TENSOR, look_up, refuse_it, unknown_name
from archdsl.elaborate.trained import KINDS as TRAINED
from archdsl.elaborate.trained import Evaluate, read_techniques
from archdsl.elaborate.values import (
    ABSENT,
    BlockDef,
    Bound,
    Env,
    LabelRef,
    LayerName,
    LayerValue,
    NetworkAlias,
    Stop,
    TensorRef,
)
from archdsl.ops import find_public as find
from archdsl.ops.arguments import Choice, describe
from archdsl.ops.op import Parameter, Tensor, choice_words, signature
from archdsl.records import record
from archdsl.syntax import ast


def evaluate(expr: ast.Expr, env: Env, budget: Budget) -> Any:
    """The value of an expression. Raises Stop for a mistake, Poisoned where one was reported."""
    budget.spend(expr.span)
    return _EVALUATORS[type(expr)](expr, env, budget)


def _literal(expr: ast.Literal_, env: Env, budget: Budget) -> Any:
    return bounded(expr, expr.value)


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
        raise free_condition(expr, value)
    help = ""
    if isinstance(value, TensorRef):
        help = "ask for its shape, which is known: it.channels > 3"
    raise bad_value(expr, f"a condition must be true or false, not {describe(value)}", help=help)


def _unary(expr: ast.Unary, env: Env, budget: Budget) -> Any:
    if expr.op == "not":
        return not truth(expr.operand, env, budget)
    value = evaluate(expr.operand, env, budget)
    need_number(expr.operand, value, expr.op)
    return -value if expr.op == "-" else value


def _binary(expr: ast.Binary, env: Env, budget: Budget) -> Any:
    if expr.op in ("and", "or"):
        left = evaluate(expr.left, env, budget)
        if bool_of(expr.left, left) == (expr.op == "or"):
            return left
        return evaluate(expr.right, env, budget)
    left = evaluate(expr.left, env, budget)
    right = evaluate(expr.right, env, budget)
    return calculated(expr, left, right, budget)


def bool_of(expr: ast.Expr, value: Any) -> bool:
    if isinstance(value, Dim):
        raise free_condition(expr, value)
    return bool(value)


def _compare(expr: ast.Compare, env: Env, budget: Budget) -> bool:
    left = evaluate(expr.first, env, budget)
    for op, right_expr in expr.rest:
        right = evaluate(right_expr, env, budget)
        if not compared(expr, op, left, right, budget):
            return False
        left = right
    return True


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
    return apply_function(expr, name, values, budget)


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
