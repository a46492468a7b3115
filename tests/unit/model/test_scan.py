"""Scan tables and orders against hand-made cases and a plain loop."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from airshed.model.geography import Fields, WindFields
from airshed.model.scan import (
    PublishedWindScan,
    RasterScan,
    WindScan,
    elevation_order,
    local_orders,
    published_tables,
    region_tokens,
    wind_tables,
)

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
    return WindScan(wind_tables((4, 8), (2, 2), SECTORS, 2))


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
    order = scan()(WindFields(wind, torch.zeros_like(wind)))
    tokens = torch.randn(5, 32, 6, generator=generator)
    assert torch.equal(order.restore(order.apply(tokens)), tokens)
    assert not torch.equal(order.apply(tokens), tokens)
    assert torch.equal(order.patch_of_slot.sort(1).values, torch.arange(32).expand(5, -1))


def random_fields(samples: int, patches: int) -> Fields:
    generator = torch.Generator().manual_seed(7)
    columns = (torch.randn(samples, patches, generator=generator) for _ in "euvs")
    return Fields.in_raster_order(*columns)


def test_what_is_geographic_travels_with_its_patch() -> None:
    winds = WindFields(torch.randn(3, 2, 8, 16), torch.zeros(3, 2, 8, 16))
    order, fields = scan()(winds), random_fields(3, 32)
    moved = order.fields(fields)
    assert moved is not None
    for before, after in zip(fields, moved, strict=True):
        assert torch.equal(order.apply(before[..., None].float())[..., 0], after.float())
    assert order.fields(None) is None


def test_raster_scan_moves_nothing() -> None:
    order, tokens = RasterScan()(None), torch.randn(2, 32, 3)
    assert order.apply(tokens) is tokens
    assert order.restore(tokens) is tokens


def test_elevation_order_sorts_each_sample_from_low_to_high() -> None:
    fields = random_fields(3, 32)
    order = elevation_order(fields)
    moved = order.fields(fields)
    assert moved is not None
    assert (moved.elevation_m.diff(dim=1) >= 0).all()
    assert torch.equal(order.restore(order.apply(fields.u_ms[..., None]))[..., 0], fields.u_ms)


def published_order_by_hand(wind: torch.Tensor) -> list[int]:
    """The published behaviour at its own size (64 x 128 patches), written as loops."""
    order = []
    for region in range(1024):
        block_row, block_column = region // 32, region % 32
        total = [0.0, 0.0]
        for y in range(4 * block_row, 4 * block_row + 4):
            for x in range(8 * block_column, 8 * block_column + 8):
                u, v = wind[0, y, x].item(), wind[1, y, x].item()
                total[0] += math.hypot(u, v) * u
                total[1] += math.hypot(u, v) * v
        angle = math.atan2(total[1], total[0]) % (2 * math.pi)
        sector = round(angle / (2 * math.pi / 16)) % 16
        a = sector * 2 * math.pi / 16
        projected = []
        for k in range(8):
            row, column = k // 4, k % 4
            x, y = 2 * column / 127 - 1, 2 * row / 63 - 1
            # rounded, so that ties are ties although cos(pi / 2) is not exactly 0
            projected.append(round(x * math.cos(a) - y * math.sin(a), 9))
        order += [8 * region + k for k in sorted(range(8), key=lambda k: projected[k])]
    return order


def test_wind_as_published_is_reproduced_index_for_index() -> None:
    generator = torch.Generator().manual_seed(8)
    wind = 6 * torch.randn(2, 2, 128, 256, generator=generator, dtype=torch.float64)
    wind[1, 0, :4, :8], wind[1, 1, :4, :8] = 3.0, 0.0  # eastward: every row is a tie
    published = PublishedWindScan(published_tables((64, 128), (32, 32), 16, 2))
    order = published(WindFields(torch.zeros_like(wind), wind))
    for sample in range(2):
        assert order.patch_of_slot[sample].tolist() == published_order_by_hand(wind[sample])


def test_wind_as_published_leaves_terrain_and_never_puts_tokens_back() -> None:
    winds = WindFields(torch.zeros(2, 2, 8, 16), torch.randn(2, 2, 8, 16))
    order = PublishedWindScan(published_tables((4, 8), (2, 2), SECTORS, 2))(winds)
    fields, tokens = random_fields(2, 32), torch.randn(2, 32, 3)
    assert order.fields(fields) is fields
    moved = order.apply(tokens)
    assert not torch.equal(moved, tokens)
    assert order.restore(moved) is moved


@pytest.mark.parametrize("degrees", [22.5, 67.5, 112.5, 157.5, 202.5, 247.5, 292.5, 337.5])
def test_geography_decides_upwind_whichever_way_the_rows_run(degrees: float) -> None:
    """Turning the rows over turns the sign of the wind along them, and leaves the order of places.

    The directions are those that tie no two patches of a region.
    """
    angle = math.radians(degrees)
    speed = 1 + torch.rand(2, 8, 16, generator=torch.Generator().manual_seed(9))
    wind = torch.stack([speed * math.cos(angle), speed * math.sin(angle)], 1)
    turned = wind.flip(2) * torch.tensor([1.0, -1.0])[:, None, None]
    place = torch.arange(32).view(4, 8)
    order = scan()(WindFields(wind, wind)).patch_of_slot.view(2, 4, 8)
    there = scan()(WindFields(turned, turned)).patch_of_slot
    places = place.flip(0).flatten()[there].view(2, 4, 8)
    assert torch.equal(places[:, [2, 3, 0, 1]], order)  # the upper regions are the lower ones


def test_gradients_go_back_the_way_tokens_came() -> None:
    order = elevation_order(random_fields(2, 12))
    tokens = torch.randn(2, 12, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(order.apply, tokens)
    assert torch.autograd.gradcheck(order.restore, tokens)
