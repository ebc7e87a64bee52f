"""Whether two results of a network are the same but for rounding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

TOLERANCE = 1e-4  # of the largest number of an output
_HALF = 5e-2  # as above, where numbers have two or three digits to begin with
_LEAST_SCALE = 1e-3  # an output of nearly zeros is the difference of larger numbers


def differences(expected: object, found: object, place: str = "the output") -> list[str]:
    """What differs between two outputs: tensors, or sequences and mappings of them."""
    if isinstance(expected, Tensor) and isinstance(found, Tensor):
        return _compare(expected, found, place)
    if type(expected) is not type(found):
        return [f"{place} is {type(found).__name__}, not {type(expected).__name__}"]
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        if list(expected) != list(found):
            return [f"{place} has other names"]
        return [d for k in expected for d in differences(expected[k], found[k], f"{place}[{k!r}]")]
    if isinstance(expected, Sequence) and isinstance(found, Sequence) and type(expected) is not str:
        if len(expected) != len(found):
            return [f"{place} has {len(found)} parts, not {len(expected)}"]
        pairs = enumerate(zip(expected, found, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{place}[{i}]")]
    return [] if bool(expected == found) else [f"{place} is {found!r}, not {expected!r}"]


def _compare(expected: Tensor, found: Tensor, place: str) -> list[str]:
    if expected.shape != found.shape or expected.dtype != found.dtype:
        kinds = (f"{t.dtype} {list(t.shape)}" for t in (found, expected))
        return [f"{place} is {', not '.join(kinds)}"]
    if not expected.dtype.is_floating_point:
        return [] if torch.equal(expected, found) else [f"{place} is not equal"]
    finite = expected.isfinite()
    if not torch.equal(expected[~finite].nan_to_num(), found[~finite].nan_to_num()):
        return [f"{place} is not finite in other places"]
    if not finite.any():
        return []
    want, have = expected[finite].double(), found[finite].double()
    scale = max(float(want.abs().max()), _LEAST_SCALE)
    error = float((want - have).abs().max()) / scale
    tolerance = _HALF if expected.dtype.itemsize < 4 else TOLERANCE
    if error <= tolerance:  # not so for NaN
        return []
    return [f"{place} differs by {error:.1e} of its largest number, and {tolerance:.0e} is allowed"]
