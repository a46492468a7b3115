"""The wind scan against the original's loop, and the folded aggregation against the plain one."""

from __future__ import annotations

from typing import Any

import torch
from problem import CHANNELS, DEVICE, DIM, HEADS, PATCH, REGIONS, SEED_GRID, scan
from torch import Tensor, nn

from airshed.bench.measure import interleaved, ratio, spread
from airshed.model.embedding import PatchEmbedding, aggregate
from airshed.model.geography import WindFields

TOKENS = SEED_GRID[0] * SEED_GRID[1] // PATCH**2
LOOPED = 16  # regions that the loop is timed on; its cost is proportional to their number


def scans(scale: float) -> dict[str, Any]:
    """One gather of aggregated tokens against a loop over regions before aggregation."""
    patch_grid = (SEED_GRID[0] // PATCH, SEED_GRID[1] // PATCH)
    wind_scan = scan("wind", patch_grid).to(DEVICE)
    wind = 5 * torch.randn(1, 2, *SEED_GRID, device=DEVICE)
    winds = WindFields(wind, wind)
    tokens = torch.randn(1, TOKENS, DIM, device=DEVICE, requires_grad=True)
    unaggregated = torch.randn(1, CHANNELS, TOKENS, DIM, device=DEVICE, requires_grad=True)
    slots = wind_scan(winds).patch_of_slot[0].view(REGIONS[0] * REGIONS[1], -1)

    def gather() -> None:
        order = wind_scan(winds)
        back = order.restore(order.apply(tokens))
        torch.autograd.grad(back, tokens, tokens.detach())

    def loop() -> None:
        reordered = [unaggregated[0, :, region] for region in slots[:LOOPED]]
        torch.autograd.grad(torch.stack(reordered).sum(), unaggregated)

    rounds = max(1, round(5 * scale))
    times = interleaved({"gather": gather, "loop": loop}, rounds, "scan")
    times["loop"] = [taken * len(slots) / LOOPED for taken in times["loop"]]
    return {
        "ratios": {"scan_speedup_over_loop": ratio(times, "loop", "gather")},
        "seconds": {"scan": spread(times["gather"]), "scan_loop_scaled": spread(times["loop"])},
    }


def aggregation(scale: float) -> dict[str, Any]:
    """Folded aggregation of variables against the attention on all N x V tokens."""
    embedding = PatchEmbedding(CHANNELS, PATCH, DIM).to(DEVICE)
    mixing = nn.MultiheadAttention(DIM, HEADS, batch_first=True).to(DEVICE)
    query, offset = torch.randn(DIM, device=DEVICE), torch.randn(CHANNELS, DIM, device=DEVICE)
    patches = embedding.patches(torch.randn(1, CHANNELS, *SEED_GRID, device=DEVICE))
    learned = [embedding.proj_weights, *mixing.parameters()]
    gradient = torch.randn(1, TOKENS, DIM, device=DEVICE)

    def folded() -> Tensor:
        return aggregate(patches, embedding.proj_weights.flatten(2), offset, query, mixing)

    def plain() -> Tensor:
        weight = embedding.proj_weights.flatten(2)
        tokens = (torch.einsum("bnvp,vdp->bnvd", patches, weight) + offset).flatten(0, 1)
        mixed, _ = mixing(query.expand(len(tokens), 1, DIM), tokens, tokens, need_weights=False)
        return mixed.view(1, TOKENS, DIM)

    torch.testing.assert_close(folded(), plain(), rtol=1e-3, atol=1e-4)
    cases = {
        "folded": lambda: torch.autograd.grad(folded(), learned, gradient),
        "plain": lambda: torch.autograd.grad(plain(), learned, gradient),
    }
    times = interleaved(cases, max(1, round(3 * scale)), "aggregation")
    return {
        "ratios": {"aggregation_speedup": ratio(times, "plain", "folded")},
        "seconds": {f"aggregation_{name}": spread(taken) for name, taken in times.items()},
    }
