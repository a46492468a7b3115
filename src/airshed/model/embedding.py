"""Embeddings: patches of each variable, aggregation over variables, sine-cosine positions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PatchEmbedding(nn.Module):
    """One patch projection per variable, stacked (ClimaX's ``parallel_patch_embed``).

    Parameters ``proj_weights`` [V, D, 1, p, p] and ``proj_biases`` [V, D].

    Args:
        variables: How many inputs there are.
        patch_size: p, cells per side of a patch.
        embed_dim: D, width of the tokens.
        seen: Which of them are embedded, V rising numbers; they start from the weights that they
            would have if all were.
    """

    def __init__(
        self, variables: int, patch_size: int, embed_dim: int, seen: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.patch_size, chosen = patch_size, list(range(variables) if seen is None else seen)
        drawn = torch.empty(variables, embed_dim, 1, patch_size, patch_size)
        nn.init.trunc_normal_(drawn, std=0.02)
        self.proj_weights = nn.Parameter(drawn[chosen])
        self.proj_biases = nn.Parameter(torch.zeros(len(chosen), embed_dim))

    def patches(self, x: Tensor) -> Tensor:
        """Cells of each patch: [B, V, Y, X] to [B, N, V, p p]."""
        batch, variables, rows, columns = x.shape
        p = self.patch_size
        cut = x.view(batch, variables, rows // p, p, columns // p, p)
        return cut.permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, variables, p * p)


class SomeInputs(nn.Module):
    """Channels of the input that a network sees; the others are left out."""

    channels: Tensor

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("channels", torch.tensor(channels), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The input [B, V, Y, X] without the channels that are left out."""
        return x.index_select(1, self.channels)


def aggregate(
    patches: Tensor, weight: Tensor, offset: Tensor, query: Tensor, attention: nn.MultiheadAttention
) -> Tensor:
    """Cross-attention of one learned query over the variables of each patch, in folded form.

    The token of variable v is ``weight[v] @ patch + offset[v]`` and the query is the same
    everywhere. Keys and values are therefore linear in the few cells of a patch, and the
    attention's projections can be multiplied with the patch projections once per step instead of
    being applied to each of N x V tokens. The result is that of the attention on the tokens, up to
    rounding. The key's bias shifts all scores of a head alike and drops out of the softmax.

    Args:
        patches: [B, N, V, P] cells of each patch.
        weight: [V, D, P] patch projections.
        offset: [V, D] patch bias plus variable embedding.
        query: [D].
        attention: The attention whose result is computed.

    Returns:
        [B, N, D].
    """
    heads, dim = attention.num_heads, attention.embed_dim
    batch, tokens = patches.shape[:2]
    w_query, w_key, w_value = attention.in_proj_weight.chunk(3)
    b_query, _, b_value = attention.in_proj_bias.chunk(3)
    embedding = torch.cat([weight, offset.unsqueeze(-1)], -1)  # [V, D, P + 1]
    cells = torch.cat([patches, torch.ones_like(patches[..., :1])], -1)

    head_query = (w_query @ query + b_query).view(heads, 1, -1) * (dim // heads) ** -0.5
    key_direction = (head_query @ w_key.view(heads, -1, dim)).squeeze(1)  # [H, D]
    score_weight = torch.einsum("hd,vdp->vph", key_direction, embedding)
    scores = torch.einsum("bnvp,vph->bnhv", cells, score_weight)
    weighted = scores.softmax(-1).unsqueeze(-1) * cells.unsqueeze(2)  # [B, N, H, V, P + 1]

    value_weight = torch.einsum("de,vep->vpd", w_value, embedding)
    value_weight = value_weight.reshape(-1, heads, dim // heads).transpose(0, 1)
    values = weighted.flatten(3).permute(2, 0, 1, 3).reshape(heads, batch * tokens, -1)
    attended = (values @ value_weight).permute(1, 0, 2).reshape(batch, tokens, dim)
    return attention.out_proj(attended + b_value)


def sincos_1d(dim: int, positions: Tensor) -> Tensor:
    """Sine-cosine embedding [n, dim] of positions [n] (Vaswani et al. 2017, arXiv 1706.03762)."""
    rate = torch.arange(dim // 2, dtype=torch.float64) / (dim / 2)
    angle = positions.double()[:, None] * 10_000**-rate
    return torch.cat([angle.sin(), angle.cos()], dim=1).float()


def sincos_2d(dim: int, rows: int, columns: int) -> Tensor:
    """Embedding [rows * columns, dim]: first half for the column, second half for the row.

    Raises:
        ValueError: ``dim`` is not divisible by 4.
    """
    if dim % 4:
        raise ValueError(f"a width of {dim} is not divisible by 4")
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.cat(
        [sincos_1d(dim // 2, column.flatten()), sincos_1d(dim // 2, row.flatten())], dim=1
    )
