"""Terrain and wind as attention and scan see them: physical, on known axes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d


class WindFields(NamedTuple):
    """Wind in each cell, [B, 2, Y, X] in m s-1.

    ``grid_ms`` lies along increasing columns and rows, ``earth_ms`` eastward and northward.
    """

    grid_ms: Tensor
    earth_ms: Tensor


class PatchGrid(NamedTuple):
    """Where the patches lie.

    Args:
        rows: Rows of patches.
        columns: Columns of patches.
        spacing_km: Mean distance between neighbours in adjacent rows, and in adjacent columns.
        axes: [2, 2, N] matrix in each patch that takes wind (eastward, northward) to components
            along increasing columns and rows.
    """

    rows: int
    columns: int
    spacing_km: tuple[float, float]
    axes: Tensor


class Fields(NamedTuple):
    """What is known of the patches of a batch, each [B, N].

    ``patch`` is the raster index on the patch grid; the others are means over a patch, wind
    eastward and northward.
    """

    patch: Tensor
    elevation_m: Tensor
    u_ms: Tensor
    v_ms: Tensor
    wind_speed_ms: Tensor

    @classmethod
    def in_raster_order(
        cls, elevation_m: Tensor, u_ms: Tensor, v_ms: Tensor, wind_speed_ms: Tensor
    ) -> Fields:
        """Fields whose n-th column belongs to the n-th patch of the grid."""
        patch = torch.arange(elevation_m.shape[1], device=elevation_m.device)
        return cls(patch.expand(elevation_m.shape), elevation_m, u_ms, v_ms, wind_speed_ms)

    def permuted(self, order: Tensor) -> Fields:
        """The same with column n taken from column ``order[b, n]``."""
        return Fields(*(field.gather(1, order) for field in self))


class Geography(nn.Module):
    """Recovers physical wind from the normalised input and pairs it with terrain.

    Args:
        elevation_m: [N] mean elevation of each patch, m.
        wind_channels: Indices of u and v among the input channels; None if they are not among
            them, for networks that do not need the wind: it is 0 then.
        wind_mean_ms: [2] mean that normalisation subtracted from u and v, m s-1.
        wind_std_ms: [2] standard deviation that it divided by, m s-1.
        to_grid: [2, 2, Y, X] matrix in each cell that takes (u, v) to components along increasing
            columns and rows.
        to_earth: [2, 2, Y, X] matrix in each cell that takes (u, v) to components eastward and
            northward.
        mask: [Y, X] 1 inside the domain; cells outside have no wind.
        patch_size: Cells per side of a patch.
        spacing_km: Mean distance of cells in adjacent rows, and in adjacent columns.
    """

    elevation_m: Tensor
    wind_mean_ms: Tensor
    wind_std_ms: Tensor
    to_grid: Tensor
    to_earth: Tensor
    mask: Tensor
    wind_channels: Tensor

    def __init__(
        self,
        *,
        elevation_m: Tensor,
        wind_channels: tuple[int, int] | None,
        wind_mean_ms: Tensor,
        wind_std_ms: Tensor,
        to_grid: Tensor,
        to_earth: Tensor,
        mask: Tensor,
        patch_size: int,
        spacing_km: tuple[float, float],
    ) -> None:
        super().__init__()
        self.patch_size, self.spacing_km = patch_size, spacing_km
        self.has_wind = wind_channels is not None
        channels = torch.tensor(wind_channels or (), dtype=torch.int64)
        self.register_buffer("wind_channels", channels, persistent=False)
        self.register_buffer("elevation_m", elevation_m, persistent=False)
        self.register_buffer("wind_mean_ms", wind_mean_ms.view(1, 2, 1, 1), persistent=False)
        self.register_buffer("wind_std_ms", wind_std_ms.view(1, 2, 1, 1), persistent=False)
        self.register_buffer("to_grid", to_grid, persistent=False)
        self.register_buffer("to_earth", to_earth, persistent=False)
        self.register_buffer("mask", mask.to(to_grid.dtype), persistent=False)

    def forward(self, x: Tensor) -> tuple[WindFields, Fields]:
        """Wind in cells and fields of patches for the normalised input x [B, V, Y, X]."""
        if self.has_wind:
            given = x.index_select(1, self.wind_channels) * self.wind_std_ms + self.wind_mean_ms
        else:
            given = torch.zeros_like(x[:, :1]).expand(-1, 2, -1, -1)
        given = (given * self.mask).unsqueeze(1)
        winds = WindFields((self.to_grid * given).sum(2), (self.to_earth * given).sum(2))
        speed = winds.grid_ms.norm(dim=1, keepdim=True)
        means = avg_pool2d(torch.cat([winds.earth_ms, speed], 1), self.patch_size).flatten(2)
        elevation_m = self.elevation_m.expand(len(x), -1)
        return winds, Fields.in_raster_order(elevation_m, *means.unbind(1))

    def patch_grid(self) -> PatchGrid:
        """Where the patches lie."""
        size = self.patch_size
        rows, columns = self.mask.shape[0] // size, self.mask.shape[1] // size
        axes = torch.einsum("abyx,jbyx->ajyx", self.to_grid, self.to_earth)  # it is orthogonal
        means = avg_pool2d(axes.flatten(0, 1), size).view(2, 2, -1)
        spacing_km = (size * self.spacing_km[0], size * self.spacing_km[1])
        return PatchGrid(rows, columns, spacing_km, means / means.norm(dim=1, keepdim=True))


class NoGeography(nn.Module):
    """For networks whose scan and attention need neither terrain nor wind."""

    def forward(self, x: Tensor) -> tuple[None, None]:
        """No winds and no fields."""
        return None, None
