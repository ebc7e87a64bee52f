"""Sizes of tensors: integers, and expressions over free sizes such as ``(H + 1) // 2``.

A free size is a positive integer that is not known yet. What convolutions, pools and
reshapes make of it is a polynomial in symbols and floor divisions, and a :class:`Dim`
keeps that polynomial in a normal form, so that two sizes which were reached on different
paths through a network compare as equal without any search. The rules behind it, for
integer-valued ``X`` and ``Y``:

- ``(k*X + Y) // k  ==  X + Y // k``: whole multiples leave a floor division;
- ``(g*X + c) // (g*k)  ==  (X + c // g) // k``: common factors are cancelled;
- ``(X // a + Y) // b  ==  (X + a*Y) // (a*b)``: nested floor divisions become one;
- ``X // k  ==  -((k - 1 - X) // k)``: chosen so that the leading coefficient is small.

A result without free sizes is a plain ``int``; callers work with :data:`Size`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from math import gcd
from typing import TypeAlias, cast

from archdsl.records import record


class DimError(ArithmeticError):
    """An operation that has no meaning on a free size; the message is for people."""


@record(frozen=True)
class Symbol:
    """A free size by its name."""

    name: str

    @cached_property
    def key(self) -> tuple[int, str]:
        return 0, self.name


@record(frozen=True)
class Floor:
    """``numerator // divisor``, reduced so far that nothing can be taken out."""

    numerator: Dim
    divisor: int

    @cached_property
    def key(self) -> tuple[int, str]:
        return 1, f"{show(self.numerator)} // {self.divisor}"


@record(frozen=True)
class Maximum:
    """The larger of two sizes of which neither is always the larger."""

    left: Size
    right: Size

    @cached_property
    def key(self) -> tuple[int, str]:
        return 2, f"{show(self.left)}, {show(self.right)}"


Atom: TypeAlias = Symbol | Floor | Maximum
Monomial: TypeAlias = tuple[Atom, ...]
"""A product of atoms, sorted by their keys; the empty product stands for the constant."""


class Dim:
    """An immutable expression over free sizes: coefficients times products of atoms."""

    __slots__ = ("_hash", "_terms")

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        """For this module: ``terms`` has no zero and more than a constant."""
        self._terms = terms
        self._hash: int | None = None

    @property
    def terms(self) -> Mapping[Monomial, int]:
        """The coefficient of every monomial; none is zero. Not to be changed."""
        return self._terms

    @property
    def constant(self) -> int:
        return self._terms.get((), 0)

    def __add__(self, other: Size) -> Size:
        terms = dict(self._terms)
        if isinstance(other, int):
            terms[()] = terms.get((), 0) + other
        elif isinstance(other, Dim):
            for monomial, coefficient in other._terms.items():
                terms[monomial] = terms.get(monomial, 0) + coefficient
        else:
            return NotImplemented
        return _size(terms)

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return Dim({monomial: -coefficient for monomial, coefficient in self._terms.items()})

    def __sub__(self, other: Size) -> Size:
        if not isinstance(other, (int, Dim)):
            return NotImplemented
        return self + -other

    def __rsub__(self, other: int) -> Size:
        if not isinstance(other, int):
            return NotImplemented
        return -self + other

    def __mul__(self, other: Size) -> Size:
        if isinstance(other, int):
            if other == 0:
                return 0
            return Dim({monomial: c * other for monomial, c in self._terms.items()})
        if not isinstance(other, Dim):
            return NotImplemented
        terms: dict[Monomial, int] = {}
        for left, a in self._terms.items():
            for right, b in other._terms.items():
                monomial = _product(left, right)
                terms[monomial] = terms.get(monomial, 0) + a * b
        return _size(terms)

    __rmul__ = __mul__

    def __pow__(self, exponent: int) -> Size:
        if not isinstance(exponent, int):
            return NotImplemented
        if exponent < 0:
            raise DimError(f"({show(self)}) ** {exponent} is not a whole number")
        result: Size = 1
        for _ in range(exponent):
            result = result * self
        return result

    def __floordiv__(self, other: Size) -> Size:
        if isinstance(other, int):
            if other <= 0:
                raise DimError(f"{show(self)} cannot be divided by {other}")
            return _floor(self, other)
        if not isinstance(other, Dim):
            return NotImplemented
        quotient = exact_quotient(self, other)
        if quotient is None:
            raise DimError(f"{show(self)} cannot be divided by {show(other)}")
        return quotient

    def __rfloordiv__(self, other: int) -> Size:
        if not isinstance(other, int):
            return NotImplemented
        if other:
            raise DimError(f"{other} cannot be divided by {show(self)}, a free size")
        return 0

    def __mod__(self, other: Size) -> Size:
        if not isinstance(other, (int, Dim)):
            return NotImplemented
        return self - other * (self // other)

    def __rmod__(self, other: int) -> Size:
        if not isinstance(other, int):
            return NotImplemented
        return other - self * (other // self)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Dim) and self._terms == other._terms

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._terms.items()))
        return self._hash

    def __bool__(self) -> bool:
        raise DimError(f"whether {show(self)} is zero is not known: it has free sizes")

    def __reduce__(self) -> tuple[type[Dim], tuple[dict[Monomial, int]]]:
        return Dim, (dict(self._terms),)  # the kept hash is good in this process alone

    def __str__(self) -> str:
        return show(self)

    def __repr__(self) -> str:
        return f"Dim({show(self)})"


Size: TypeAlias = int | Dim
"""A size that is known, or an expression over free sizes."""


def symbol(name: str) -> Dim:
    """The free size of this name: some integer, 1 or more."""
    return Dim({(Symbol(name),): 1})


def ceil_div(size: Size, divisor: int) -> Size:
    """``size / divisor`` rounded up."""
    return (size + (divisor - 1)) // divisor


def maximum(left: Size, right: Size) -> Size:
    """The larger of two sizes."""
    if isinstance(left, int) and isinstance(right, int):
        return max(left, right)
    above, below = minimum_value(left - right), minimum_value(right - left)
    if above is not None and above >= 0:
        return left
    if below is not None and below >= 0:
        return right
    first, second = sorted((left, right), key=show)
    return Dim({(Maximum(first, second),): 1})


def minimum(left: Size, right: Size) -> Size:
    """The smaller of two sizes."""
    return -maximum(-left, -right)


def evaluate(size: Size, sizes: Mapping[str, int]) -> int:
    """The size where the free sizes have these values."""
    if isinstance(size, int):
        return size
    total = 0
    for monomial, coefficient in size.terms.items():
        product = coefficient
        for atom in monomial:
            product *= _evaluate_atom(atom, sizes)
        total += product
    return total


def _evaluate_atom(atom: Atom, sizes: Mapping[str, int]) -> int:
    if isinstance(atom, Symbol):
        try:
            return sizes[atom.name]
        except KeyError:
            raise DimError(f"the free size {atom.name} has no value") from None
    if isinstance(atom, Floor):
        return evaluate(atom.numerator, sizes) // atom.divisor
    return max(evaluate(atom.left, sizes), evaluate(atom.right, sizes))


def substitute(size: Size, mapping: Mapping[str, Size]) -> Size:
    """The size with some free sizes replaced; the others stay."""

    def replaced(atom: Atom) -> Size:
        if isinstance(atom, Symbol):
            return mapping[atom.name] if atom.name in mapping else Dim({(atom,): 1})
        if isinstance(atom, Floor):
            return substitute(atom.numerator, mapping) // atom.divisor
        return maximum(substitute(atom.left, mapping), substitute(atom.right, mapping))

    return _with_atoms(size, replaced)


def _with_atoms(size: Size, replaced: Callable[[Atom], Size]) -> Size:
    if isinstance(size, int):
        return size
    total: Size = 0
    for monomial, coefficient in size.terms.items():
        product: Size = coefficient
        for atom in monomial:
            product = product * replaced(atom)
        total = total + product
    return total


def symbols(size: Size) -> frozenset[str]:
    """The names of the free sizes that occur."""
    return frozenset() if isinstance(size, int) else _symbols(size)


@lru_cache(maxsize=4096)
def _symbols(size: Dim) -> frozenset[str]:
    names: set[str] = set()
    for monomial in size.terms:
        for atom in monomial:
            if isinstance(atom, Symbol):
                names.add(atom.name)
            elif isinstance(atom, Floor):
                names |= symbols(atom.numerator)
            else:
                names |= symbols(atom.left) | symbols(atom.right)
    return frozenset(names)


def minimum_value(size: Size) -> int | None:
    """A bound that the size never goes below where every free size is 1 or more, if one is seen."""
    if isinstance(size, int):
        return size
    return _minimum_value(size)


@lru_cache(maxsize=4096)
def _minimum_value(size: Dim) -> int | None:
    """Count every free size from 1: then what has no minus sign is least at zero."""
    from_one = _counted_from_one(size)
    bound = _minimum_from_zero(from_one)
    if bound is not None or isinstance(from_one, int):
        return bound
    return _minimum_relaxed(from_one)


def _counted_from_one(size: Size) -> Size:
    """The size with 1 more for every free size, which may then be 0: no maximum is decided."""
    return _with_atoms(size, _atom_counted_from_one)


def _atom_counted_from_one(atom: Atom) -> Size:
    if isinstance(atom, Symbol):
        return Dim({(atom,): 1}) + 1
    if isinstance(atom, Floor):
        return _counted_from_one(atom.numerator) // atom.divisor
    sides = sorted((_counted_from_one(atom.left), _counted_from_one(atom.right)), key=show)
    return Dim({(Maximum(*sides),): 1})


def _minimum_from_zero(size: Size) -> int | None:
    if isinstance(size, int):
        return size
    total = 0
    for monomial, coefficient in size.terms.items():
        if not monomial:
            total += coefficient
            continue
        if coefficient < 0:
            return None
        least = coefficient
        for atom in monomial:
            factor = _atom_from_zero(atom)
            if factor is None or (factor < 0 and len(monomial) > 1):
                return None
            least *= factor
        total += least
    return total


def _atom_from_zero(atom: Atom) -> int | None:
    if isinstance(atom, Symbol):
        return 0
    if isinstance(atom, Floor):
        least = _minimum_from_zero(atom.numerator)
        return None if least is None else least // atom.divisor
    bounds = [_minimum_from_zero(atom.left), _minimum_from_zero(atom.right)]
    return max((bound for bound in bounds if bound is not None), default=None)


def _minimum_relaxed(size: Dim) -> int | None:
    """Bound floor divisions by ``(X - k + 1) / k <= X // k <= X / k`` and look again."""
    for monomial, coefficient in size.terms.items():
        atom = monomial[0] if len(monomial) == 1 else None
        if not isinstance(atom, Floor):
            continue
        rest = size - Dim({monomial: coefficient})
        slack = 0 if coefficient < 0 else atom.divisor - 1
        scaled = rest * atom.divisor + (atom.numerator - slack) * coefficient
        bound = _minimum_from_zero(scaled)
        if bound is None and isinstance(scaled, Dim):
            bound = _minimum_relaxed(scaled)
        return None if bound is None else -(-bound // atom.divisor)
    return None


def exact_quotient(size: Size, divisor: Size) -> Size | None:
    """The quotient of two sizes where the division is seen to leave no remainder."""
    if isinstance(divisor, int):
        quotient = size // divisor if divisor > 0 else None
        return quotient if quotient is not None and quotient * divisor == size else None
    lead = _leading(divisor)
    quotient, rest = cast(Size, 0), size
    while isinstance(rest, Dim):
        monomial = _leading(rest)
        factor = _cofactor(monomial, lead)
        whole, left_over = divmod(rest.terms[monomial], divisor.terms[lead])
        if factor is None or left_over:
            return None
        term = _size({factor: whole})
        quotient, rest = quotient + term, rest - term * divisor
    return quotient if rest == 0 else None


def _cofactor(monomial: Monomial, divisor: Monomial) -> Monomial | None:
    atoms = list(monomial)
    for atom in divisor:
        if atom not in atoms:
            return None
        atoms.remove(atom)
    return tuple(atoms)


def _order(monomial: Monomial) -> tuple[int, list[tuple[int, str]]]:
    """Graded lexicographic order, leading terms first: an order that products respect."""
    return -len(monomial), [atom.key for atom in monomial]


def _leading(size: Dim) -> Monomial:
    if len(size.terms) == 1:
        return next(iter(size.terms))
    return min(size.terms, key=_order)


def _product(left: Monomial, right: Monomial) -> Monomial:
    if not left or not right:
        return left or right
    return tuple(sorted(left + right, key=lambda atom: atom.key))


def _size(terms: Mapping[Monomial, int]) -> Size:
    kept = {monomial: coefficient for monomial, coefficient in terms.items() if coefficient}
    if not kept:
        return 0
    if len(kept) == 1 and () in kept:
        return kept[()]
    return Dim(kept)


@lru_cache(maxsize=4096)
def _floor(size: Dim, divisor: int) -> Size:
    """``size // divisor`` in the normal form, for a divisor of 1 or more."""
    common = gcd(divisor, *(c for monomial, c in size.terms.items() if monomial))
    if common > 1:
        varying = {monomial: c // common for monomial, c in size.terms.items() if monomial}
        return (_size(varying) + size.constant // common) // (divisor // common)
    whole, rest = _divide_coefficients(size, divisor)
    if isinstance(rest, int):
        return whole  # what is left over is a constant below the divisor
    inner = _nested(rest, 1)
    if inner is not None and (divisor > 2 or size.terms[(inner,)] > 0):
        outside = rest - Dim({(inner,): 1})
        numerator = inner.numerator + inner.divisor * outside
        return whole + numerator // (inner.divisor * divisor)
    if _nested(rest, divisor - 1) is not None or _reads_better_negated(size, rest, divisor):
        return -(cast(Dim, divisor - 1 - size) // divisor)
    return whole + Dim({(Floor(rest, divisor),): 1})


def _reads_better_negated(size: Dim, rest: Dim, divisor: int) -> bool:
    """Whether the leading coefficient is nearer to the divisor than to 0, or was below 0."""
    lead = _leading(rest)
    twice = 2 * rest.terms[lead]
    return twice > divisor or (twice == divisor and size.terms[lead] < 0)


def _divide_coefficients(size: Dim, divisor: int) -> tuple[Size, Size]:
    whole: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, coefficient in size.terms.items():
        whole[monomial], rest[monomial] = divmod(coefficient, divisor)
    return _size(whole), _size(rest)


def _nested(size: Dim, factor: int) -> Floor | None:
    """A floor division that is a term of the sum with this factor; the first of several."""
    found = [
        monomial[0]
        for monomial, coefficient in size.terms.items()
        if coefficient == factor and len(monomial) == 1 and isinstance(monomial[0], Floor)
    ]
    return min(found, key=lambda atom: atom.key) if found else None


@lru_cache(maxsize=4096)
def show(size: Size) -> str:
    """The size for people: ``2*(H // 2) + 1``."""
    return _write(size, lambda name: name, "*")


def show_shape(shape: Iterable[Size]) -> str:
    """The shape for people: ``[64, H // 2, W // 2]``."""
    return f"[{', '.join(map(show, shape))}]"


def as_formula(size: Size) -> str:
    """The size in the notation of mathematics: ``⌈H/2⌉`` for ``(H + 1) // 2``."""
    if isinstance(size, int):
        return str(size)
    text = ""
    for monomial in _reading_order(size):
        coefficient = size.terms[monomial]
        factors = [_formula_of(atom) for atom in monomial]
        if abs(coefficient) != 1 or not factors:
            factors.insert(0, str(abs(coefficient)))
        sign = "-" if coefficient < 0 else "+"
        text += f" {sign} " if text else "-" if coefficient < 0 else ""
        text += "·".join(factors)
    return text


def _formula_of(atom: Atom) -> str:
    if isinstance(atom, Symbol):
        return atom.name
    if isinstance(atom, Maximum):
        return f"max({as_formula(atom.left)}, {as_formula(atom.right)})"
    up = atom.numerator.constant == atom.divisor - 1
    inner = atom.numerator - (atom.divisor - 1) if up else atom.numerator
    text = as_formula(inner)
    text = text if text.isalnum() else f"({text})"
    return f"⌈{text}/{atom.divisor}⌉" if up else f"⌊{text}/{atom.divisor}⌋"


def as_python(size: Size, names: Mapping[str, str]) -> str:
    """The size as Python source, where ``names`` gives each free size as an operand."""
    return _write(size, lambda name: names[name], " * ")


def _write(size: Size, name: Callable[[str], str], times: str) -> str:
    if isinstance(size, int):
        return str(size)
    text = ""
    for monomial in _reading_order(size):
        coefficient = size.terms[monomial]
        factors = [_write_atom(atom, name, times) for atom in monomial]
        if len(factors) > 1 or abs(coefficient) != 1:
            pairs = zip(factors, monomial, strict=True)
            factors = [f"({f})" if isinstance(atom, Floor) else f for f, atom in pairs]
        if abs(coefficient) != 1 or not factors:
            factors.insert(0, str(abs(coefficient)))
        product = times.join(factors)
        if text:
            text += f" {'-' if coefficient < 0 else '+'} {product}"
        elif coefficient < 0:
            bare_floor = len(factors) == 1 and monomial and isinstance(monomial[0], Floor)
            text = f"-({product})" if bare_floor else f"-{product}"
        else:
            text = product
    return text


def _reading_order(size: Dim) -> Sequence[Monomial]:
    """Higher degrees first and the constant last, but a minus sign not in front."""
    ordered = sorted(size.terms, key=_order)
    first = next((monomial for monomial in ordered if size.terms[monomial] > 0), ordered[0])
    return [first, *(monomial for monomial in ordered if monomial is not first)]


def _write_atom(atom: Atom, name: Callable[[str], str], times: str) -> str:
    if isinstance(atom, Symbol):
        return name(atom.name)
    if isinstance(atom, Maximum):
        return f"max({_write(atom.left, name, times)}, {_write(atom.right, name, times)})"
    numerator = _write(atom.numerator, name, times)
    if len(atom.numerator.terms) > 1:
        numerator = f"({numerator})"
    return f"{numerator} // {atom.divisor}"
