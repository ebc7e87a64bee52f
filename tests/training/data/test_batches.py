"""The order of batches follows from seed and epoch; processes share every batch among them."""

from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archdsl.diagnostics import ArchError
from archdsl.training.data.batches import EpochBatches, InMemoryLoader
from archdsl.training.data.samples import InMemory


def order(count: int, seed: int, epoch: int, batch_size: int = 8) -> list[list[int]]:
    batches = EpochBatches(torch.arange(count), batch_size, seed=seed, training=True)
    batches.set_epoch(epoch)
    return list(batches)


@given(st.integers(1, 60), st.integers(-3, 2**70), st.integers(0, 1000), st.integers(1, 70))
def test_an_epoch_has_every_sample_once_in_an_order_of_its_own(
    count: int, seed: int, epoch: int, batch_size: int
) -> None:
    first = order(count, seed, epoch, batch_size)
    assert sorted(chain(*first)) == list(range(count))
    assert first == order(count, seed, epoch, batch_size)
    assert [len(b) for b in first[:-1]] == [batch_size] * (len(first) - 1)


def test_another_epoch_and_another_seed_have_another_order() -> None:
    orders = [order(100, seed, epoch) for seed in range(5) for epoch in range(5)]
    assert len({str(o) for o in orders}) == 25


def test_the_order_does_not_hang_on_what_was_drawn_before() -> None:
    first = order(50, 3, 4)
    torch.rand(7)
    batches = EpochBatches(torch.arange(50), 8, seed=3, training=True)
    for epoch in (9, 2, 4):
        batches.set_epoch(epoch)
        shown = list(batches)
    assert shown == first
    state = torch.get_rng_state()
    list(batches)
    assert torch.equal(torch.get_rng_state(), state)


@given(st.integers(1, 90), st.integers(1, 5), st.integers(1, 6), st.booleans())
def test_processes_share_every_training_batch(
    count: int, world: int, times: int, drop_last: bool
) -> None:
    size = world * times

    def batches(rank: int, world: int) -> EpochBatches:
        return EpochBatches(
            torch.arange(count),
            size,
            seed=1,
            training=True,
            drop_last=drop_last,
            rank=rank,
            world=world,
        )

    try:
        shared = [list(batches(rank, world)) for rank in range(world)]
    except ArchError:
        assert count < world or (drop_last and count < size)
        return
    assert count >= world
    alone = list(batches(0, 1))
    assert all(len(own) == len(batches(0, world)) == len(shared[0]) for own in shared)
    for step, parts in enumerate(zip(*shared, strict=True)):
        whole = alone[step]
        kept = len(whole) - len(whole) % world
        assert sorted(chain(*parts)) == sorted(whole[:kept])
        assert len({len(part) for part in parts}) == 1
        assert parts[0] == whole[:kept:world]


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 9))
def test_evaluation_is_in_order_and_leaves_nothing_out(count: int, world: int, size: int) -> None:
    shared = [
        EpochBatches(torch.arange(count), size, rank=rank, world=world) for rank in range(world)
    ]
    assert all(len(list(own)) == len(own) for own in shared)
    assert all(own for batches in shared for own in batches)
    if count < world:
        assert all([*chain(*own)] == list(range(count)) for own in shared)
    else:
        assert sorted(chain(*chain(*shared))) == list(range(count))
    assert [*chain(*EpochBatches(torch.arange(count), size))] == list(range(count))


def test_batches_in_memory_are_one_tensor_or_a_tuple_of_several() -> None:
    x, y = torch.arange(10.0), torch.arange(10)
    batches = EpochBatches(torch.tensor([2, 5, 7]), 2)
    alone = list(InMemoryLoader(InMemory((x,), (y,)), batches))
    assert torch.equal(alone[0][0], torch.tensor([2.0, 5.0]))  # type: ignore[arg-type]  # one tensor
    assert torch.equal(alone[1][1], torch.tensor([7]))  # type: ignore[arg-type]  # as above
    several = next(iter(InMemoryLoader(InMemory((x, x), ()), batches)))
    assert isinstance(several[0], tuple)
    assert several[1] == ()


def test_batches_that_cannot_be() -> None:
    with pytest.raises(ArchError, match="a batch of 5 cannot be parted evenly among 2 processes"):
        EpochBatches(torch.arange(10), 5, training=True, world=2)
    with pytest.raises(ArchError, match="20 samples for training make no batch of 32") as caught:
        EpochBatches(torch.arange(20), 32, training=True, drop_last=True)
    assert "or drop_last = false" in caught.value.diagnostics[0].help
    with pytest.raises(
        ArchError, match="1 samples for training make no batch of 2 for 2 processes"
    ):
        EpochBatches(torch.arange(1), 2, training=True, world=2)
