"""A variant's network, from plain settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from airshed.biases import BIASES
from airshed.model import bias as biases
from airshed.model.advection_diffusion import AdvectionDiffusion, Flow, RecomputedFlow
from airshed.model.attention import (
    Choice,
    Paths,
    Workload,
    biased_attention,
    choose,
    plain_attention,
)
from airshed.model.climax import ClimaX
from airshed.model.forecaster import Forecaster
from airshed.model.geography import Geography, PatchGrid
from airshed.model.transformer import Block, Core, RecomputedBlock
from airshed.model.wind_graph import WindGraph
from airshed.model.windows import WindowAttention

CPU = torch.device("cpu")
ANY = Paths()
CLIMAX: Mapping[str, Any] = {"kind": "climax"}


def _windows(block: int, grid: PatchGrid, num_heads: int, head_dim: int, *, window: int) -> Core:
    """Every second block has shifted windows."""
    shape = (grid.rows, grid.columns)
    return WindowAttention(shape, num_heads, window, shifted=block % 2 == 1)


def _wind_graph(
    block: int,
    grid: PatchGrid,
    num_heads: int,
    head_dim: int,
    reaches: Sequence[int],
    terrain: bool = True,
) -> Core:
    """The same in every block."""
    return WindGraph(grid, num_heads, head_dim, reaches, terrain)


CORES: dict[str, Callable[..., Core]] = {"swin": _windows, "wind_graph": _wind_graph}
"""What stands for attention in a block, by the name of the backbone in the configuration."""


def build_cores(
    stanza: Mapping[str, Any],
    depth: int,
    patch_grid: tuple[int, int],
    workload: Workload,
    paths: Paths = ANY,
) -> list[Core]:
    """One attention for each block: biased in the blocks that the stanza names, if it does."""
    kind = stanza["kind"]
    if kind == "none":
        return [plain_attention(workload, paths.plain) for _ in range(depth)]
    blocks = _named(stanza["blocks"] if "blocks" in stanza else BIASES[kind].blocks, depth)

    def biased() -> Core:
        bias = biases.build(stanza, grid=patch_grid, num_heads=workload.num_heads)
        return biased_attention(bias, workload, paths.biased)

    return [
        biased() if index in blocks else plain_attention(workload, paths.plain)
        for index in range(depth)
    ]


def choose_attention(
    stanza: Mapping[str, Any], patch_grid: tuple[int, int], workload: Workload
) -> dict[str, Choice]:
    """What suits the blocks without a bias (``plain``), and those with it (``biased``)."""
    chosen = {"plain": choose(None, workload)}
    if stanza["kind"] != "none":
        bias = biases.build(stanza, grid=patch_grid, num_heads=workload.num_heads)
        chosen["biased"] = choose(bias, workload)
    return chosen


def replace_cores(
    cores: list[Core],
    backbone: Mapping[str, Any],
    grid: PatchGrid,
    num_heads: int,
    head_dim: int,
) -> list[Core]:
    """The same with what the backbone puts in place of attention, if anything."""
    arguments = dict(backbone)
    kind, blocks = arguments.pop("kind"), arguments.pop("blocks", "all")
    if kind not in CORES:
        return cores
    make, replaced = CORES[kind], list(cores)
    for index in _named(blocks, len(cores)):
        replaced[index] = make(index, grid, num_heads, head_dim, **arguments)
    return replaced


def _named(blocks: str | Sequence[int], depth: int) -> Sequence[int]:
    return range(depth) if isinstance(blocks, str) else blocks


def build_model(
    variables: Sequence[str],
    grid_size: tuple[int, int],
    *,
    bias: Mapping[str, Any],
    geography: Geography,
    seed: int,
    depth: int,
    num_heads: int,
    embed_dim: int,
    backbone: Mapping[str, Any] = CLIMAX,
    recompute_blocks: bool = False,
    device: torch.device = CPU,
    samples: int = 1,
    dtype: torch.dtype = torch.float32,
    attention: Paths = ANY,
    **others: Any,
) -> Forecaster:
    """A network; all transformers of a seed start from the same weights, but for their additions.

    Biases and what stands for attention are built under a random state of their own, so that they
    cannot shift the other weights. The network is built on the CPU; ``device`` is where it will
    run, with how many ``samples`` at once and in which precision, which decides how attention is
    computed where ``attention`` names no path. ``others`` are arguments of every
    :class:`Forecaster`.
    """
    with torch.random.fork_rng(devices=[]):  # by default it would start every GPU of the node
        torch.manual_seed(seed)
        if backbone["kind"] == "advection_diffusion":
            make = _flowing(backbone, recompute_blocks)
        else:
            grid, head_dim = geography.patch_grid(), embed_dim // num_heads
            shape = (grid.rows, grid.columns)
            tokens = grid.rows * grid.columns
            workload = Workload(samples, tokens, num_heads, head_dim, dtype, device)
            cores = build_cores(bias, depth, shape, workload, attention)
            cores = replace_cores(cores, backbone, grid, num_heads, head_dim)
            block = RecomputedBlock if recompute_blocks else Block
            make = partial(ClimaX, cores=cores, block=block)
        torch.manual_seed(seed)
        return make(
            variables,
            grid_size,
            depth=depth,
            num_heads=num_heads,
            embed_dim=embed_dim,
            geography=geography,
            **others,
        )


def _flowing(backbone: Mapping[str, Any], recompute: bool) -> Callable[..., Forecaster]:
    flow = RecomputedFlow if recompute else Flow
    return partial(AdvectionDiffusion, steps=backbone["steps"], flow=flow)
