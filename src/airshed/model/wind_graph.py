"""Message passing along the wind, after PM2.5-GNN (Wang et al. 2020, arXiv 2002.12898)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from airshed.model.edges import Edges, EdgeWind
from airshed.model.geography import Fields, PatchGrid
from airshed.model.scan import Order, raster_order

HOURS, SPREAD = 6.0, 0.1
WIND_MS, CLIMB_M, LENGTH_KM = 10.0, 1000.0, 100.0  # give the edges' attributes sizes near 1


class WindGraph(nn.Module):
    """Messages between neighbouring patches, on edges weighted by the share of air they carry.

    In PM2.5-GNN patches i and j exchange, along each edge j -> i with attributes Q,

        e_{j->i} = Psi([x_i, x_j, Q_{j->i}]),
        zeta_i = Phi(sum_j (e_{j->i} - e_{i->j})),

    where Q holds the source's wind, the edge's length and direction and the advection coefficient
    S = relu(|v_j| / d cos(alpha_j - beta)); see :class:`airshed.model.edges.Edges`. What is gained
    here is lost there. This class takes the place of attention in a block: x_i, x_j enter as its
    queries, keys and values, and Phi is its last projection, so

        e_{j->i} = a_{j->i} sigmoid(q_i + k_j + W Q_{j->i}) v_j,
        a_{j->i} = passage_{j->i} (1 - exp(-S_{j->i} tau) + s),

    elementwise in the D channels. The weight a is the share of air that passes within tau hours,
    plus a share s that spreads whatever the wind, times what terrain lets through; tau (at first
    6 h) and s (0.1) are learned for each head. Edges are computed for each sample from its wind.

    Args:
        grid: Where the patches lie.
        num_heads: H.
        head_dim: d.
        reaches: How many patches away the neighbours lie, in eight directions.
        terrain: Whether it hinders messages; False: the edges are those of flat ground.
    """

    bias = None
    path = "wind graph"
    order = staticmethod(raster_order)

    def __init__(
        self,
        grid: PatchGrid,
        num_heads: int,
        head_dim: int,
        reaches: Sequence[int],
        terrain: bool = True,
    ) -> None:
        super().__init__()
        self.terrain = terrain
        self.edges = Edges(grid, reaches)
        self.log_hours = nn.Parameter(torch.full((num_heads,), math.log(HOURS)))
        self.spread = nn.Parameter(torch.full((num_heads,), SPREAD))
        self.attributes = nn.Linear(6, num_heads * head_dim, bias=False)
        nn.init.trunc_normal_(self.attributes.weight, std=0.02)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, fields: Fields | None) -> Tensor:
        """Messages between tokens with q, k, v [B, H, N, d].

        Raises:
            ValueError: There are no fields to build the edges from.
        """
        if fields is None:
            raise ValueError("a wind graph needs a geography, which gives terrain and wind")
        if not self.terrain:
            fields = fields._replace(elevation_m=torch.zeros_like(fields.elevation_m))
        order = Order(fields.patch)
        target, source, value = (
            order.restore(tensor.transpose(1, 2).flatten(2)) for tensor in (q, k, v)
        )
        wind = self.edges(fields)
        gate = target[:, None] + self.edges.sources(source) + self.attributes(self._inputs(wind))
        carried = gate.sigmoid() * self.edges.sources(value)
        by_head = carried.view(*carried.shape[:3], q.shape[1], q.shape[3])
        messages = (self.weights(wind)[..., None] * by_head).flatten(3)
        gained = order.apply(messages.sum(1) - self.edges.outgoing(messages))
        return gained.view(len(q), q.shape[2], q.shape[1], q.shape[3]).transpose(1, 2)

    def weights(self, wind: EdgeWind) -> Tensor:
        """How strongly each edge carries, for each head: [B, K, N, H]."""
        hours = wind.rate_per_h[..., None] * self.log_hours.exp()
        return wind.passage[..., None] * (self.spread - torch.expm1(-hours))

    def _inputs(self, wind: EdgeWind) -> Tensor:
        """Attributes of the edges, [B, K, N, 6]."""
        length = self.edges.length_km[:, None].expand_as(wind.rate_per_h) / LENGTH_KM
        named = (
            wind.along_ms / WIND_MS,
            wind.across_ms / WIND_MS,
            wind.climb_m / CLIMB_M,
            wind.rate_per_h,
            wind.passage,
            length,
        )
        return torch.stack(named, -1)
