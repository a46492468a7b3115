"""A latent ODE, after AirPhyNet (Hettige et al. 2024, arXiv 2402.03784)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from airshed.model.dynamo import uncompiled
from airshed.model.edges import SIDES, Edges
from airshed.model.forecaster import LEAD_SCALE_H, Forecaster
from airshed.model.geography import Fields, Geography, PatchGrid
from airshed.model.scan import Order
from airshed.model.transformer import Core, DropPath, Mlp

FASTEST = 2.0  # a latent channel may move at up to so many times the wind
DIFFUSION_LOGIT = -2.0  # at first a tenth of the strongest diffusion


class Operators(NamedTuple):
    """Linear operators on fields over the patches, in units of (100 h)-1.

    ``diffusion`` and ``advection`` [B, 4, N] weigh each patch's neighbours; ``spread`` and ``lost``
    [B, N, 1] are what the patch itself gives away.
    """

    diffusion: Tensor
    spread: Tensor
    advection: Tensor
    lost: Tensor


class Flow(nn.Module):
    """Integrates latent fields from the init time to the valid time.

    As in AirPhyNet the right-hand side is diffusion on distances and advection on the wind's edges,
    joined by a gate,

        dz/dt = g * F_diff + (1 - g) * F_adv,   g = sigmoid(W [F_diff, F_adv] + b),
        F_diff = kappa * sum_j w_ij (z_j - z_i),   w_ij = exchange_ij (d_min / d_ij)^2,
        F_adv  = c * (sum_j r_{j->i} z_j - sum_j r_{i->j} z_i),

    elementwise in the channels, with learned kappa > 0 and c > 0 for each. Neighbours j are the
    four patches that share a side, and r_{j->i} = S_{j->i} passage_{j->i}; see
    :class:`airshed.model.edges.Edges`. With four neighbours F_adv is donor-cell (upwind) advection:
    whatever the distances, it moves a field with the wind's mean speed. What leaves a patch arrives
    in another, so advection conserves every channel's sum over the grid: nothing crosses its edge.

    Time is counted in units of 100 h, and each sample is integrated from 0 to its own lead time in
    ``steps`` explicit midpoint steps, 2 ``steps`` evaluations. For leads of up to 100 h the total
    rate at which a patch gives away is kept below ``steps`` per 100 h, at which both operators
    keep positive fields positive: kappa < steps / 4, c < 2, and where the rates of a patch's edges
    add up to more than steps / 2, all of them are scaled down to that. The wind is that of the
    init time.

    Args:
        grid: Where the patches lie.
        dim: D, channels.
        steps: Steps of the solver.
    """

    def __init__(self, grid: PatchGrid, dim: int, steps: int) -> None:
        super().__init__()
        self.edges, self.steps = Edges(grid, directions=SIDES), steps
        self.durations: list[float] = torch.linspace(0, 1, steps + 1).diff().tolist()
        self.diffusion_logit = nn.Parameter(torch.full((dim,), DIFFUSION_LOGIT))
        self.speed_logit = nn.Parameter(torch.zeros(dim))
        self.gate = nn.Linear(2 * dim, dim)

    @uncompiled
    def forward(self, tokens: Tensor, fields: Fields | None, lead_hours: Tensor) -> Tensor:
        """Tokens [B, N, D] after ``lead_hours`` [B], in the same order.

        Raises:
            ValueError: There are no fields to build the operators from.
        """
        if fields is None:
            raise ValueError("advection needs a geography, which gives terrain and wind")
        with torch.autocast(tokens.device.type, enabled=False):  # differences of large sums
            return self._integrate(tokens.to(fields.u_ms.dtype), fields, lead_hours)

    def _integrate(self, tokens: Tensor, fields: Fields, lead_hours: Tensor) -> Tensor:
        order, operators = Order(fields.patch), self.operators(fields)
        span = (lead_hours / LEAD_SCALE_H).to(tokens.dtype)[:, None, None]

        def rate(latent: Tensor) -> Tensor:
            return span * self.tendency(latent, operators)

        latent = order.restore(tokens)
        for duration in self.durations:
            midpoint = latent + rate(latent) * (duration / 2)
            latent = latent + duration * rate(midpoint)
        return order.apply(latent)

    def operators(self, fields: Fields) -> Operators:
        """Diffusion and advection for each sample, from its terrain and wind."""
        wind, length_km = self.edges(fields), self.edges.length_km
        diffusion = wind.exchange * (length_km.min() / length_km).square()[:, None]
        advection = wind.rate_per_h * wind.passage * LEAD_SCALE_H
        limit = self.steps / FASTEST
        reduced = limit / self.edges.outgoing(advection).clamp(min=limit)
        advection = advection * self.edges.sources(reduced)
        spread, lost = diffusion.sum(1), self.edges.outgoing(advection)
        return Operators(diffusion, spread[..., None], advection, lost[..., None])

    def diffused(self, latent: Tensor, near: Tensor, operators: Operators) -> Tensor:
        """F_diff of fields [B, N, D] whose neighbours are ``near`` [B, 4, N, D]."""
        kappa = self.steps / len(SIDES) * self.diffusion_logit.sigmoid()
        gained = (operators.diffusion[..., None] * near).sum(1)
        return kappa * (gained - operators.spread * latent)

    def advected(self, latent: Tensor, near: Tensor, operators: Operators) -> Tensor:
        """F_adv of fields [B, N, D] whose neighbours are ``near`` [B, 4, N, D]."""
        speed = FASTEST * self.speed_logit.sigmoid()
        gained = (operators.advection[..., None] * near).sum(1)
        return speed * (gained - operators.lost * latent)

    def tendency(self, latent: Tensor, operators: Operators) -> Tensor:
        """dz/dt, [B, N, D] per 100 h."""
        near = self.edges.sources(latent)
        diffused = self.diffused(latent, near, operators)
        advected = self.advected(latent, near, operators)
        gate = self.gate(torch.cat([diffused, advected], -1)).sigmoid()
        return gate * diffused + (1 - gate) * advected


class RecomputedFlow(Flow):
    """Keeps the state of each evaluation alone, and computes the rest again in the backward pass.

    The same results, more time, and the memory of one evaluation instead of all.
    """

    def tendency(self, latent: Tensor, operators: Operators) -> Tensor:
        """dz/dt, [B, N, D] per 100 h."""
        out: Tensor = checkpoint(super().tendency, latent, operators, use_reentrant=False)
        return out


class TokenBlock(nn.Module):
    """An MLP after a LayerNorm, on a residual branch: a transformer's block that mixes nothing."""

    def __init__(self, dim: int, hidden: int, drop: float, drop_path: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, hidden, drop)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, N, D], each on its own."""
        return x + self.drop_path(self.mlp(self.norm(x)))


class AdvectionDiffusion(Forecaster):
    """Encodes each patch alone, lets the latent fields flow, and decodes.

    AirPhyNet encodes each station's history by a recurrent network into a latent state, integrates
    that and decodes. Here, where a sample has one time, the encoder is the patch embedding of all
    networks and ``depth`` MLPs, and the decoder is their head. The MLPs and the gate together hold
    as many weights as a transformer's MLPs and the projections of its attention, 4 D^2 a block, so
    that the networks are of one size.

    Args:
        variables: Names of the input channels, in their order.
        grid_size: Rows and columns of cells.
        geography: Gives terrain and wind.
        steps: Steps of the solver.
        embed_dim: D, channels.
        depth: Number of MLPs.
        mlp_ratio: Hidden width of a transformer's MLP over D.
        drop_path: Stochastic depth of the last MLP; it grows linearly from 0.
        drop_rate: Dropout of tokens and MLPs.
        flow: What integrates.
        others: Other arguments of every :class:`Forecaster`.
    """

    def __init__(
        self,
        variables: Sequence[str],
        grid_size: tuple[int, int],
        *,
        geography: Geography,
        steps: int,
        embed_dim: int = 768,
        depth: int = 6,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.1,
        drop_rate: float = 0.1,
        flow: type[Flow] = Flow,
        **others: Any,
    ) -> None:
        def blocks() -> Iterator[nn.Module]:
            hidden = int(embed_dim * (mlp_ratio + 2 - 1 / depth))  # the gate is the rest
            for index in range(depth):
                rate = drop_path * index / max(1, depth - 1)
                yield TokenBlock(embed_dim, hidden, drop_rate, rate)
            yield flow(geography.patch_grid(), embed_dim, steps)

        others |= {"embed_dim": embed_dim, "drop_rate": drop_rate, "geography": geography}
        super().__init__(variables, grid_size, blocks, **others)

    @property
    def cores(self) -> list[Core]:
        """None: nothing stands in the place of attention."""
        return []

    def _transform(self, tokens: Tensor, fields: Fields | None, lead_hours: Tensor) -> Tensor:
        *encoder, flow = self.blocks
        for block in encoder:
            tokens = block(tokens)
        out: Tensor = flow(tokens, fields, lead_hours)
        return out
