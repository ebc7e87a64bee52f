"""What the network and the loss ask of data, and how it is said that data does not give it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from archdsl.diagnostics import ArchError, Diagnostic, Span
from archdsl.ops.op import Tensor as Type
from archdsl.recipes.demands import Demands
from archdsl.techniques.data import DataSettings
from archdsl.techniques.losses import Wanted

_LONGEST_LIST = 8  # names in a message


@dataclass(frozen=True)
class Request:
    """What data is opened for.

    ``demands`` are what the network asks of its inputs beyond their types. ``classes`` are the
    names of classes that a trained network knows already, by target, and ``columns`` those of
    the table's columns that it takes; ``inside`` holds files to the folder ``root``. For a
    ``prediction`` no targets are needed, and those that a file has are left alone.
    """

    inputs: Mapping[str, Type]
    targets: Mapping[str, Wanted]
    settings: DataSettings = field(default_factory=DataSettings)
    root: Path | None = None
    inside: bool = False
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prediction: bool = False
    columns: tuple[str, ...] = ()
    demands: Demands = field(default_factory=Demands)

    def one_input(self, shown: str) -> str:
        """The network's input, where data gives but one."""
        if len(self.inputs) != 1:
            raise mismatch(
                f"the network has {len(self.inputs)} inputs ({listed(self.inputs)}), and {shown}"
                " gives one",
                help="an .npz file, or tensors in Python, can give several",
            )
        return next(iter(self.inputs))

    def one_target(self, shown: str) -> str | None:
        """The target of the loss, or None where it has none, where data gives but one."""
        if len(self.targets) > 1:
            raise mismatch(
                f"the loss has {len(self.targets)} targets ({listed(self.targets)}), and {shown}"
                " gives one",
                help="an .npz or a .csv file, or tensors in Python, can give several",
            )
        return next(iter(self.targets), None)


def mismatch(
    message: str,
    *,
    help: str = "",
    notes: Sequence[str] = (),
    span: Span | None = None,
    text: str = "",
) -> ArchError:
    """Data that is sound, and not what the network or the loss needs."""
    return ArchError(
        [Diagnostic("data-mismatch", message, span, text, notes=tuple(notes), help=help)]
    )


def bad_data(
    message: str,
    *,
    help: str = "",
    notes: Sequence[str] = (),
    span: Span | None = None,
    text: str = "",
) -> ArchError:
    """Data that no network could learn from, as it stands."""
    return ArchError([Diagnostic("bad-data", message, span, text, notes=tuple(notes), help=help)])


def described(what: str, name: str) -> str:
    """An input or a target by its name; one that is called just that, by it alone."""
    return f"the {what}" if name == what else f"the {what} {name}"


def listed(names: Iterable[object]) -> str:
    """Names in a message; of many, the first."""
    shown = [str(name) for name in names]
    more = ["…"] if len(shown) > _LONGEST_LIST else []
    return ", ".join(shown[:_LONGEST_LIST] + more)
