"""Pre-norm transformer blocks; names follow the ViT blocks that ClimaX checkpoints hold."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from airshed.model.attention import BiasedAttention, PlainAttention
from airshed.model.geography import Fields
from airshed.model.wind_graph import WindGraph
from airshed.model.windows import WindowAttention

Core = PlainAttention | BiasedAttention | WindowAttention | WindGraph


class DropPath(nn.Module):
    """Skips a residual branch for whole samples (stochastic depth, arXiv 1603.09382).

    The rate is a tensor, so that blocks that differ in it alone share one compiled program.
    """

    dropped: Tensor
    survival: Tensor

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.drops = rate > 0
        self.register_buffer("dropped", torch.tensor(float(rate)), persistent=False)
        self.register_buffer("survival", torch.tensor(1 - float(rate)), persistent=False)

    def forward(self, branch: Tensor) -> Tensor:
        """Zero the branch [B, N, D] of some samples and scale up that of the others."""
        if not self.training or not self.drops:
            return branch
        chosen = torch.rand(len(branch), 1, 1, device=branch.device) >= self.dropped
        return branch * chosen / self.survival


class Attention(nn.Module):
    """Multi-head self-attention; ``core`` decides how queries, keys and values become outputs."""

    def __init__(self, dim: int, num_heads: int, drop: float, core: Core) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.core = core
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(drop)

    def forward(self, x: Tensor, fields: Fields | None) -> Tensor:
        """Tokens [B, N, D] with the geographic fields of their patches, in the same order."""
        batch, tokens, dim = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, self.num_heads, dim // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        attended = self.core(q, k, v, fields)
        out: Tensor = self.proj(attended.transpose(1, 2).reshape(batch, tokens, dim))
        return self.proj_drop(out)


class Mlp(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, dim: int, hidden: int, drop: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, N, D], each on its own."""
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))


class Block(nn.Module):
    """Attention and MLP, each after a LayerNorm and on a residual branch."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        mlp_ratio: float,
        *,
        drop: float,
        drop_path: float,
        core: Core,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, num_heads, drop, core)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), drop)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, fields: Fields | None) -> Tensor:
        """Tokens [B, N, D]."""
        x = x + self.drop_path(self.attn(self.norm1(x), fields))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class RecomputedBlock(Block):
    """A block that keeps its input alone and computes the rest again in the backward pass.

    Gradient checkpointing (Chen et al. 2016, arXiv 1604.06174): the same results, about a third
    more time, and the memory of one block instead of all.
    """

    def forward(self, x: Tensor, fields: Fields | None) -> Tensor:
        """Tokens [B, N, D]."""
        out: Tensor = checkpoint(super().forward, x, fields, use_reentrant=False)
        return out
