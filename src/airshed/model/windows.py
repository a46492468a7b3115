"""Attention within shifted windows (Swin Transformer, Liu et al. 2021, arXiv 2103.14030)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from airshed.model.geography import Fields
from airshed.model.scan import Order, raster_order


class WindowAttention(nn.Module):
    """Softmax attention among the patches of one window, with relative position bias.

    Section 3.2 of the paper: blocks with regular windows and with windows that are shifted by half
    their size take turns, so that neighbouring windows exchange what they know,

        z' = W-MSA(LN(z)) + z,   z'' = MLP(LN(z')) + z',
        Attention(Q, K, V) = SoftMax(Q K^T / sqrt(d) + B) V   (eq. 4),

    where B is a learned number for each head and each of the (2 M - 1)^2 offsets in a window of
    M x M patches. Shifting is cyclic; patches that came from the other side of the grid do not
    attend to their new neighbours. No patches are merged, so the grid of patches stays.

    Windows are laid from the first row and column. Where they do not divide the grid, the last
    ones are filled up with empty patches to which nothing attends. An axis that a single window
    covers is not shifted.

    Args:
        grid: Rows and columns of patches.
        num_heads: H.
        window: M, patches per side of a window.
        shifted: Whether the windows are shifted by half their size.
    """

    bias = None
    path = "windows"
    order = staticmethod(raster_order)
    may_attend: Tensor
    offset: Tensor

    def __init__(self, grid: tuple[int, int], num_heads: int, window: int, shifted: bool) -> None:
        super().__init__()
        self.grid, self.window = grid, tuple(min(window, size) for size in grid)
        self.filling = tuple(-size % side for size, side in zip(grid, self.window, strict=True))
        self.shift = tuple(
            side // 2 if shifted and side < size else 0
            for size, side in zip(grid, self.window, strict=True)
        )
        rows, columns = self.window
        self.table = nn.Parameter(torch.empty(num_heads, (2 * rows - 1) * (2 * columns - 1)))
        nn.init.trunc_normal_(self.table, std=0.02)
        self.register_buffer("offset", _offsets(rows, columns), persistent=False)
        self.register_buffer("may_attend", self._pairs(), persistent=False)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, fields: Fields | None) -> Tensor:
        """Attention of q, k, v [B, H, N, d] within windows of the patch grid.

        Raises:
            ValueError: There are no fields, which say which patch a token belongs to.
        """
        if fields is None:
            raise ValueError("windowed attention needs a geography, which numbers the patches")
        order, heads = Order(fields.patch), q.shape[1]
        q, k, v = (self._windows(order, tensor) for tensor in (q, k, v))
        scores = q @ k.mT * q.shape[-1] ** -0.5 + self.table[:, self.offset]
        scores = scores.masked_fill(~self.may_attend[:, None], -torch.inf)
        attended = self._grid(scores.softmax(-1).to(v.dtype) @ v)
        batch, tokens, _ = attended.shape
        return order.apply(attended).view(batch, tokens, heads, -1).transpose(1, 2)

    def _windows(self, order: Order, tokens: Tensor) -> Tensor:
        """[B, H, N, d] in the order of the tokens to [B, windows, H, M M, d]."""
        batch, heads, _, width = tokens.shape
        cells = order.restore(tokens.transpose(1, 2).flatten(2)).view(batch, *self.grid, -1)
        cells = pad(cells, (0, 0, 0, self.filling[1], 0, self.filling[0]))
        cells = cells.roll((-self.shift[0], -self.shift[1]), (1, 2))
        windows = _cut(cells, self.window)
        return windows.view(*windows.shape[:3], heads, width).transpose(2, 3)

    def _grid(self, windows: Tensor) -> Tensor:
        """[B, windows, H, M M, d] to [B, N, D] in raster order."""
        (rows, columns), (down, across) = self.grid, self.window
        filled = (rows + self.filling[0], columns + self.filling[1])
        cut = windows.transpose(2, 3).reshape(
            len(windows), filled[0] // down, filled[1] // across, down, across, -1
        )
        cells = cut.transpose(2, 3).reshape(len(windows), *filled, -1)
        return cells.roll(self.shift, (1, 2))[:, :rows, :columns].flatten(1, 2)

    def _pairs(self) -> Tensor:
        """Whether a query (first) may attend to a key, bool [windows, M M, M M]."""
        regions = torch.zeros(1, *(a + b for a, b in zip(self.grid, self.filling, strict=True)), 1)
        regions[:, self.grid[0] :] = regions[:, :, self.grid[1] :] = 4
        regions = regions.roll((-self.shift[0], -self.shift[1]), (1, 2))
        regions[:, regions.shape[1] - self.shift[0] :] += 1
        regions[:, :, regions.shape[2] - self.shift[1] :] += 2
        region = _cut(regions, self.window)[0, :, :, 0]
        return region[:, :, None] == region[:, None]


def _cut(cells: Tensor, window: tuple[int, ...]) -> Tensor:
    """[B, rows, columns, D] to [B, windows, M M, D]."""
    batch, rows, columns, dim = cells.shape
    down, across = window
    cut = cells.view(batch, rows // down, down, columns // across, across, dim)
    return cut.transpose(2, 3).reshape(batch, -1, down * across, dim)


def _offsets(rows: int, columns: int) -> Tensor:
    """[M M, M M] place in the table of the offset from key to query."""
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    row, column = row.flatten(), column.flatten()
    down = row[:, None] - row + rows - 1
    across = column[:, None] - column + columns - 1
    return down * (2 * columns - 1) + across
