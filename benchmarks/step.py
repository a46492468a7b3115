"""Whole training steps at the seed configuration, every variant against wind_baseline.

Transformers share one network, whose scan and attention paths are exchanged; so they fit into
memory together and are timed in turn. A step is forward, loss, backward, clipping and AdamW.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from problem import CHANNELS, DEPTH, DEVICE, DIM, PATCH, PATCH_GRIDS, SEED_GRID, network, variants
from torch import Tensor, nn

from airshed.bench.measure import interleaved, peak_mb, ratio, spread
from airshed.bench.step import training_step
from airshed.model import Forecaster
from airshed.model.dynamo import allow_forms
from airshed.training import graphs
from airshed.training.compilation import compile_blocks

log = logging.getLogger(__name__)

MAIN = ("wind_baseline", "physics_mask", "physics_all_blocks")
BACKBONES = ("swin", "wind_graph_block", "wind_graph", "advection_diffusion")
OF_ITS_OWN = "advection_diffusion"  # no transformer: nothing of it can be exchanged
BATCH = 2 if DEVICE.type == "cuda" else 1
TARGETS = 6


def step(
    model: Forecaster,
    optimizer: torch.optim.Optimizer,
    *,
    samples: int = BATCH,
    recorded: bool = False,
) -> Callable[[], None]:
    """One training step on a batch; ``recorded`` as a CUDA graph, where that is exact."""
    x = torch.randn(samples, CHANNELS, *model.grid_size, device=DEVICE)
    truth = torch.randn(samples, TARGETS, *model.grid_size, device=DEVICE)
    lead = torch.full((samples,), 24.0, device=DEVICE)

    def loss() -> Tensor:
        forecast = model(x, lead, model.variables[:TARGETS])
        return (forecast.float() - truth).square().mean()

    autocast = torch.bfloat16 if DEVICE.type == "cuda" else None
    keeps = recorded and graphs.record(model, x, lead, model.variables[:TARGETS], autocast)
    return training_step(
        loss, optimizer, accumulate=1, clip=1.0, autocast=autocast, keeps_gradients=keeps
    )


def alone(variant: str, grid: tuple[int, int] = SEED_GRID) -> Callable[[], None]:
    """A step of a variant whose network is the only one, uncompiled."""
    model = network(variant, grid)
    return step(model, torch.optim.AdamW(model.parameters(), lr=1e-4))


def steps(scale: float) -> dict[str, Any]:
    """Ratios over ``wind_baseline``, seconds, and the rate over that of a matrix product."""
    allow_forms(len(variants()))
    model = network("wind_baseline")
    compiled = compile_blocks([model], "auto", DEVICE)
    parts = {name: _parts(name) for name in variants() if name != OF_ITS_OWN}
    cores = [core for _, _, cores in parts.values() for core in cores]
    trained = dict.fromkeys([*model.parameters(), *nn.ModuleList(cores).parameters()])
    plain_step = step(model, torch.optim.AdamW(list(trained), lr=1e-4))

    def exchanged(name: str) -> Callable[[], None]:
        def run() -> None:
            model.scan, model.block_order, cores = parts[name]
            for block, core in zip(model.blocks, cores, strict=True):
                block.attn.core = core
            plain_step()

        return run

    a, b = (torch.randn(4096, 4096, device=DEVICE) for _ in "ab")
    if DEVICE.type == "cuda":
        a, b = a.bfloat16(), b.bfloat16()
    cases: dict[str, Callable[[], object]] = {name: exchanged(name) for name in MAIN}
    cases["matmul"] = lambda: [a @ b for _ in range(3)]
    times = interleaved(cases, max(1, round(5 * scale)), "step, main variants")
    others = ["wind_baseline", *(name for name in variants() if name not in MAIN)]
    rest = {name: exchanged(name) for name in others if name != OF_ITS_OWN}
    more = interleaved(
        rest | {OF_ITS_OWN: alone(OF_ITS_OWN)}, max(1, round(2 * scale)), "step, others"
    )
    ratios = {f"step_{name}": ratio(times, name, "wind_baseline") for name in MAIN[1:]}
    ratios |= {f"step_{name}": ratio(more, name, "wind_baseline") for name in others[1:]}
    rates = [
        (step_flop() / baseline) / (3 * 2 * 4096**3 / product)
        for baseline, product in zip(times["wind_baseline"], times["matmul"], strict=True)
    ]
    took = {f"step_{name}": spread(times[name]) for name in MAIN}
    took |= {f"step_{name}": spread(more[name]) for name in others[1:]}
    return {
        "ratios": ratios | {"step_over_matmul_rate": spread(rates)},
        "seconds": took | {"matmul_4096_three_times": spread(times["matmul"])},
        "facts": {"compiled": compiled, "batch": BATCH, "step_tflop": step_flop() / 1e12},
    }


def _parts(variant: str) -> tuple[Any, Any, list[Any]]:
    """Scan, order within the blocks, and attention paths of a variant."""
    log.info("step: building %s", variant)
    with torch.device(DEVICE):
        model = network(variant)
    return model.scan, model.block_order, model.cores


def step_flop() -> float:
    """Floating-point operations of the products in a step of ``wind_baseline``.

    Linear layers count three times (forward, gradients of inputs and of weights); attention has
    two products forward and five backward, since its scores are computed again.
    """
    tokens = BATCH * SEED_GRID[0] * SEED_GRID[1] // PATCH**2
    per_sample = tokens // BATCH
    linear = 2 * tokens * 12 * DIM**2 * DEPTH
    head = 2 * tokens * DIM * (2 * DIM + CHANNELS * PATCH**2)
    scores = 2 * tokens * per_sample * DIM * DEPTH
    return float(3 * (linear + head) + 7 * scores)


def step_memory(scale: float) -> dict[str, Any]:
    """Peak memory of one uncompiled step in a fresh process, weights apart."""
    names = ("wind_baseline", "physics_mask", "physics_mlp", *BACKBONES)
    return {"memory_mb": {f"step_{name}": spread([peak_mb(alone, name)]) for name in names}}


def _growth(tokens: int, scale: float) -> dict[str, Any]:
    """Uncompiled steps of the other backbones against ``wind_baseline`` for a number of patches.

    Memory comes first, while this process holds no network.
    """
    rows, columns = PATCH_GRIDS[tokens]
    grid = (rows * PATCH, columns * PATCH)
    names = {name: f"step_{name}_{tokens}" for name in ("wind_baseline", *BACKBONES)}
    memory = {key: spread([peak_mb(alone, name, grid)]) for name, key in names.items()}
    rounds = max(3, round(scale * 4096 / tokens))
    times = interleaved({name: alone(name, grid) for name in names}, rounds, f"N = {tokens}")
    return {
        "memory_mb": memory,
        "seconds": {key: spread(times[name]) for name, key in names.items()},
        "ratios": {key: ratio(times, name, "wind_baseline") for name, key in names.items()},
    }


growth_512, growth_2048, growth_8192 = (partial(_growth, tokens) for tokens in PATCH_GRIDS)
