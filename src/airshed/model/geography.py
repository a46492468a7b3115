"""Terrain and wind as attention and scan see them: physical, on the grid's own axes."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d


class Fields(NamedTuple):
    """Geographic fields of a batch.

    ``wind_ms`` [B, 2, Y, X] lies along increasing columns and rows; ``elevation_m`` [B, N] and
    ``wind_speed_ms`` [B, N] are means over patches in raster order.
    """

    wind_ms: Tensor
    elevation_m: Tensor
    wind_speed_ms: Tensor

    def permuted(self, patch_of_slot: Tensor) -> Fields:
        """The same with patches in the order [B, N] of a scan; cells stay where they are."""
        return self._replace(
            elevation_m=self.elevation_m.gather(1, patch_of_slot),
            wind_speed_ms=self.wind_speed_ms.gather(1, patch_of_slot),
        )


class Geography(nn.Module):
    """Recovers physical wind from the normalised input and pairs it with terrain.

    Args:
        elevation_m: [N] mean elevation of each patch, m.
        wind_channels: Indices of u and v among the input channels.
        wind_mean_ms: [2] mean that normalisation subtracted from u and v, m s-1.
        wind_std_ms: [2] standard deviation that it divided by, m s-1.
        to_grid: [2, 2, Y, X] matrix in each cell that takes (u, v) to components along increasing
            columns and rows.
        mask: [Y, X] 1 inside the domain; cells outside have no wind.
        patch_size: Cells per side of a patch.
    """

    elevation_m: Tensor
    wind_mean_ms: Tensor
    wind_std_ms: Tensor
    to_grid: Tensor
    mask: Tensor

    def __init__(
        self,
        *,
        elevation_m: Tensor,
        wind_channels: tuple[int, int],
        wind_mean_ms: Tensor,
        wind_std_ms: Tensor,
        to_grid: Tensor,
        mask: Tensor,
        patch_size: int,
    ) -> None:
        super().__init__()
        self.wind_channels, self.patch_size = list(wind_channels), patch_size
        self.register_buffer("elevation_m", elevation_m, persistent=False)
        self.register_buffer("wind_mean_ms", wind_mean_ms.view(1, 2, 1, 1), persistent=False)
        self.register_buffer("wind_std_ms", wind_std_ms.view(1, 2, 1, 1), persistent=False)
        self.register_buffer("to_grid", to_grid, persistent=False)
        self.register_buffer("mask", mask.to(to_grid.dtype), persistent=False)

    def forward(self, x: Tensor) -> Fields:
        """Fields of the normalised input x [B, V, Y, X]."""
        given = x[:, self.wind_channels] * self.wind_std_ms + self.wind_mean_ms
        wind = (self.to_grid * given.unsqueeze(1)).sum(2) * self.mask
        speed = avg_pool2d(wind.norm(dim=1), self.patch_size).flatten(1)
        return Fields(wind, self.elevation_m.expand(len(x), -1), speed)


def patch_means(field: Tensor, patch_size: int) -> Tensor:
    """Means [N] of a field [Y, X] over patches, in raster order."""
    return avg_pool2d(field[None], patch_size).flatten()
