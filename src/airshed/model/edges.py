"""Edges between patches that carry what wind and terrain do to air on its way along them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from airshed.model.geography import Fields, PatchGrid
from airshed.model.scan import Order

RIDGE_M, RIDGE_WIDTH_M = 1200.0, 200.0
KMH_PER_MS = 3.6
SIDES = ((0, 1), (1, 0), (0, -1), (-1, 0))
CORNERS = ((1, 1), (1, -1), (-1, 1), (-1, -1))


class EdgeWind(NamedTuple):
    """What the edges of a batch carry, each [B, K, N]; edge k of patch i leads to it.

    ``along_ms`` and ``across_ms`` are the components of the source's wind along the edge and to
    its side, ``climb_m`` is how far air must climb on its way and ``rate_per_h`` the advection
    coefficient. ``passage`` is the share that terrain lets through with the wind and ``exchange``
    that of both directions together, as much there as back; both are 0 where there is no source.
    """

    along_ms: Tensor
    across_ms: Tensor
    climb_m: Tensor
    rate_per_h: Tensor
    passage: Tensor
    exchange: Tensor


class Edges(nn.Module):
    """Edges to every patch from its neighbours on the patch grid.

    Edge k leads to patch i from the source j that lies ``offsets[k]`` rows and columns away. As in
    PM2.5-GNN (Wang et al. 2020, arXiv 2002.12898) its advection coefficient is

        S_{j->i} = relu(|v_j| / d_{ji} cos(alpha_j - beta_{ji})),

    with the source's wind speed |v_j| and direction alpha_j, and the edge's length d and direction
    beta; in h-1. There an edge exists if nothing on its way rises more than m_theta = 1200 m above
    its ends. Here neighbours touch, a ridge is a patch itself, and what counts is the climb from
    the source to the highest patch on the way, the target included; the threshold is smooth,

        passage_{j->i} = sigmoid((m_theta - climb_{j->i}) / 200 m),

    so that forecasts do not jump. Without a direction, the climb is that from the lower end.

    Args:
        grid: Where the patches lie.
        reaches: How many patches away the sources lie.
        directions: Steps of row and column from the target to the source.
    """

    unit: Tensor
    length_km: Tensor
    exists: Tensor
    axes: Tensor

    def __init__(
        self,
        grid: PatchGrid,
        reaches: Sequence[int] = (1,),
        directions: Sequence[tuple[int, int]] = SIDES + CORNERS,
    ) -> None:
        super().__init__()
        self.shape = (grid.rows, grid.columns)
        self.steps = [(direction, reach) for reach in reaches for direction in directions]
        self.offsets = [(reach * row, reach * column) for (row, column), reach in self.steps]
        down, across = grid.spacing_km
        towards = torch.tensor([[-column * across, -row * down] for row, column in self.offsets])
        length = towards.norm(dim=1)
        inside = self.sources(torch.ones(1, grid.rows * grid.columns))[0]
        self.register_buffer("unit", towards / length[:, None], persistent=False)
        self.register_buffer("length_km", length, persistent=False)
        self.register_buffer("exists", inside, persistent=False)
        self.register_buffer("axes", grid.axes, persistent=False)

    def sources(self, values: Tensor) -> Tensor:
        """Each edge's source's value: [B, N, ...] to [B, K, N, ...], 0 where there is none."""
        cells = values.reshape(len(values), *self.shape, *values.shape[2:])
        return _shifted(cells, self.offsets).flatten(2, 3)

    def outgoing(self, carried: Tensor) -> Tensor:
        """What all edges together take from each patch: [B, K, N, ...] to [B, N, ...]."""
        cells = carried.reshape(*carried.shape[:2], *self.shape, *carried.shape[3:])
        back = [
            _shifted(cells[:, number], [(-row, -column)])[:, 0]
            for number, (row, column) in enumerate(self.offsets)
        ]
        return torch.stack(back).sum(0).flatten(1, 2)

    def forward(self, fields: Fields) -> EdgeWind:
        """Wind and terrain along the edges, for fields in any order of the patches."""
        order = Order(fields.patch)
        known = torch.stack([fields.u_ms, fields.v_ms, fields.elevation_m], -1)
        u, v, elevation_m = order.restore(known).unbind(-1)
        wind = (self.axes * torch.stack([u, v], 1).unsqueeze(1)).sum(2)  # [B, 2, N]
        from_source = self.sources(wind.mT)  # [B, K, N, 2]
        along = (from_source * self.unit[:, None]).sum(-1)
        normal = torch.stack([-self.unit[:, 1], self.unit[:, 0]], -1)
        across = (from_source * normal[:, None]).sum(-1)
        rate = along.relu() * KMH_PER_MS / self.length_km[:, None]
        target, source = elevation_m.unsqueeze(1), self.sources(elevation_m)
        highest = torch.maximum(self._highest(elevation_m), source)
        climb = (highest - source) * self.exists
        passage, exchange = (
            torch.sigmoid((RIDGE_M - up) / RIDGE_WIDTH_M) * self.exists
            for up in (climb, highest - torch.minimum(source, target))
        )
        return EdgeWind(along, across, climb, rate, passage, exchange)

    def _highest(self, elevation_m: Tensor) -> Tensor:
        """Elevation of the highest patch on the way, the source left out, [B, K, N] in m."""
        highest = elevation_m.unsqueeze(1).expand(-1, len(self.offsets), -1)
        cells = elevation_m.view(-1, *self.shape)
        for step in range(1, max(reach for _, reach in self.steps)):
            between = [
                (min(step, reach - 1) * row, min(step, reach - 1) * column)
                for (row, column), reach in self.steps
            ]
            highest = torch.maximum(highest, _shifted(cells, between).flatten(2, 3))
        return highest


def _shifted(cells: Tensor, offsets: Sequence[tuple[int, int]]) -> Tensor:
    """Values at (row, column) + offset, 0 outside: [B, R, C, ...] to [B, offsets, R, C, ...]."""
    rows, columns = cells.shape[1:3]
    margin = max(max(abs(row), abs(column)) for row, column in offsets)
    around = (margin, margin, margin, margin)
    rest = (0, 0) * (cells.dim() - 3)
    wide = pad(cells, rest + around)
    starts = [(margin + row, margin + column) for row, column in offsets]
    return torch.stack([wide[:, r : r + rows, c : c + columns] for r, c in starts], 1)
