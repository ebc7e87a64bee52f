"""Transfer: weights of another file or network into the layers that they fit."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from archdsl.diagnostics import ArchError
from archdsl.training.transfer import OtherShape, transfer_weights


def network(classes: int = 10, *, extra: bool = False) -> nn.Module:
    made = nn.Module()
    made.stem = nn.Conv2d(3, 4, 3)
    made.norm = nn.BatchNorm2d(4)
    if extra:
        made.middle = nn.Linear(2, 2)
    made.head = nn.Linear(4, classes)
    return made


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in module.state_dict().items()}


TAKEN = (
    "stem.weight stem.bias norm.weight norm.bias norm.running_mean norm.running_var "
    "norm.num_batches_tracked"
).split()


@pytest.mark.parametrize("form", ["module", "state", "safetensors", "pt"])
def test_what_matches_is_taken_and_the_rest_told(form: str, tmp_path: Path) -> None:
    own, other = network(7, extra=True), network(10)
    other.old = nn.Linear(1, 1)
    other.norm.running_mean.normal_()  # type: ignore[union-attr,operator]  # a batch norm's buffer
    before, given = _state(own), _state(other)
    source: nn.Module | dict[str, Tensor] | Path = other if form == "module" else given
    if form == "safetensors":
        source = tmp_path / "w.safetensors"
        save_file(given, source)
    elif form == "pt":
        source = tmp_path / "w.pt"
        torch.save(given, source)
    report = transfer_weights(own, source)
    assert report.matched == tuple(TAKEN)
    assert report.missing == ("middle.weight", "middle.bias")
    assert set(report.unexpected) == {"old.weight", "old.bias"}
    assert report.reshaped == (
        OtherShape("head.weight", (7, 4), (10, 4)),
        OtherShape("head.bias", (7,), (10,)),
    )
    assert not report.complete
    after = _state(own)
    assert all(torch.equal(after[n], given[n]) for n in report.matched)
    assert all(torch.equal(after[n], before[n]) for n in after if n not in report.matched)


def test_the_report_reads() -> None:
    other = network()
    other.old = nn.Linear(1, 1, bias=False)
    assert str(transfer_weights(network(7, extra=True), other)) == (
        "7 of 11 tensors taken from Module\n"
        "  of another shape: head.weight is [10, 4], and the network's is [7, 4]; "
        "head.bias is [10], and the network's is [7]\n"
        "  not in Module: middle.weight, middle.bias\n"
        "  not in the network: old.weight"
    )
    assert str(transfer_weights(network(), network())) == "9 of 9 tensors taken from Module"


def test_the_weights_stay_the_networks_own() -> None:
    own, other = network(), network()
    transfer_weights(own, other)
    with torch.no_grad():
        other.head.weight.zero_()  # type: ignore[union-attr,operator]  # a layer's weight
    assert own.head.weight.any()  # type: ignore[union-attr,operator]  # as above
    assert all(p.requires_grad for p in own.parameters())


def test_nothing_matches() -> None:
    with pytest.raises(ArchError, match="nothing of Linear matches") as caught:
        transfer_weights(network(), nn.Linear(2, 2))
    (found,) = caught.value.diagnostics
    assert found.code == "bad-weights"
    assert found.notes[-1] == "Linear has weight, bias"


class _Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('it ran')",)


def test_a_file_is_never_run(tmp_path: Path) -> None:
    for name, write in (("a.pt", torch.save), ("b.safetensors", None)):
        path = tmp_path / name
        if write is not None:
            write({"stem.weight": _Runs()}, path)
        else:
            path.write_bytes(pickle.dumps(_Runs()))
        before = _state(own := network())
        with pytest.raises(ArchError) as caught:
            transfer_weights(own, path)
        assert caught.value.diagnostics[0].code == "bad-weights"
        assert all(torch.equal(v, before[k]) for k, v in own.state_dict().items())


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArchError, match="No such file"):
        transfer_weights(network(), tmp_path / "none.pt")
