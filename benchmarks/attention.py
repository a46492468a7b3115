"""Cost of the barrier bias: plain, dense and tiled attention, side by side, forward and backward.

Prints one JSON object. Times are medians over rounds in which every path runs once; peak memory is
taken in a fresh process per path.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from pathlib import Path

import numpy as np
import torch

from airshed.model.attention import DenseAttention, PlainAttention, TiledAttention
from airshed.model.bias import build_bias
from airshed.model.geography import Fields

PATHS = ("plain", "tiled", "dense")
STANZA = {"kind": "barrier", "alpha_init": 0.2, "wind_modulation": True}


def build(path: str) -> torch.nn.Module:
    """The attention path of that name."""
    if path == "plain":
        return PlainAttention()
    return (TiledAttention if path == "tiled" else DenseAttention)(build_bias(STANZA))


def problem(options: argparse.Namespace) -> tuple[list[torch.Tensor], Fields]:
    """Random q, k, v and a terrain up to 5 km."""
    torch.manual_seed(0)
    tokens = options.grid[0] * options.grid[1] // 4
    shape = (options.batch, options.heads, tokens, options.dim // options.heads)
    qkv = [torch.randn(shape, requires_grad=True) for _ in "qkv"]
    fields = Fields(
        torch.zeros(1),
        5000 * torch.rand(1, tokens).expand(options.batch, -1),
        15 * torch.rand(options.batch, tokens),
    )
    return qkv, fields


def seconds(attention: torch.nn.Module, qkv: list[torch.Tensor], fields: Fields) -> float:
    """One forward and backward pass."""
    started = time.perf_counter()
    attention(*qkv, fields).square().mean().backward()
    return time.perf_counter() - started


def peak_mb(path: str, options: argparse.Namespace) -> float:
    """Peak memory of a fresh process that runs one pass."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return float(pool.apply(_peak_mb, (path, options)))


def _peak_mb(path: str, options: argparse.Namespace) -> float:
    torch.set_num_threads(options.threads)
    inputs = problem(options)
    before = _high_water_mb()
    seconds(build(path), *inputs)
    return _high_water_mb() - before


def _high_water_mb() -> float:
    """Peak memory of this process image (getrusage would carry over the parent's)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return float(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grid", type=int, nargs=2, default=(32, 64), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    qkv, fields = problem(options)
    paths = {path: build(path) for path in PATHS}
    times: dict[str, list[float]] = {path: [] for path in PATHS}
    for _ in range(options.repeats):
        for path, attention in paths.items():
            times[path].append(seconds(attention, qkv, fields))
    plain = np.array(times["plain"])
    results = {
        path: {
            "seconds": [round(float(value), 4) for value in np.percentile(taken, [10, 50, 90])],
            "ratio": round(float(np.median(np.array(taken) / plain)), 3),
            "peak_mb": round(peak_mb(path, options), 1),
        }
        for path, taken in times.items()
    }
    print(json.dumps({"options": vars(options), "torch": torch.__version__, "paths": results}))


if __name__ == "__main__":
    main()
