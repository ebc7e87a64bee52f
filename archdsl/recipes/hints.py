"""What was most likely meant by something that a ``train`` block cannot have where it stands."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePath

from archdsl.diagnostics import suggest
from archdsl.ops.op import Parameter, signature
from archdsl.syntax import ast
from archdsl.techniques.data import PICTURES
from archdsl.techniques.technique import Technique, find, kinds, names, registered

SETTING_OF = {
    "clipping": "clip",
    "initialization": "initialize",
    "metric": "metrics",
    "mixing": "augment",
    "penalty": "loss",
    "prediction": "predict",
    "reparametrization": "reparametrize",
    "stopping": "early_stopping",
    "transform": "augment",
}
"""The setting that takes the techniques of a kind, where it is not called as the kind is."""

_CALLED = {
    "data": "data set",
    "clipping": "way of clipping",
    "mixing": "way of mixing",
    "prediction": "way of predicting",
    "stopping": "rule of stopping",
}
_WORDS = {"learning_rate": "lr", "minmax": "unit", "zscore": "standard"}
"""What things are called elsewhere, and here."""
_BY_ENDING = {".npz": "npz", ".csv": "csv", ".txt": "sequences"}


def called(kind: str) -> str:
    """A technique of the kind, in words."""
    return _CALLED.get(kind, kind)


def called_many(kind: str) -> str:
    """Several of them, in words."""
    first, *rest = called(kind).split()
    plural = {"loss": "losses", "penalty": "penalties"}.get(first, f"{first}s")
    return " ".join([first, *rest[:-1], f"{rest[-1]}s"] if kind == "data" else [plural, *rest])


def meant(word: str, known: Collection[str]) -> str | None:
    """The name that a misspelt or a shortened one stands for."""
    here = _WORDS.get(word)
    if here in known:
        return here
    short = word.lower()
    longer = [name for name in known if len(short) > 1 and name.startswith(short)]
    initials = [name for name in known if "".join(p[0] for p in name.split("_") if p) == short]
    for found in (longer, initials):
        if len(found) == 1:
            return found[0]
    return suggest(word, known)


def other_kind(name: str, but: Sequence[str]) -> str | None:
    """The first kind that has a technique of that name, beside those that were asked for."""
    return next((kind for kind in kinds() if kind not in but and find(kind, name)), None)


def as_technique(expr: ast.Expr, wanted: Sequence[str]) -> str:
    """A text or a number as the technique that is hardly anything else; or nothing."""
    kind = wanted[0]
    if kind == "data":
        return _as_data(expr)
    if not isinstance(expr, ast.Literal_) or isinstance(expr.value, bool):
        return ""
    if isinstance(expr.value, str):
        known = [name for each in wanted for name in names(each)]
        found = expr.value if expr.value in known else meant(expr.value, known)
        return found or ""
    if isinstance(expr.value, (int, float)):
        return next(_taking(kind, expr.value, expr.text), "")
    return ""


def _taking(kind: str, value: float, written: str) -> Iterator[str]:
    """Techniques that take a number first."""
    for cls in registered(kind):
        first = next(iter(signature(cls)), None)
        if first is not None and _takes(first, value):
            name = f"{first.name} = " if kind == "optimizer" else ""
            yield f"{cls.name}({name}{written})"


def _takes(parameter: Parameter, value: object) -> bool:
    try:
        parameter.kind.convert(value)
    except ValueError:
        return False
    return True


def _as_data(expr: ast.Expr) -> str:
    """A path as the source that its ending tells."""
    match expr:
        case ast.Literal_(value=str(path)):
            if find("data", path) is not None:
                return path
        case ast.Attribute():
            path = expr.span.text
        case _:
            return ""
    ending = PurePath(path).suffix.lower()
    source = _BY_ENDING.get(ending)
    shown = '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if source is None and ending and ending not in PICTURES:
        return ""
    target = ', target = "…"' if source == "csv" else ""
    return f"{source or 'images'}({shown}{target})"


def instead_of(key: str, value: ast.Setting, known: Collection[str], optimizer: str = "sgd") -> str:
    """What would mend a key that no setting has; ``optimizer`` is the name of the block's.

    It is an argument of a technique, or a technique, or a misspelt one of the ``known``.
    """
    word = _WORDS.get(key, key)
    own = find("optimizer", optimizer)
    if own is not None and word in _arguments(own):
        return f"write optimizer: {own.name}({word} = {value.span.text})"
    kind = other_kind(word, ())
    if kind is not None:
        return f"write {SETTING_OF.get(kind, kind)}: {_with(find(kind, word), value)}"
    near = meant(word, known)
    if near is not None:
        return f"did you mean {near}?"
    for kind in kinds():
        for cls in registered(kind):
            if word in _arguments(cls):
                setting = SETTING_OF.get(kind, kind)
                return f"write {setting}: {cls.name}({word} = {value.span.text})"
    return ""


def taking(setting: str, argument: str, value: str) -> str:
    """The first technique of a setting that takes an argument, with its value: ``sgd(lr = 3)``."""
    of_setting = [kind for kind in kinds() if SETTING_OF.get(kind, kind) == setting]
    for cls in (cls for kind in of_setting for cls in registered(kind)):
        if argument in _arguments(cls):
            return f"{cls.name}({argument} = {value})"
    return ""


def _arguments(cls: type[Technique]) -> set[str]:
    return {parameter.name for parameter in signature(cls)}


def _with(cls: type[Technique] | None, value: ast.Setting) -> str:
    """A technique with what stands behind its name as its argument, where it takes that."""
    assert cls is not None
    first = next(iter(signature(cls)), None)
    fits = isinstance(value, ast.Literal_) and first is not None and _takes(first, value.value)
    return f"{cls.name}({value.span.text})" if fits else cls.example or cls.name
