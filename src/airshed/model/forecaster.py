"""What all networks share: embedding of patches, scan, head; subclasses mix the tokens."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from airshed.model.embedding import PatchEmbedding, SomeInputs, aggregate, sincos_1d, sincos_2d
from airshed.model.geography import Fields, Geography, NoGeography
from airshed.model.scan import RasterScan, WindScan
from airshed.model.transformer import Core

LEAD_SCALE_H = 100.0


class Forecaster(nn.Module):
    """Patches of all variables in, fields out; what happens between is the subclass's.

    Embedding, aggregation over variables, positional and lead-time embedding, head and
    unpatchifying are those of ClimaX (arXiv 2301.10343), the same in every subclass, so that
    networks differ in nothing but how tokens are mixed.

    Args:
        variables: Names of the input channels, in their order.
        grid_size: Rows and columns of cells, divisible by ``patch_size``.
        make_blocks: Gives the parts that mix the tokens; called once.
        embed_dim: D, width of the tokens.
        num_heads: Heads of the aggregation over variables.
        drop_rate: Dropout of the embedded tokens.
        patch_size: Cells per side of a patch.
        decoder_depth: Hidden layers of the head.
        geography: Gives terrain and wind; None if nothing needs them.
        scan: Order of the tokens.
        without: Names of input channels that are left out: no token is made of them. Geography
            still reads them. Everything else starts from the weights that it has with all inputs.
        targets: Names of what is to be forecast. The head predicts all variables, as in ClimaX, and
            after them those of the targets that are no input.

    Attributes:
        variables: Names of the inputs that are seen, in their order.
        outputs: Names of what the head predicts, in its order.
        blocks: What ``make_blocks`` gave; compiled and sharded part by part.

    Raises:
        ValueError: The grid is not divisible by the patch.
    """

    def __init__(
        self,
        variables: Sequence[str],
        grid_size: tuple[int, int],
        make_blocks: Callable[[], Iterable[nn.Module]],
        *,
        embed_dim: int,
        num_heads: int,
        drop_rate: float,
        patch_size: int = 2,
        decoder_depth: int = 2,
        geography: Geography | None = None,
        scan: RasterScan | WindScan | None = None,
        targets: Sequence[str] = (),
        without: Sequence[str] = (),
    ) -> None:
        super().__init__()
        rows, columns = grid_size[0] // patch_size, grid_size[1] // patch_size
        if (rows * patch_size, columns * patch_size) != tuple(grid_size):
            raise ValueError(f"a grid of {grid_size} is not divisible by patches of {patch_size}")
        self.channels, self.grid_size, self.patch_size = len(variables), grid_size, patch_size
        seen = [place for place, name in enumerate(variables) if name not in without]
        self.variables = tuple(variables[place] for place in seen)
        self.outputs = (*variables, *(name for name in targets if name not in variables))
        self.geography = geography or NoGeography()
        self.scan = scan or RasterScan()

        self.inputs = SomeInputs(seen) if without else nn.Identity()
        self.token_embeds = PatchEmbedding(len(variables), patch_size, embed_dim, seen)
        self.var_embed = nn.Parameter(sincos_1d(embed_dim, torch.tensor(seen))[None])
        self.var_query = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.var_agg = nn.MultiheadAttention(embed_dim, num_heads, batch_first=True)
        self.pos_embed = nn.Parameter(sincos_2d(embed_dim, rows, columns)[None])
        self.lead_time_embed = nn.Linear(1, embed_dim)
        self.pos_drop = nn.Dropout(drop_rate)
        self.blocks = nn.ModuleList(make_blocks())
        self.norm = nn.LayerNorm(embed_dim)
        layers: list[nn.Module] = []
        for _ in range(decoder_depth):
            layers += [nn.Linear(embed_dim, embed_dim), nn.GELU()]
        self.head = nn.Sequential(
            *layers, nn.Linear(embed_dim, len(self.outputs) * patch_size * patch_size)
        )
        self._initialise()

    def _initialise(self) -> None:
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and ".core." not in name:
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def zero_head(self) -> list[str]:
        """Let the network predict 0 until it has learned otherwise; names of what was set to 0."""
        last = dict(self.head[-1].named_parameters(f"head.{len(self.head) - 1}"))
        for parameter in last.values():
            nn.init.zeros_(parameter)
        return [*last]

    @property
    @abstractmethod
    def cores(self) -> list[Core]:
        """What mixes the tokens, block by block."""

    @abstractmethod
    def _transform(self, tokens: Tensor, fields: Fields | None, lead_hours: Tensor) -> Tensor:
        """Mix the embedded tokens [B, N, D], whose ``fields`` are in the same order."""

    def forward(
        self,
        x: Tensor,
        lead_hours: Tensor,
        out_variables: Sequence[str],
        init_hours: Tensor | None = None,
    ) -> Tensor:
        """Forecast fields.

        Args:
            x: [B, V, Y, X], normalised: all inputs in their order, also those left out.
            lead_hours: [B], h.
            out_variables: Names of the variables to return.
            init_hours: [B] int64, init times in hours since 1970; the random scan needs them.

        Returns:
            [B, len(out_variables), Y, X], normalised.

        Raises:
            ValueError: The shape of ``x`` or a name does not fit, or init times are missing.
        """
        self._check(x, out_variables)
        winds, fields = self.geography(x)
        order = self.scan(winds, init_hours)
        tokens, fields = order.apply(self._embed(x)), order.fields(fields)
        lead = self.lead_time_embed(lead_hours[:, None].to(x.dtype) / LEAD_SCALE_H)
        tokens = self.pos_drop(tokens + self.pos_embed + lead[:, None])
        tokens = order.restore(self.norm(self._transform(tokens, fields, lead_hours)))
        channels = self._unpatchify(self.head(tokens)).unbind(1)
        return torch.stack([channels[self.outputs.index(name)] for name in out_variables], 1)

    def _embed(self, x: Tensor) -> Tensor:
        embeds = self.token_embeds
        return aggregate(
            embeds.patches(self.inputs(x)),
            embeds.proj_weights.flatten(2),
            embeds.proj_biases + self.var_embed[0],
            self.var_query[0, 0],
            self.var_agg,
        )

    def _unpatchify(self, tokens: Tensor) -> Tensor:
        p, (rows, columns) = self.patch_size, self.grid_size
        cells = tokens.view(len(tokens), rows // p, columns // p, p, p, len(self.outputs))
        return cells.permute(0, 5, 1, 3, 2, 4).reshape(len(tokens), -1, rows, columns)

    def _check(self, x: Tensor, out_variables: Sequence[str]) -> None:
        expected = (self.channels, *self.grid_size)
        if tuple(x.shape[1:]) != expected:
            raise ValueError(f"input of shape {tuple(x.shape)}; expected (B, {expected})")
        unknown = [name for name in out_variables if name not in self.outputs]
        if unknown:
            raise ValueError(f"{unknown} are not among the model's variables {self.outputs}")
