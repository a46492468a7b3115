"""ClimaX (Nguyen et al. 2023, arXiv 2301.10343) with exchangeable scan and attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from airshed.model.attention import PlainAttention
from airshed.model.embedding import PatchEmbedding, aggregate, sincos_1d, sincos_2d
from airshed.model.geography import Fields, Geography, NoGeography
from airshed.model.scan import RasterScan, WindScan, elevation_order, raster_order
from airshed.model.transformer import Block, Core

LEAD_SCALE_H = 100.0


class ClimaX(nn.Module):
    """A vision transformer on patches whose variables are aggregated by cross-attention.

    Names and shapes of the state dict are those of microsoft/ClimaX with
    ``parallel_patch_embed=True``; a biased block adds ``blocks.<k>.attn.core.bias.*``.

    Args:
        variables: Names of the input channels, in their order.
        grid_size: Rows and columns of cells, divisible by ``patch_size``.
        patch_size: Cells per side of a patch.
        embed_dim: D, width of the tokens.
        depth: Number of transformer blocks.
        decoder_depth: Hidden layers of the head.
        num_heads: H, heads of every attention.
        mlp_ratio: Hidden width of a block's MLP over D.
        drop_path: Stochastic depth of the last block; it grows linearly from 0.
        drop_rate: Dropout of tokens, projections and MLPs.
        geography: Gives terrain and wind to scan and biases; None if neither needs it.
        scan: Order of the tokens.
        cores: One attention path per block; None means plain attention in all.
        block: What the blocks are made of.

    Raises:
        ValueError: The grid is not divisible by the patch, or cores do not fit the depth.
    """

    def __init__(
        self,
        variables: Sequence[str],
        grid_size: tuple[int, int],
        *,
        patch_size: int = 2,
        embed_dim: int = 768,
        depth: int = 6,
        decoder_depth: int = 2,
        num_heads: int = 8,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.1,
        drop_rate: float = 0.1,
        geography: Geography | None = None,
        scan: RasterScan | WindScan | None = None,
        cores: Sequence[Core] | None = None,
        block: type[Block] = Block,
    ) -> None:
        super().__init__()
        rows, columns = grid_size[0] // patch_size, grid_size[1] // patch_size
        if (rows * patch_size, columns * patch_size) != tuple(grid_size):
            raise ValueError(f"a grid of {grid_size} is not divisible by patches of {patch_size}")
        cores = [PlainAttention() for _ in range(depth)] if cores is None else list(cores)
        if len(cores) != depth:
            raise ValueError(f"{len(cores)} attention paths were given for {depth} blocks")
        self.variables, self.grid_size, self.patch_size = tuple(variables), grid_size, patch_size
        self.geography = geography or NoGeography()
        self.scan = scan or RasterScan()
        sorts = any(core.wants_elevation_order for core in cores)
        self.block_order = elevation_order if sorts else raster_order

        self.token_embeds = PatchEmbedding(len(variables), patch_size, embed_dim)
        self.var_embed = nn.Parameter(sincos_1d(embed_dim, torch.arange(len(variables)))[None])
        self.var_query = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.var_agg = nn.MultiheadAttention(embed_dim, num_heads, batch_first=True)
        self.pos_embed = nn.Parameter(sincos_2d(embed_dim, rows, columns)[None])
        self.lead_time_embed = nn.Linear(1, embed_dim)
        self.pos_drop = nn.Dropout(drop_rate)
        rates = [drop_path * index / max(1, depth - 1) for index in range(depth)]
        self.blocks = nn.ModuleList(
            block(embed_dim, num_heads, mlp_ratio, drop=drop_rate, drop_path=rate, core=core)
            for rate, core in zip(rates, cores, strict=True)
        )
        self.norm = nn.LayerNorm(embed_dim)
        layers: list[nn.Module] = []
        for _ in range(decoder_depth):
            layers += [nn.Linear(embed_dim, embed_dim), nn.GELU()]
        self.head = nn.Sequential(
            *layers, nn.Linear(embed_dim, len(variables) * patch_size * patch_size)
        )
        self._initialise()

    def _initialise(self) -> None:
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and ".core." not in name:
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    @property
    def cores(self) -> list[Core]:
        """The attention path of each block."""
        return [cast(Block, block).attn.core for block in self.blocks]

    def forward(self, x: Tensor, lead_hours: Tensor, out_variables: Sequence[str]) -> Tensor:
        """Forecast fields.

        Args:
            x: [B, V, Y, X], normalised, in the order of ``variables``.
            lead_hours: [B], h.
            out_variables: Names of the variables to return.

        Returns:
            [B, len(out_variables), Y, X], normalised.

        Raises:
            ValueError: The shape of ``x`` or a name does not fit.
        """
        self._check(x, out_variables)
        winds, fields = self.geography(x)
        order = self.scan(winds)
        tokens, fields = order.apply(self._embed(x)), order.fields(fields)
        lead = self.lead_time_embed(lead_hours[:, None].to(x.dtype) / LEAD_SCALE_H)
        tokens = self.pos_drop(tokens + self.pos_embed + lead[:, None])
        tokens = order.restore(self.norm(self._transform(tokens, fields)))
        channels = [self.variables.index(name) for name in out_variables]
        return self._unpatchify(self.head(tokens))[:, channels]

    def _transform(self, tokens: Tensor, fields: Fields | None) -> Tensor:
        """All blocks, in an order of tokens that suits them: they do not depend on it."""
        order = self.block_order(fields)
        tokens, fields = order.apply(tokens), order.fields(fields)
        for block in self.blocks:
            tokens = block(tokens, fields)
        return order.restore(tokens)

    def _embed(self, x: Tensor) -> Tensor:
        embeds = self.token_embeds
        return aggregate(
            embeds.patches(x),
            embeds.proj_weights.flatten(2),
            embeds.proj_biases + self.var_embed[0],
            self.var_query[0, 0],
            self.var_agg,
        )

    def _unpatchify(self, tokens: Tensor) -> Tensor:
        p, (rows, columns) = self.patch_size, self.grid_size
        cells = tokens.view(len(tokens), rows // p, columns // p, p, p, len(self.variables))
        return cells.permute(0, 5, 1, 3, 2, 4).reshape(len(tokens), -1, rows, columns)

    def _check(self, x: Tensor, out_variables: Sequence[str]) -> None:
        expected = (len(self.variables), *self.grid_size)
        if tuple(x.shape[1:]) != expected:
            raise ValueError(f"input of shape {tuple(x.shape)}; expected (B, {expected})")
        unknown = [name for name in out_variables if name not in self.variables]
        if unknown:
            raise ValueError(f"{unknown} are not among the model's variables {self.variables}")
