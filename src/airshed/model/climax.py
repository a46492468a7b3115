"""ClimaX (Nguyen et al. 2023, arXiv 2301.10343) with exchangeable scan and attention."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from torch import Tensor

from airshed.model.attention import PlainAttention
from airshed.model.forecaster import Forecaster
from airshed.model.geography import Fields
from airshed.model.scan import raster_order
from airshed.model.transformer import Block, Core


class ClimaX(Forecaster):
    """A vision transformer on patches whose variables are aggregated by cross-attention.

    Names and shapes of the state dict are those of microsoft/ClimaX with
    ``parallel_patch_embed=True``; a biased block adds ``blocks.<k>.attn.core.bias.*``.

    Args:
        variables: Names of the input channels, in their order.
        grid_size: Rows and columns of cells, divisible by ``patch_size``.
        embed_dim: D, width of the tokens.
        depth: Number of transformer blocks.
        num_heads: H, heads of every attention.
        mlp_ratio: Hidden width of a block's MLP over D.
        drop_path: Stochastic depth of the last block; it grows linearly from 0.
        drop_rate: Dropout of tokens, projections and MLPs.
        cores: One attention path per block; None means plain attention in all.
        block: What the blocks are made of.
        others: Other arguments of every :class:`Forecaster`.

    Raises:
        ValueError: The grid is not divisible by the patch, or cores do not fit the depth.
    """

    def __init__(
        self,
        variables: Sequence[str],
        grid_size: tuple[int, int],
        *,
        embed_dim: int = 768,
        depth: int = 6,
        num_heads: int = 8,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.1,
        drop_rate: float = 0.1,
        cores: Sequence[Core] | None = None,
        block: type[Block] = Block,
        **others: Any,
    ) -> None:
        cores = [PlainAttention() for _ in range(depth)] if cores is None else list(cores)
        if len(cores) != depth:
            raise ValueError(f"{len(cores)} attention paths were given for {depth} blocks")

        def blocks() -> Iterator[Block]:
            for index, core in enumerate(cores):
                rate = drop_path * index / max(1, depth - 1)
                yield block(
                    embed_dim, num_heads, mlp_ratio, drop=drop_rate, drop_path=rate, core=core
                )

        super().__init__(
            variables,
            grid_size,
            blocks,
            embed_dim=embed_dim,
            num_heads=num_heads,
            drop_rate=drop_rate,
            **others,
        )
        wanted = (core.order for core in cores if core.order is not raster_order)
        self.block_order = next(wanted, raster_order)

    @property
    def cores(self) -> list[Core]:
        """What mixes the tokens in each block."""
        return [cast(Block, block).attn.core for block in self.blocks]

    def _transform(self, tokens: Tensor, fields: Fields | None, lead_hours: Tensor) -> Tensor:
        """All blocks, in an order of tokens that suits them: they do not depend on it."""
        order = self.block_order(fields)
        tokens, fields = order.apply(tokens), order.fields(fields)
        for block in self.blocks:
            tokens = block(tokens, fields)
        return order.restore(tokens)
