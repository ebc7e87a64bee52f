"""What a run is, from one machine to another: ranks, devices, and numbers to compute with."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from archdsl.training.batch_norms import reestimate_batch_norms
from archdsl.training.results import process_rank
from archdsl.training.trainer import RunSettings, _arguments

RANKS = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({}, 0),
        ({"NODE_RANK": "1"}, 2),
        ({"NODE_RANK": "1", "LOCAL_RANK": "1"}, 3),
        ({"NODE_RANK": "0", "LOCAL_RANK": "1"}, 1),
        ({"SLURM_PROCID": "0", "LOCAL_RANK": "1"}, 1),  # a shell of the cluster, another launcher
        ({"SLURM_PROCID": "3"}, 3),
        ({"RANK": "3", "LOCAL_RANK": "1"}, 3),
    ],
)
def test_two_machines_of_two_devices_count_to_four(
    environment: dict[str, str], rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in RANKS:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert process_rank(2) == rank
    assert (process_rank() == 0) == (rank == 0)


@pytest.mark.parametrize(
    ("accelerator", "there", "synchronized"),
    [("cpu", True, False), ("auto", True, True), ("auto", False, False), ("gpu", True, True)],
)
def test_batch_norms_are_synchronized_on_gpus_alone(
    accelerator: str, there: bool, synchronized: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    run = RunSettings(epochs=1, devices=2, accelerator=accelerator)
    assert _arguments(run)["sync_batchnorm"] is synchronized


class Watched(nn.Module):
    """Notes where it computes, and where it is brought."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.moves: list[object] = []

    def to(self, device: object) -> Watched:  # type: ignore[override]  # as it is called here
        self.moves.append(device)
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.moves.append("a batch")
        result: torch.Tensor = self.norm(x)
        return result


def test_batch_norms_are_taken_anew_where_the_run_computes() -> None:
    network = Watched()
    x = torch.randn(6, 2)
    reestimate_batch_norms(network, [(x, x)], device=torch.device("cpu", 0))
    assert network.moves == [torch.device("cpu", 0), "a batch", torch.device("cpu")]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batch_norms_are_taken_anew_on_a_gpu() -> None:
    network = nn.Sequential(nn.BatchNorm1d(2))
    x = torch.randn(6, 2)
    reestimate_batch_norms(network, [(x, x)], device=torch.device("cuda", 0))
    norm = network[0]
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    torch.testing.assert_close(norm.running_mean, x.mean(0))
