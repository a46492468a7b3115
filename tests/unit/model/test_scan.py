"""Scan tables and orders against hand-made cases and a plain loop."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from airshed.model.geography import Fields
from airshed.model.scan import WindScan, local_orders, region_tokens

SECTORS = 16


def test_eastward_wind_orders_by_column_and_northward_by_row() -> None:
    orders = local_orders((2, 4), SECTORS)
    assert orders[0].tolist() == [0, 4, 1, 5, 2, 6, 3, 7]  # ties in raster order
    assert orders[4].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]  # towards increasing rows
    assert orders[8].tolist() == [3, 7, 2, 6, 1, 5, 0, 4]
    assert orders[12].tolist() == [4, 5, 6, 7, 0, 1, 2, 3]


def test_every_order_goes_from_upwind_to_downwind() -> None:
    rows, columns = 3, 5
    for sector, order in enumerate(local_orders((rows, columns), SECTORS).tolist()):
        angle = 2 * math.pi * sector / SECTORS
        along = [(k % columns) * math.cos(angle) + (k // columns) * math.sin(angle) for k in order]
        assert all(later - earlier > -1e-9 for earlier, later in itertools.pairwise(along))
        assert sorted(order) == list(range(rows * columns))


def test_region_tokens_cut_the_patch_grid_into_blocks() -> None:
    tokens = region_tokens((4, 8), (2, 2))
    assert tokens[0].tolist() == [0, 1, 2, 3, 8, 9, 10, 11]
    assert tokens[3].tolist() == [20, 21, 22, 23, 28, 29, 30, 31]
    with pytest.raises(ValueError, match="divide"):
        region_tokens((4, 8), (3, 2))


def scan() -> WindScan:
    return WindScan(local_orders((2, 4), SECTORS), region_tokens((4, 8), (2, 2)), (4, 8))


def test_sector_is_that_of_the_speed_weighted_mean_wind() -> None:
    generator = torch.Generator().manual_seed(3)
    wind = 10 * torch.randn(3, 2, 8, 16, generator=generator)
    found = scan().sectors(wind)
    for sample in range(3):
        for region in range(4):
            row, column = 4 * (region // 2), 8 * (region % 2)
            total = [0.0, 0.0]
            for y in range(row, row + 4):
                for x in range(column, column + 8):
                    a, b = wind[sample, :, y, x].tolist()
                    total[0] += math.hypot(a, b) * a
                    total[1] += math.hypot(a, b) * b
            angle = math.atan2(total[1], total[0]) % (2 * math.pi)
            distance = [
                abs((angle - 2 * math.pi * k / SECTORS + math.pi) % (2 * math.pi) - math.pi)
                for k in range(SECTORS)
            ]
            assert found[sample, region] == distance.index(min(distance))


def test_restoring_undoes_the_order_exactly() -> None:
    generator = torch.Generator().manual_seed(4)
    wind = torch.randn(5, 2, 8, 16, generator=generator)
    order = scan()(Fields(wind, torch.zeros(5, 32), torch.zeros(5, 32)))
    tokens = torch.randn(5, 32, 6, generator=generator)
    assert order is not None
    assert torch.equal(order.restore(order.apply(tokens)), tokens)
    assert not torch.equal(order.apply(tokens), tokens)
    assert torch.equal(order.patch_of_slot.sort(1).values, torch.arange(32).expand(5, -1))
