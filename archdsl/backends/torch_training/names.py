"""What the tensors, terms and metrics of a recipe are called in its source."""

from __future__ import annotations

import keyword
import re
from functools import cached_property

from archdsl.backends.torch_source.names import field_name
from archdsl.ops.op import Tensor
from archdsl.ops.torch_text import Code
from archdsl.recipes import Recipe, Term
from archdsl.recipes.recipe import Operand
from archdsl.techniques.losses import Loss, Wanted
from archdsl.techniques.mixing import Mixing
from archdsl.techniques.transforms import Transform

_RESERVED = frozenset(
    "self batch batch_idx loss torch nn F L K p Any Tensor Means named torchmetrics math"
    " dict len sum super tuple zip".split()
)
"""What the source means itself."""


def quoted(text: str) -> str:
    """A text as Python writes it; one with quotes of its own, such as ``l1("*.bias")``, too."""
    return repr(text) if '"' in text or not text.isprintable() or "\\" in text else f'"{text}"'


class Names:
    """Python's names for what a recipe names, each once."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._taken: set[str] = set(_RESERVED)
        self.mixing = tuple(t for t in recipe.augment if isinstance(t, Mixing))
        self.transforms = tuple(t for t in recipe.augment if isinstance(t, Transform))
        self._taken.update(self.helpers)
        self.inputs = {name: self._new(name) for name in recipe.inputs}
        self.targets = {name: self._new(name) for name in recipe.targets}
        self.outputs = {name: self._new(name) for name in recipe.outputs}
        self.terms = {term.name: self._new(term.name) for term in recipe.loss}
        mixed = [self._new(n) if self.mixing else "" for n in ("order", "share", "one", "other")]
        self.order, self.share, self.one, self.other = mixed

    def _new(self, name: str) -> str:
        """A name of Python that nothing else has."""
        plain = re.sub(r"\W+", "_", name).strip("_") or "value"
        if plain[0].isdigit():
            plain = f"_{plain}"
        if keyword.iskeyword(plain):
            plain += "_"
        chosen, count = plain, 1
        while chosen in self._taken:
            count += 1
            chosen = f"{plain}_{count}"
        self._taken.add(chosen)
        return chosen

    def code(self, term: Term) -> Code:
        """The PyTorch of a term."""
        if isinstance(term.technique, Loss):
            known = [o.prediction for o in term.operands if o.prediction is not None]
            return term.technique.code(known)
        return term.technique.code()

    @property
    def helpers(self) -> dict[str, str]:
        """The functions and classes that the losses and the augmentation need, by name."""
        codes = [self.code(term) for term in self.recipe.loss]
        codes += [t.code(masks=bool(self.moved)) for t in self.transforms]
        codes += [way.code() for way in self.mixing]
        return {name: text for code in codes for name, text in code.helpers.items()}

    def tensor(self, operand: Operand, *, evaluation: bool = False) -> str:
        """The expression for a tensor of the loss."""
        if operand.origin == "input":
            return self.inputs[operand.name]
        if operand.origin == "target":
            return self.targets[operand.name]
        if len(self._given(evaluation)) == 1:
            return self.output(evaluation=evaluation)
        return f"{self.output(evaluation=evaluation)}.{field_name(operand.name)}"

    def _given(self, evaluation: bool) -> list[str]:
        """The outputs that the network gives, which are fewer in evaluation."""
        hidden = self.recipe.auxiliary if evaluation else ()
        return [name for name in self.recipe.outputs if name not in hidden]

    def output(self, *, evaluation: bool = False) -> str:
        """What all that the network gives is called: a tensor, or a named tuple."""
        given = self._given(evaluation)
        return self.outputs[given[0]] if len(given) == 1 else self._tuple

    @cached_property
    def _tuple(self) -> str:
        return self._new("outputs")

    def unpacking(self) -> str:
        """``image, target = batch``."""
        return f"{_tuple([*self.inputs.values()])}, {_tuple([*self.targets.values()])} = batch"

    def call(self) -> str:
        return f"self.network({', '.join(self.inputs.values())})"

    @property
    def first_input(self) -> str:
        return next(iter(self.inputs.values()))

    def logged(self, *, evaluation: bool = False) -> list[str]:
        """The terms that are logged beside the loss."""
        shown = [t for t in self.recipe.loss if not evaluation or evaluated(t)]
        return [t.name for t in shown] if len(self.recipe.loss) > 1 else []

    @cached_property
    def image(self) -> str:
        """The input that is augmented: the one image."""
        return next(self.inputs[n] for n, type in self.recipe.inputs.items() if is_image(type))

    @cached_property
    def moved(self) -> dict[str, Wanted]:
        """The targets with a value at every place, which move where the image moves."""
        if not any(t.geometric for t in self.transforms):
            return {}
        return {name: w for name, w in self.recipe.targets.items() if w.type.rank > 1}

    def augmentation(self) -> list[str]:
        """The statement that makes the transforms, if there are any."""
        if not self.transforms:
            return []
        codes = [t.code(masks=bool(self.moved)).call for t in self.transforms]
        if self.moved:
            keys = ", ".join(['"input"', *['"mask"' for _ in self.moved]])
            kind = "K.AugmentationSequential"
            codes.append(f"data_keys=[{keys}]")
        else:
            kind = "nn.Sequential"
        reason = "# its call alone: what transforms hold is no part of the state"
        return [reason, f"self.augment = {kind}(", *[f"    {c}," for c in codes], ").forward"]


def is_image(type: Tensor) -> bool:
    """Whether an input is of images: channels, height, width."""
    return type.rank == 3 and type.dtype == "float"


def evaluated(term: Term) -> bool:
    """Whether a term is part of what evaluation measures: of data, and had in evaluation too."""
    return term.of_data and not term.in_training


def _tuple(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"({', '.join(names)})" if names else "_"
