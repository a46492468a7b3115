"""Every sample once, in one order, however many processes share them."""

from __future__ import annotations

import itertools

import pytest

from airshed.errors import AirshedError
from airshed.training.batches import MicroBatch, Plan, deal, mixed_seed


def plans(samples: int, global_batch: int, batch: int, processes: int) -> list[Plan]:
    return [Plan(samples, global_batch, batch, 3, rank, processes) for rank in range(processes)]


def taken(step: list[MicroBatch]) -> list[int]:
    return [index for micro in step if micro.counts for index in micro.indices]


@pytest.mark.parametrize("samples", [1, 7, 8, 9, 23, 24])
@pytest.mark.parametrize(("processes", "batch"), [(1, 2), (2, 2), (4, 1), (4, 8), (8, 1)])
def test_every_step_takes_the_same_samples_whoever_computes_them(
    samples: int, processes: int, batch: int
) -> None:
    alone = list(Plan(samples, 8, 8, seed=3).epoch(1))
    shared = zip(*(plan.epoch(1) for plan in plans(samples, 8, batch, processes)), strict=True)
    for step, parts in itertools.zip_longest(alone, shared):
        assert sorted(taken(step)) == sorted(i for part in parts for i in taken(part))
    everything = [index for step in alone for index in taken(step)]
    assert sorted(everything) == list(range(samples))


@pytest.mark.parametrize("left", [1, 2, 3, 5, 8])
def test_all_processes_have_equally_many_micro_batches_of_which_none_is_empty(left: int) -> None:
    for processes, batch in ((2, 1), (4, 1), (4, 2)):
        dealt = [deal(range(left), batch, rank, processes) for rank in range(processes)]
        assert len({len(part) for part in dealt}) == 1
        assert all(1 <= len(micro.indices) <= batch for part in dealt for micro in part)


def test_micro_batches_of_all_processes_are_those_of_one_with_the_batch_of_all() -> None:
    one = list(Plan(24, 8, 4, seed=3).epoch(0))
    two = list(zip(*(plan.epoch(0) for plan in plans(24, 8, 2, 2)), strict=True))
    for step, parts in zip(one, two, strict=True):
        for micro, pair in zip(step, zip(*parts, strict=True), strict=True):
            assert sorted(micro.indices) == sorted(pair[0].indices + pair[1].indices)


def test_a_later_start_continues_the_same_epoch() -> None:
    plan = Plan(23, 4, 2, seed=5)
    assert list(plan.epoch(2, first_step=4)) == list(plan.epoch(2))[4:]
    assert plan.steps == len(list(plan.epoch(2))) == 6
    assert list(plan.epoch(2, first_step=6)) == []


def test_epochs_and_seeds_shuffle_differently() -> None:
    orders = {str(list(Plan(20, 20, 20, seed).epoch(epoch))) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


def test_random_numbers_differ_by_every_argument() -> None:
    places = itertools.product(range(3), repeat=4)
    assert len({mixed_seed(*place) for place in places}) == 81


def test_a_global_batch_that_cannot_be_shared_names_the_device_counts_that_fit() -> None:
    with pytest.raises(AirshedError, match="use 1, 2, 3, 6 devices in all"):
        Plan(100, 6, 2, seed=0, rank=0, processes=4)
