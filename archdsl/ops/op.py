"""What a layer is: one frozen class that holds its signature, shapes, weights, cost and PyTorch.

To add a layer, write such a class in one of the family files (or in your own
program: there is no difference) and decorate it with :func:`layer`::

    @layer("scale")
    class Scale(Op):
        '''Multiply by a constant.'''

        factor: float = number(doc="what to multiply by")

        def infer(self, inputs, need):
            return (inputs[0],)

        def code(self, inputs, outputs):
            return Code(call="{0} * {factor}", constants={"factor": self.factor})
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Literal, TypeVar

from archdsl.conditions import Condition, decide
from archdsl.diagnostics import Span
from archdsl.dims import Dim, Size, show, show_shape, symbols
from archdsl.ops.arguments import Kind, OpError
from archdsl.ops.caption import Caption, caption_of
from archdsl.ops.reach import Reach
from archdsl.ops.saved import Saved
from archdsl.ops.torch_text import Argument, Code, Construct, keyword
from archdsl.records import declared_fields, record, replace

if sys.version_info >= (3, 11):
    from typing import dataclass_transform
else:
    from typing_extensions import dataclass_transform

Dtype = Literal["float", "int", "bool"]
Batch = Literal["free", "one", "none"]


@record(frozen=True)
class Tensor:
    """The type of a tensor: its sizes without the batch, and what it holds.

    ``batch`` is ``"free"`` for what comes from an input (axis 0 is the batch),
    ``"one"`` for a parameter whose leading 1 stands for the batch, and ``"none"`` for
    a parameter written without a batch axis (``dims`` is then its whole shape).
    """

    dims: tuple[Size, ...]
    dtype: Dtype = "float"
    batch: Batch = "free"

    @property
    def rank(self) -> int:
        """The number of axes without the batch."""
        return len(self.dims)

    @property
    def channels(self) -> Size:
        return self.dims[0]

    @property
    def features(self) -> Size:
        return self.dims[-1]

    @property
    def spatial(self) -> tuple[Size, ...]:
        return self.dims[1:]

    @property
    def elements(self) -> Size:
        """How many values one sample holds."""
        return product(self.dims)

    def with_dims(self, *dims: Size) -> Tensor:
        return replace(self, dims=dims)

    def __str__(self) -> str:
        prefix = "" if self.dtype == "float" else self.dtype
        return prefix + show_shape(self.dims)


def product(sizes: Sequence[Size]) -> Size:
    """The product of sizes, free ones too."""
    result: Size = 1
    for size in sizes:
        result = result * size
    return result


@dataclass(eq=False, repr=False)
class Need:
    """What a shape rule may demand of sizes.

    A demand that holds is nothing; one that fails raises :class:`OpError`; one that
    depends on a free size is recorded in ``conditions``, to be solved and shown.
    """

    span: Span | None = None
    conditions: list[Condition] = field(default_factory=list)

    def at_least(self, size: Size, minimum: Size, error: OpError, reason: str = "") -> None:
        """``size`` must be ``minimum`` or more."""
        if isinstance(size, int) and isinstance(minimum, int):
            if size < minimum:
                raise error
            return
        self.demand(Condition("at_least", size, minimum, reason or error.message, self.span), error)

    def equal(self, left: Size, right: Size, error: OpError, reason: str = "") -> None:
        """Two sizes must be the same."""
        if left == right:
            return
        if isinstance(left, int) and isinstance(right, int):
            raise error
        self.demand(Condition("equal", left, right, reason or error.message, self.span), error)

    def divisible(self, size: Size, divisor: int, error: OpError, reason: str = "") -> None:
        """``size`` must be a multiple of ``divisor``."""
        if isinstance(size, int):
            if size % divisor:
                raise error
            return
        self.demand(
            Condition("divisible", size, divisor, reason or error.message, self.span), error
        )

    def demand(self, condition: Condition, error: OpError) -> None:
        """A condition over free sizes: known to hold, known to fail, or recorded."""
        verdict = decide(condition)
        if verdict is False:
            raise error
        if verdict is None:
            self.conditions.append(condition)

    def fixed(self, size: Size, what: str, *, help: str = "") -> int:
        """A size that must be known before running, such as the channels of a weight."""
        if isinstance(size, int):
            return size
        raise OpError(
            "free-size",
            f"{what} must be known, and is {show(size)} here",
            text=f"a weight has a fixed size, and {_listed(sorted(symbols(size)))} known only"
            " when the network runs",
            help=help or "write it as a number in the input",
            input=0,
        )


def _listed(names: Sequence[str]) -> str:
    """«H is», «H and W are»."""
    *others, last = names
    return f"{', '.join(others)} and {last} are" if others else f"{last} is"


AnyOp = TypeVar("AnyOp", bound="Op")


class Op:
    """A layer with its arguments bound. Subclasses are made by :func:`layer`.

    ``inputs`` names the tensors that it takes, the first being ``it`` unless it is
    written; the last ``optional_inputs`` of them may be missing. A ``variadic`` one
    takes any number, all written (a merge). A ``source`` takes none.
    ``outputs`` names what comes out.
    """

    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]]
    family: ClassVar[str]
    example: ClassVar[str] = ""
    """A call that runs, for the reference and the tests, such as ``conv(64, 3)``."""
    example_input: ClassVar[str] = "[16, 32, 32]"
    """The input of the example, as an ``input`` statement writes it."""
    inputs: ClassVar[tuple[str, ...]] = ("input",)
    optional_inputs: ClassVar[int] = 0
    variadic: ClassVar[bool] = False
    source: ClassVar[bool] = False
    outputs: ClassVar[tuple[str, ...]] = ("output",)
    """Names for what comes out. How many come out is what ``infer`` returns (``split``)."""
    shape_only: ClassVar[frozenset[str]] = frozenset()
    """Those of ``inputs`` of which only the shape is read: ``crop(skip, like = it)``."""
    rest: ClassVar[str | None] = None
    """The field that collects every positional argument from its place on, as a tuple."""
    options: ClassVar[str | None] = None
    """The field that collects every named argument that is no field, as pairs (``nn.…``)."""
    sign: ClassVar[str] = ""
    """The sign that a drawing writes in a circle for it: «+»."""
    gives: ClassVar[str] = ""
    """``"probabilities"`` or ``"log_probabilities"``, of a layer whose values are such."""
    keeps: ClassVar[Saved | None] = None
    """What autograd keeps of it, where that is the same whatever comes in: see ``saved``."""
    guards_outputs: ClassVar[bool] = False
    """Whether some kernel needs its outputs for the gradient, whichever ``saved`` counts with."""
    unit_axis: ClassVar[int] = 0
    """The axis of its weight along which its units lie: its output channels or features."""
    internal: ClassVar[bool] = False
    """Whether only the compiler makes it: no name of the language stands for it."""

    def __new__(cls: type[AnyOp], *fields: Any, **named: Any) -> AnyOp:  # noqa: ARG004, PYI019  # __init__ takes them; Python 3.10 has no Self
        """An instance without its fields; the class's first one makes it a dataclass."""
        _complete(cls)
        return super().__new__(cls)

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        """The types of the outputs.

        ``inputs`` are the tensors present, in the order of ``self.inputs`` (optional ones
        that are missing are left out at the end). Raises OpError for what cannot be.
        """
        raise TypeError(f"{type(self).__name__} has no shape rule")

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        """The shapes of its parameters, by the names that ``state_dict`` gives them."""
        return {}

    def buffers(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        """The shapes of what ``state_dict`` holds of it that is not trained, by name."""
        return {}

    def multiply_adds(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        """Multiply-adds for one sample; 0 for what only moves, compares or adds."""
        return 0

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        """What positions of an output see of an input, along each of that input's axes.

        In evaluation, and of values: of a tensor that only lends its size, nothing (None). A
        layer that does not say sees everything, which is never too little.
        """
        return (None,) * inputs[input].rank

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        """What autograd keeps of it in training; ``tracked`` says which inputs have a gradient.

        Asked only where it has parameters, or an input has a gradient. A layer that does not
        say (by ``keeps``, or here) keeps all that comes in and goes out: more than most do.
        """
        if self.keeps is not None:
            return self.keeps
        return Saved(tuple(range(len(inputs))), tuple(range(len(outputs))))

    def shares(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], *, training: bool
    ) -> tuple[int | None, ...]:
        """For every output the input whose memory it is (a view), or None for its own."""
        return (None,) * len(outputs)

    def least_batch(self, inputs: Sequence[Tensor]) -> int:
        """The smallest batch that training accepts."""
        return 1

    @property
    def overwrites(self) -> tuple[int, ...]:
        """The inputs that it may compute in, where nobody else reads them.

        PyTorch has it in place (``inplace=True``, ``+=``), and its gradient needs none of them.
        """
        return ()

    @property
    def indices(self) -> int | None:
        """How many there are of the indices that it looks up, from 0 on: PyTorch refuses others."""
        return None

    def caption(self, inputs: Sequence[Tensor]) -> Caption:
        """What a drawing writes on it."""
        required = frozenset(p.name for p in signature(type(self)) if p.required)
        axes = inputs[0].rank - 1 if inputs else 1
        return caption_of(self.name, self.arguments, required, axes)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        """Its PyTorch, as data."""
        raise TypeError(f"{type(self).__name__} has no PyTorch")

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as plain data, by name; those at their default are left out."""
        return arguments_of(self)


@record(frozen=True)
class Outcome:
    """What a layer makes of its inputs, wherever it stands: the conditions have no place."""

    op: Op
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weights: Mapping[str, tuple[int, ...]]
    conditions: tuple[Condition, ...]

    @cached_property
    def multiply_adds(self) -> Size:
        return self.op.multiply_adds(self.inputs, self.outputs)

    @cached_property
    def least_batch(self) -> int:
        return self.op.least_batch(self.inputs)

    @cached_property
    def parameters(self) -> int:
        """Its own trainable numbers: a tied weight is another layer's."""
        tied = bool(getattr(self.op, "tie", None))
        shapes = (s for name, s in self.weights.items() if not (tied and name == "weight"))
        return sum(map(math.prod, shapes))

    @cached_property
    def state(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all that its ``state_dict`` holds."""
        return {**self.weights, **self.op.buffers(self.inputs)}

    def misfit(self, again: Outcome, where: str = "") -> str:
        """Why its module, built ``where``, cannot run again as another has it; empty if it can."""
        if again is self or (again.op == self.op and again.inputs == self.inputs):
            return ""
        if again.op != self.op:
            return "it was built with other arguments before"
        for name, shape in again.state.items():
            if self.state.get(name) != shape:
                has = list(self.state.get(name, ()))
                return f"its {name} is {has}{where}, and {list(shape)} is needed here"
        if not self.op.internal and self._built() != again._built():
            here, there = (", ".join(map(str, found.inputs)) for found in (again, self))
            return f"it was built for {there}{where}, and here comes {here}"
        return ""

    def _built(self) -> Construct | None:
        return self.op.code(self.inputs, self.outputs).module


def outcome(op: Op, inputs: tuple[Tensor, ...]) -> Outcome:
    """What a layer makes of its inputs, worked out once for all that are alike.

    Networks repeat themselves: of the 500 layers of a ResNet-152 about 50 differ. Raises
    OpError for what cannot be.
    """
    try:
        hash(op)
    except TypeError:  # a layer of one's own may have an argument that is no key
        return _work_out(op, inputs)
    return _known_outcome(op, inputs, tuple(map(type, vars(op).values())))


def _work_out(op: Op, inputs: tuple[Tensor, ...]) -> Outcome:
    need = Need()
    outputs = op.infer(inputs, need)
    for output in outputs:
        _need_sizes_within_reason(output)
    return Outcome(op, inputs, outputs, op.weights(inputs), tuple(need.conditions))


LARGEST_SIZE = 2**63


def _need_sizes_within_reason(tensor: Tensor) -> None:
    """No machine could hold the tensor; and Python would not even print the number."""
    for size in tensor.dims:
        factors = size.terms.values() if isinstance(size, Dim) else (size,)
        if any(abs(factor) > LARGEST_SIZE for factor in factors):
            raise OpError(
                "too-large",
                "a size grows beyond 2 ** 63 here",
                help="look for a count that is larger than it was meant to be",
            )


@lru_cache(maxsize=4096)
def _known_outcome(op: Op, inputs: tuple[Tensor, ...], kinds: tuple[type, ...]) -> Outcome:
    """``kinds`` are those of the arguments, for 1 is equal to 1.0 and to True."""
    return _work_out(op, inputs)


@record(frozen=True)
class Parameter:
    """One parameter of a layer's signature."""

    name: str
    kind: Kind
    default: Any
    doc: str

    @property
    def required(self) -> bool:
        return self.default is dataclasses.MISSING


_REGISTRY: dict[str, type[Op]] = {}
_ALIASES: dict[str, str] = {}
_INCOMPLETE: set[type[Op]] = set()
"""Layers that are no dataclasses yet.

Making a dataclass takes longer than all else that importing a layer does, and few programs use
more than a tenth of the layers: each is made one when it is first used.
"""
_DONE = frozenset(("_parts", "__dataclass_params__"))  # what a record, or a dataclass, has
_CUSTOM = "custom"

Item = TypeVar("Item", int, float, "int | None")


def _complete(cls: type[Op]) -> None:
    """Make a layer the dataclass that it is to be, after those that it derives from."""
    if not _INCOMPLETE or not _DONE.isdisjoint(vars(cls)):
        return
    for ancestor in reversed(cls.__mro__):
        if ancestor in _INCOMPLETE:
            make = dataclass if ancestor.family == _CUSTOM else record  # a record is made sooner
            make(frozen=True)(ancestor)
            _INCOMPLETE.discard(ancestor)


@dataclass_transform(frozen_default=True)
def layer(
    name: str, *aliases: str, family: str = _CUSTOM, replace: bool = False
) -> Callable[[type[AnyOp]], type[AnyOp]]:
    """Register a class as the layer ``name``, under ``aliases`` too.

    The same class defined again (a notebook's cell run twice) takes the place of the
    earlier one; ``replace`` lets it take that of any other, a built-in one too. Raises ValueError
    for a name that is taken, TypeError for a class that cannot be a layer.
    """

    def register(cls: type[AnyOp]) -> type[AnyOp]:
        _check_class(cls, name)
        for taken in () if replace else (name, *aliases):
            _check_free(cls, taken)
        cls.name, cls.aliases, cls.family = name, aliases, family
        _INCOMPLETE.add(cls)
        if family == _CUSTOM:
            _complete(cls)  # what is wrong with it is said where it is written
        for called in (name, *aliases):
            _forget(called)
        _REGISTRY[name] = cls
        _ALIASES.update(dict.fromkeys(aliases, name))
        _CHOICE_WORDS.clear()
        return cls

    return register


def _check_class(cls: type, name: str) -> None:
    """Refuse a class that would fail only when it is used."""
    if not issubclass(cls, Op):
        raise TypeError(f"a layer is a class derived from archdsl.Op, and {cls!r} is not")
    if cls.internal:
        return
    if not (name.isidentifier() and name.isascii()):
        raise ValueError(f"a layer cannot be called {name!r}: letters, digits and underscores")
    for method, what in (("infer", "no shape rule"), ("code", "no PyTorch")):
        if getattr(cls, method) is getattr(Op, method):
            raise TypeError(f"the layer {name} has {what}: give it the method {method}")
    own = inspect.get_annotations(cls)
    fields = {key: v for key, v in vars(cls).items() if isinstance(v, dataclasses.Field)}
    for key in fields:
        if key not in own:
            raise TypeError(f"{key} of the layer {name} has no type: {key}: int = …")
        if hasattr(Op, key):
            raise TypeError(f"{key} is a name of archdsl.Op itself: call this argument otherwise")
    for key, annotation in own.items():
        if key not in fields and "ClassVar" not in str(annotation):
            raise TypeError(
                f"{key} of the layer {name} does not say what it takes: {key}: int = size(), or"
                " another of the kinds in archdsl.ops"
            )


def _check_free(cls: type, name: str) -> None:
    known = find(name)
    if known is None:
        return
    if (known.__module__, known.__qualname__) == (cls.__module__, cls.__qualname__):
        return
    what = "an alias of" if known.name != name else "the name of"
    raise ValueError(
        f"{name} is {what} the layer {known.__module__}.{known.__qualname__}: choose another name,"
        " or say replace=True"
    )


def _forget(name: str) -> None:
    """Take a name from the layer that has it; one without its name is gone with its aliases."""
    _ALIASES.pop(name, None)
    known = _REGISTRY.pop(name, None)
    if known is not None:
        for alias in [a for a, owner in _ALIASES.items() if owner == name]:
            del _ALIASES[alias]
        _SIGNATURES.pop(known, None)


_CHOICE_WORDS: set[str] = set()


def choice_words() -> set[str]:
    """The bare words that some layer offers as choices."""
    if not _CHOICE_WORDS:
        for cls in registered():
            for parameter in signature(cls):
                _CHOICE_WORDS.update(parameter.kind.choices)
    return _CHOICE_WORDS


def find(name: str) -> type[Op] | None:
    """The layer of that name or alias."""
    return _REGISTRY.get(_ALIASES.get(name, name))


def find_public(name: str) -> type[Op] | None:
    """The layer that a specification means by that name."""
    cls = find(name)
    return None if cls is None or cls.internal else cls


def registered() -> Iterator[type[Op]]:
    """Every layer, in the order of registration."""
    return iter(_REGISTRY.values())


def names() -> list[str]:
    """Every name that a layer can be called by."""
    return [n for n in (*_REGISTRY, *_ALIASES) if find_public(n)]


_SIGNATURES: dict[type[Op], tuple[Parameter, ...]] = {}


def signature(cls: type[Any]) -> tuple[Parameter, ...]:
    """The parameters of a layer, in order; of a technique of training, too."""
    known = _SIGNATURES.get(cls)
    if known is None:
        _complete(cls)
        known = tuple(
            Parameter(name, metadata["kind"], default, metadata["doc"])
            for name, default, metadata in declared_fields(cls)
        )
        _SIGNATURES[cls] = known
    return known


def arguments_of(one: Any) -> dict[str, Any]:
    """The arguments of a layer, or of a technique of training, but those at their default."""
    values = vars(one)
    return {
        p.name: values[p.name]
        for p in signature(type(one))
        if p.required or values[p.name] != p.default
    }


Built = TypeVar("Built")  # a layer, or a technique of training


def build(cls: type[Built], arguments: Mapping[str, Any]) -> Built:
    """The layer with its arguments checked and in canonical form.

    Raises OpError with code ``missing-argument``, ``unknown-argument`` or ``bad-argument``.
    """
    kinds = tuple(map(type, arguments.values()))
    if _PLAIN.issuperset(kinds):
        # mypy takes the __hash__ of a class's instances for its own
        known: Built = _known_layer(cls, tuple(arguments.items()), kinds)  # type: ignore[arg-type]
        return known
    built: Built = _build(cls, arguments)
    return built


_PLAIN = frozenset((bool, float, int, str, type(None)))


@lru_cache(maxsize=4096)
def _known_layer(
    cls: type[Any], arguments: tuple[tuple[str, Any], ...], kinds: tuple[type, ...]
) -> Any:
    """``kinds`` are those of the arguments, for 1 is equal to 1.0 and to True."""
    return _build(cls, dict(arguments))


def _build(cls: type[Any], arguments: Mapping[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for parameter in signature(cls):
        if parameter.name in arguments:
            values[parameter.name] = convert(cls, parameter, arguments[parameter.name])
        elif parameter.required:
            raise OpError(
                "missing-argument",
                f"{cls.name} needs {parameter.name}",
                text=f"{parameter.name} is missing",
                help=f"give it {parameter.kind.words}: {short_form(cls)}",
            )
    unknown = [key for key in arguments if key not in values]
    if unknown:
        raise OpError(
            "unknown-argument",
            f"{cls.name} has no argument {unknown[0]}",
            help=f"its form is {call_form(cls)}",
            argument=unknown[0],
        )
    return cls(**values)


def convert(cls: type[Any], parameter: Parameter, value: Any) -> Any:
    """One argument in its canonical form."""
    try:
        return parameter.kind.convert(value)
    except ValueError as problem:
        raise OpError(
            "bad-argument",
            f"{parameter.name} of {cls.name} {problem}",
            text=f"{parameter.name} takes {parameter.kind.words}",
            argument=parameter.name,
        ) from None


def torch_keywords(op: Op, *left_out: str) -> tuple[Argument, ...]:
    """The arguments of a layer whose fields are torch's own, as keywords."""
    return tuple(
        keyword(p.name, getattr(op, p.name))
        if p.required
        else keyword(p.name, getattr(op, p.name), p.default)
        for p in signature(type(op))
        if p.name not in left_out
    )


def call_form(cls: type[Any]) -> str:
    """The signature as a person would write it: ``conv(out_channels, kernel_size, …)``."""
    parts = []
    for parameter in signature(cls):
        if parameter.required:
            parts.append(parameter.name)
        else:
            parts.append(f"{parameter.name} = {show_value(parameter.default)}")
    return f"{cls.name}({', '.join(parts)})" if parts else cls.name


def short_form(cls: type[Any]) -> str:
    """The signature with what must be given alone: ``conv(out_channels, kernel_size, …)``."""
    required = [p.name for p in signature(cls) if p.required]
    more = ["…"] if len(required) < len(signature(cls)) else []
    return f"{cls.name}({', '.join([*required, *more])})"


def show_value(value: Any) -> str:
    """A value as the language writes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        items = ", ".join(show_value(v) for v in value)
        return f"({items},)" if len(value) == 1 else f"({items})"
    if isinstance(value, list):
        return "[" + ", ".join(show_value(v) for v in value) + "]"
    if isinstance(value, Dim):
        return show(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    return str(value)


def per_axis(value: Item | tuple[Item, ...], axes: int, name: str) -> tuple[Item, ...]:
    """A ``Sizes`` argument as one number an axis."""
    if not isinstance(value, tuple):
        return (value,) * axes
    if len(value) != axes:
        raise OpError(
            "wrong-axes",
            f"{name} has {len(value)} numbers for {axes} {'axis' if axes == 1 else 'axes'}",
            text=f"the input has {axes} spatial {'axis' if axes == 1 else 'axes'}",
            argument=name,
        )
    return value


def known(size: Size) -> int:
    """A size that ``infer`` has found to be known."""
    if not isinstance(size, int):
        raise TypeError(f"{show(size)} was to be checked by the shape rule")
    return size


def need_float(op: Op, tensor: Tensor) -> None:
    """Most layers compute on floats: indices must be embedded first."""
    if tensor.dtype != "float":
        raise OpError(
            "wrong-dtype",
            f"{op.name} takes real numbers, and this input holds indices",
            text=f"the input is {tensor}",
            help="embed it first: embedding(count, features); real numbers are declared without"
            " `int`: input x: [3, H, W]",
            input=0,
        )


def need_batch(op: Op, tensor: Tensor) -> None:
    """A layer that works along axes needs to know which one is the batch."""
    if tensor.batch == "none":
        raise OpError(
            "no-batch-axis",
            f"{op.name} needs a batch axis, and this parameter has none",
            text=f"the parameter is {tensor}",
            help="write its shape with a leading 1, which stands for the batch",
            input=0,
        )


def resolve_axis(op: Op, axis: int, tensor: Tensor, *, argument: str = "axis") -> int:
    """An axis as torch counts it (0 is the batch), as an index into ``tensor.dims``."""
    index = axis - 1 if axis > 0 else axis + tensor.rank
    if axis == 0 or not 0 <= index < tensor.rank:
        batch = axis == 0 or index == -1
        found = "the batch" if batch else f"not one of its {tensor.rank + 1} axes"
        raise OpError(
            "bad-axis",
            f"{op.name} cannot use axis {axis} of {tensor}: it is {found}",
            text=f"the sizes of {tensor} are axes 1 to {tensor.rank}; axis 0 is the batch",
            argument=argument,
            input=0,
        )
    return index
