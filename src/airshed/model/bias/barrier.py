"""Higher ground between a query and its key as a barrier: closed form, and with learned factors.

All build on ``F_ij = clamp(-0.5 relu((e_j - e_i) / 1000) factor_ij, -10, 0)`` for query i and key
j, with elevation e in metres. ``factor_ij = 1 - 0.3 sigmoid(min(s_i, s_j) - 5)`` lets wind of speed
s (m s-1) weaken the barrier. The sigmoid is monotone, so the factor of a pair is the larger one of
the factors of its tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from airshed.model.bias.base import Bias, Layout, lookup
from airshed.model.bias.perceptron import PairPerceptron
from airshed.model.bias.tile import Shape, Shapes, Tile
from airshed.model.geography import Fields
from airshed.model.triton_language import jit, tl


def weakened_by_wind(wind_speed_ms: Tensor) -> Tensor:
    """Wind factor 1 - 0.3 sigmoid(s - 5): barriers weigh up to 30 % less in strong wind."""
    return 1 - 0.3 * torch.sigmoid(wind_speed_ms - 5)


def wind_ignored(wind_speed_ms: Tensor) -> Tensor:
    """Wind factor 1 whatever the wind."""
    return torch.ones_like(wind_speed_ms)


def barrier_height(query: Sequence[Tensor], key: Sequence[Tensor]) -> Tensor:
    """-F, between 0 and 10, from elevation (km) and half the wind factor of query and key."""
    rise_km = (key[0] - query[0]).relu_()
    return rise_km.mul_(torch.maximum(query[1], key[1])).clamp(max=10)


@jit
def barrier_tile(query0, query1, key0, key1, strength, entry, unit):  # type: ignore[no-untyped-def]
    """Elevation (km) and half the wind factor; no table.

    On the earth nothing rises by the 20 km for which the barrier's height is limited.
    """
    height = tl.maximum(key0 - query0, 0.0) * tl.maximum(query1, key1)
    return -strength * height, -height, 0.0


@jit
def rise_bin(rise):  # type: ignore[no-untyped-def]
    """The entry of the table for a rise (km)."""
    return ((tl.minimum(tl.maximum(rise, -2.0), 2.0) + 2.0) / 4.0 * 19.0).to(tl.int32)


@jit
def lookup_tile(query0, query1, key0, key1, strength, entry, unit):  # type: ignore[no-untyped-def]
    """Elevation (km) and half the wind factor; the table is its row for the sample's sector."""
    height = tl.maximum(key0 - query0, 0.0) * tl.maximum(query1, key1)
    departure = 1.0 - entry
    bias = height * (strength * departure - unit)
    inside = tl.where(tl.abs(bias) <= 10.0 * unit, height, 0.0)  # else it has no derivative
    bias = tl.minimum(tl.maximum(bias, -10.0 * unit), 10.0 * unit)
    return bias, inside * departure, -inside * (strength / unit)


class Barrier(Bias):
    """``alpha F`` with one learnable strength for all heads.

    Args:
        layout: Patch grid and heads.
        alpha_init: Initial strength.
        wind_modulation: Whether wind weakens the barrier.
    """

    uphill = True
    tile_function = Tile(barrier_tile, features=2, uphill=True)

    def __init__(self, layout: Layout, alpha_init: float, wind_modulation: bool) -> None:
        super().__init__(layout)
        self.alpha = nn.Parameter(torch.tensor(float(alpha_init)))
        self.wind_factor = weakened_by_wind if wind_modulation else wind_ignored

    def features(self, fields: Fields) -> Tensor:
        """Elevation in km and half the wind factor."""
        half_factor = self.wind_factor(fields.wind_speed_ms) / 2
        return torch.stack([fields.elevation_m / 1000, half_factor], dim=1)

    def score(self, head: Tensor, query: Sequence[Tensor], key: Sequence[Tensor]) -> Tensor:
        """Zero for keys that lie lower, negative for keys that lie higher."""
        return -self.alpha * barrier_height(query, key)

    def learned(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Alpha, and no table."""
        return self.alpha, features.new_zeros(1, 1, 1)


class BarrierLookup(Bias):
    """``clamp(F (1 + alpha (T[sector, bin] - 1)), -10, 10)``: a table corrects the barrier.

    The sector (of 16) is that of the domain-mean wind, counted from eastward towards northward;
    the bin (of 20) that of the rise, between 2 km down and 2 km up.

    Args:
        layout: Patch grid and heads.
        alpha_init: Initial weight of the table.
    """

    SECTORS, BINS, RANGE_KM = 16, 20, 2.0
    uphill = True
    tile_function = Tile(
        lookup_tile,
        features=2,
        uphill=True,
        table="bins",
        bin=rise_bin,
        shapes=Shapes(Shape(64, 64, 4, 3), Shape(64, 32, 4, 3), Shape(32, 64, 4, 3)),
    )

    def __init__(self, layout: Layout, alpha_init: float) -> None:
        super().__init__(layout)
        self.alpha = nn.Parameter(torch.tensor(float(alpha_init)))
        self.table = nn.Parameter(torch.ones(self.SECTORS, self.BINS))

    def features(self, fields: Fields) -> Tensor:
        """Elevation in km, half the wind factor, and the sample's sector."""
        angle = torch.atan2(fields.v_ms.mean(1), fields.u_ms.mean(1)) % (2 * math.pi)
        # an angle just below 0 becomes exactly 2 pi by rounding
        sector = (angle / (2 * math.pi) * self.SECTORS).floor() % self.SECTORS
        elevation_km = fields.elevation_m / 1000
        half_factor = weakened_by_wind(fields.wind_speed_ms) / 2
        return torch.stack(
            [elevation_km, half_factor, sector[:, None].expand_as(half_factor)], dim=1
        )

    def score(self, head: Tensor, query: Sequence[Tensor], key: Sequence[Tensor]) -> Tensor:
        """The barrier, weighed by what the table holds for wind and rise."""
        rise = (key[0] - query[0]).clamp(-self.RANGE_KM, self.RANGE_KM) + self.RANGE_KM
        rise_bin = (rise / (2 * self.RANGE_KM) * (self.BINS - 1)).long()
        index = query[2].long() * self.BINS + rise_bin
        entry = lookup(self.table.view(1, -1), head, index)
        return (barrier_height(query, key) * (self.alpha * (1 - entry) - 1)).clamp(-10, 10)

    def learned(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Alpha, and the row of the table for each sample's sector."""
        sector = features[:, 2, 0].long()
        return self.alpha, self.table.index_select(0, sector).unsqueeze(1)


class BarrierMlp(Bias):
    """``clamp(F + alpha tanh(MLP([u_i, v_i, e_i, u_j, v_j, e_j])), -10, 10)``, e in km.

    Args:
        layout: Patch grid and heads.
        alpha_init: Initial weight of the perceptron, 6-64-64-1 with ReLU.
    """

    WIDTH = 64
    elementwise = False
    floats_per_pair = 6 * WIDTH

    def __init__(self, layout: Layout, alpha_init: float) -> None:
        super().__init__(layout)
        self.alpha = nn.Parameter(torch.tensor(float(alpha_init)))
        self.perceptron = PairPerceptron(6, self.WIDTH, self.WIDTH, 1).small_weights()

    def features(self, fields: Fields) -> Tensor:
        """Elevation in km, half the wind factor, and wind eastward and northward."""
        elevation_km, half_factor = (
            fields.elevation_m / 1000,
            weakened_by_wind(fields.wind_speed_ms) / 2,
        )
        return torch.stack([elevation_km, half_factor, fields.u_ms, fields.v_ms], dim=1)

    def score(self, head: Tensor, query: Sequence[Tensor], key: Sequence[Tensor]) -> Tensor:
        """The barrier, and what the perceptron adds to it."""
        here = self.perceptron.share(slice(0, 3), (query[2], query[3], query[0]))
        there = self.perceptron.share(slice(3, 6), (key[2], key[3], key[0]))
        added = self.perceptron(here, there).squeeze(-1).tanh()
        return (self.alpha * added - barrier_height(query, key)).clamp(-10, 10)
