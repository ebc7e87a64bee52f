"""What a network and a loss ask for, in few words; and what is said where data does not give it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.dims import Size
from archdsl.ops.op import Dtype, Tensor
from archdsl.techniques.data import DataSettings
from archdsl.techniques.losses import Wanted
from archdsl.training.data import Data, open_data


def floats(*dims: Size) -> Tensor:
    return Tensor(dims)


def ints(*dims: Size) -> Tensor:
    return Tensor(dims, "int")


def classes(count: int | None, *dims: Size) -> dict[str, Wanted]:
    """What cross entropy wants."""
    return {"target": Wanted(Tensor(dims, "int"), count)}


def values(*dims: Size, dtype: Dtype = "float") -> dict[str, Wanted]:
    """What mse wants."""
    return {"target": Wanted(Tensor(dims, dtype))}


def opened(
    source: object,
    input: Tensor,
    targets: Mapping[str, Wanted] | None = None,
    *,
    root: Path | None = None,
    inside: bool = False,
    **settings: Any,
) -> Data:
    """Data for a network whose only input is called image."""
    made = DataSettings(**settings)
    asked = {"image": input}
    return open_data(
        source, inputs=asked, targets=targets or {}, settings=made, root=root, inside=inside
    )


def refused(
    source: object,
    input: Tensor,
    targets: Mapping[str, Wanted] | None = None,
    *,
    root: Path | None = None,
    inside: bool = False,
    **settings: Any,
) -> Diagnostic:
    """The one diagnostic that the data gets."""
    found = complaints(source, input, targets, root=root, inside=inside, **settings)
    assert len(found) == 1, found
    return found[0]


def complaints(
    source: object,
    input: Tensor,
    targets: Mapping[str, Wanted] | None = None,
    *,
    root: Path | None = None,
    inside: bool = False,
    **settings: Any,
) -> tuple[Diagnostic, ...]:
    """What is said against the data, each of it shown as a person would see it."""
    found: tuple[Diagnostic, ...] = ()
    try:
        opened(source, input, targets, root=root, inside=inside, **settings)
    except ArchError as error:
        found = error.diagnostics
    assert all(map(str, found))
    return found


def column(data: Data, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The only input and the only target of a part."""
    (x,), (y,) = data.samples(part)
    return x, y
