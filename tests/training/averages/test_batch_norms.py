"""Batch norms estimated anew: their means and variances over the data, by hand."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import archdsl
from archdsl.training.batch_norms import reestimate_batch_norms


def data(sizes: list[int], *shape: int, seed: int = 0) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return [(3 * torch.randn(n, *shape, generator=generator) + 1, torch.empty(n)) for n in sizes]


def of(network: nn.Module, name: str) -> Tensor:
    found: Tensor = network.state_dict()[name]
    return found


@settings(max_examples=20)
@given(st.lists(st.integers(2, 9), min_size=1, max_size=6), st.integers(0, 99))
def test_the_mean_is_that_of_all_samples_and_the_variance_that_within_batches(
    sizes: list[int], seed: int
) -> None:
    network = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    batches = data(sizes, 2, 4, 4, seed=seed)
    reestimate_batch_norms(network, batches)
    with torch.no_grad():
        parts = [network[0](x).movedim(1, -1).reshape(-1, 3) for x, _ in batches]
    shares = torch.tensor(sizes) / sum(sizes)
    within = sum(s * part.var(0) for s, part in zip(shares, parts, strict=True))
    assert torch.allclose(of(network, "1.running_mean"), torch.cat(parts).mean(0), atol=1e-5)
    assert torch.allclose(of(network, "1.running_var"), within, rtol=1e-4)


def test_of_one_batch_they_are_mean_and_variance_of_all_data() -> None:
    network = nn.Sequential(nn.BatchNorm1d(5))
    ((x, _),) = data([4000], 5)
    reestimate_batch_norms(network, [(x, torch.empty(4000))])
    assert torch.allclose(of(network, "0.running_mean"), x.mean(0), atol=1e-5)
    assert torch.allclose(of(network, "0.running_var"), x.var(0), rtol=1e-4)
    network.eval()
    assert torch.allclose(network(x).std(0), torch.ones(5), atol=1e-3)


def test_later_ones_see_what_the_earlier_ones_now_give() -> None:
    network = nn.Sequential(nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 4), nn.BatchNorm1d(4))
    of(network, "0.running_mean").fill_(7.0)  # far from the data
    ((x, y),) = data([2000], 3)
    reestimate_batch_norms(network, [(x, y)])
    before = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()
    with torch.no_grad():
        second = network[2](before.relu())
    assert torch.allclose(of(network, "3.running_mean"), second.mean(0), atol=1e-4)


def test_dropout_is_as_in_evaluation() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3))
    ((x, y),) = data([50], 3)
    reestimate_batch_norms(network, [(x, y)])
    assert torch.allclose(of(network, "1.running_mean"), x.mean(0), atol=1e-5)


def test_all_else_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3, momentum=0.3), nn.Dropout(0.5))
    network[2].eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    reestimate_batch_norms(network, data([4, 4], 3))
    assert (network.training, network[1].training, network[2].training) == (True, True, False)
    assert network[1].momentum == 0.3
    assert all(p.grad is None for p in network.parameters())
    for name in ("0.weight", "0.bias", "1.weight", "1.bias"):
        assert torch.equal(network.state_dict()[name], before[name])


def test_what_evaluation_does_not_come_through_keeps_its_numbers() -> None:
    spec = """
    network heads {
        input x: [3]
        x -> linear(4) -> bn -> relu as body
        body -> linear(5) as main
        body -> linear(4) -> bn -> linear(5) as aux
        output main
        output aux in training
    }
    """
    network = archdsl.compile(archdsl.loads(spec))
    means = [name for name in network.state_dict() if name.endswith("running_mean")]
    assert len(means) == 2
    for name in means:
        of(network, name).fill_(7.0)
    reestimate_batch_norms(network, data([8], 3))
    assert sorted(bool((of(network, name) == 7).all()) for name in means) == [False, True]


def test_several_inputs_come_in_their_order() -> None:
    spec = """
    network two {
        input a: [3]
        input b: [2]
        concat(a, b) -> bn -> linear(1)
    }
    """
    network = archdsl.compile(archdsl.loads(spec))
    a, b = torch.randn(40, 3), torch.randn(40, 2) + 5
    reestimate_batch_norms(network, [((a, b), torch.empty(40))])
    assert torch.allclose(of(network, "bn1.running_mean"), torch.cat([a, b], 1).mean(0), atol=1e-5)


@pytest.mark.parametrize("network", [nn.Linear(3, 1), nn.BatchNorm1d(3, track_running_stats=False)])
def test_a_network_without_running_means_is_not_even_run(network: nn.Module) -> None:
    reestimate_batch_norms(network, Unread())


class Unread:
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        raise AssertionError("the data was read")


def test_the_order_of_a_shuffling_loader_follows_from_the_seed() -> None:
    x = torch.randn(40, 3) * torch.arange(40)[:, None]
    loader = DataLoader(TensorDataset(x, torch.zeros(40)), batch_size=7, shuffle=True)
    found = []
    for seed in (0, 0, 1):
        network = nn.Sequential(nn.BatchNorm1d(3))
        torch.rand(1)
        reestimate_batch_norms(network, loader, seed)
        found.append(of(network, "0.running_var"))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


PROCESS = """
import sys
import torch
from archdsl.training.batch_norms import reestimate_batch_norms

rank, place, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
torch.distributed.init_process_group("gloo", f"file://{place}", rank=rank, world_size=2)
x = torch.arange(60.0).reshape(20, 3).sin()
mine = x[:14] if rank == 0 else x[14:]
network = torch.nn.Sequential(torch.nn.BatchNorm1d(3))
reestimate_batch_norms(network, [(mine, None)])
torch.save(network.state_dict(), f"{out}{rank}")
torch.distributed.destroy_process_group()
"""


def test_two_processes_come_to_the_same_numbers(tmp_path: Path) -> None:
    arguments = [str(tmp_path / "meeting"), str(tmp_path / "state")]
    children = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(rank), *arguments])
        for rank in range(2)
    ]
    assert [child.wait(timeout=60) for child in children] == [0, 0]
    first, second = (torch.load(f"{arguments[1]}{r}", weights_only=True) for r in range(2))
    x = torch.arange(60.0).reshape(20, 3).sin()
    for state in (first, second):
        assert torch.allclose(state["0.running_mean"], x.mean(0), atol=1e-6)
        within = 0.7 * x[:14].var(0) + 0.3 * x[14:].var(0)
        assert torch.allclose(state["0.running_var"], within, atol=1e-6)
