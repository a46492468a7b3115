"""Attention by every path, and whole training steps, on a GPU at the founding study's size.

Needs torch with Triton and this package's source, and PyYAML for the steps, nothing else:
``PYTHONPATH=src python benchmarks/gpu.py``. Ratios are of medians measured side by side.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from problem import DEVICE, HEADS, attention_inputs, core, network
from step import step
from torch.nn.attention import SDPBackend, sdpa_kernel

from airshed.bench.measure import environment, interleaved, measured, ratio, spread
from airshed.errors import brief
from airshed.model.attention import Paths
from airshed.model.attention.choice import median_ms
from airshed.model.attention.paths import installed
from airshed.model.dynamo import allow_forms
from airshed.training.compilation import compile_blocks
from airshed.training.determinism import ask_for_determinism

TOKENS, SAMPLES, ROUNDS = 8192, 2, 15
PATHS = {
    "none": ("plain", "kernel"),
    "barrier": ("kernel", "fused"),
    "barrier_lookup": ("kernel",),
    "topoflow": ("kernel",),
    "relative_position": ("kernel", "fused"),
    "barrier_mlp": ("tiled", "tiled_bfloat16"),
    "relative_position_3d": ("tiled", "tiled_bfloat16"),
}
REFERENCE = "wind_baseline"
STEPS = (
    REFERENCE,
    "physics_mask",
    "physics_all_blocks",
    "physics_lookup",
    "topoflow",
    "swin_bias",
)
SIZES = (2, 4, 8, 16)


def say(line: str) -> None:
    """Print at once."""
    print(line, flush=True)


def attention() -> dict[str, Any]:
    """Milliseconds forward, and forward and backward, of each bias by each path, in bfloat16."""
    found: dict[str, Any] = {}
    for kind, paths in PATHS.items():
        for path in paths:
            try:
                found[f"{kind} {path}"] = _attention(kind, path)
            except Exception as error:  # a path that a card or a version lacks is told, not hidden
                found[f"{kind} {path}"] = {"lacking": brief(error)}
            say(f"attention {kind} {path}: {found[f'{kind} {path}']}")
    for name, backend in (
        ("cuDNN", SDPBackend.CUDNN_ATTENTION),
        ("flash", SDPBackend.FLASH_ATTENTION),
    ):
        for deterministic in (False, True):
            torch.use_deterministic_algorithms(deterministic, warn_only=True)
            key = f"none {name}" + (", deterministic" if deterministic else "")
            try:
                with sdpa_kernel(backend):
                    found[key] = _attention("none", "plain")
            except RuntimeError as error:
                found[key] = {"lacking": brief(error)}
            say(f"attention {key}: {found[key]}")
    torch.use_deterministic_algorithms(False)
    return found


def _attention(kind: str, path: str) -> dict[str, float]:
    one = core(kind, TOKENS, SAMPLES, torch.bfloat16, path)
    qkv, fields = attention_inputs(TOKENS, SAMPLES)
    fields = one.order(fields).fields(fields)
    qkv = [_as_projected(part) for part in qkv]
    given = torch.randn_like(qkv[0])
    learned = list(one.parameters())
    rounds = 1 if path.startswith("tiled") else ROUNDS

    def forward() -> torch.Tensor:
        return one(*qkv, fields)

    def both() -> None:
        torch.autograd.grad(forward(), [*qkv, *learned], given)

    return {"forward_ms": median_ms(forward, rounds), "both_ms": median_ms(both, rounds)}


def _as_projected(part: torch.Tensor) -> torch.Tensor:
    """[B, H, N, d] in bfloat16 that lies in memory as a projection gives it."""
    within = part.detach().transpose(1, 2).bfloat16()
    packed = torch.stack([within] * 3, dim=2)
    return packed[:, :, 0].transpose(1, 2).requires_grad_()


def steps() -> dict[str, Any]:
    """Milliseconds of a training step of two samples, every variant beside the baseline.

    Eager; and as trainings run: blocks compiled, forward and backward pass recorded.
    """
    ask_for_determinism()
    models = {name: _network(name, SAMPLES) for name in STEPS}
    say("networks are built")
    found = {"eager": _compared({name: _step(model) for name, model in models.items()})}
    allow_forms(len(STEPS) + len(SIZES))
    cases = {name: _as_trained(name, model, SAMPLES) for name, model in models.items()}
    found["compiled and recorded"] = _compared(cases)
    return found


def samples() -> dict[str, Any]:
    """Milliseconds for each two samples, and peak memory, by the samples of a step."""
    ask_for_determinism()
    allow_forms(len(STEPS) + len(SIZES))
    found = {}
    for size in SIZES:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        case = _as_trained(REFERENCE, _network(REFERENCE, size), size)
        (times,) = interleaved({REFERENCE: case}, ROUNDS, f"{size} samples", warmup=3).values()
        ms = 1e3 * spread(times)["median"] * 2 / size
        peak_mb = torch.cuda.max_memory_allocated() / 1e6
        found[str(size)] = {"ms_for_two": ms, "peak_memory_mb": peak_mb}
        say(f"{size} samples: {ms:.1f} ms for two, {peak_mb:.0f} MB")
    return found


def _network(name: str, size: int) -> Any:
    attention = Paths(biased="kernel")
    return network(name, samples=size, dtype=torch.bfloat16, attention=attention)


def _as_trained(name: str, model: Any, size: int) -> Callable[[], None]:
    started = time.perf_counter()
    compile_blocks([model], "always", DEVICE)
    with torch._dynamo.config.patch(automatic_dynamic_shapes=False):
        case = _step(model, samples=size, recorded=True)
        case()
    torch.cuda.synchronize()
    say(f"{name}, {size} samples: ready in {time.perf_counter() - started:.1f} s")
    return case


def _step(model: Any, **how: Any) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    return step(model, optimizer, **how)


def _compared(cases: dict[str, Callable[[], None]]) -> dict[str, Any]:
    times = interleaved(cases, ROUNDS, "steps", warmup=3)
    found = {}
    for name, taken in times.items():
        over = ratio(times, name, REFERENCE)
        found[name] = {
            "ms": {key: 1e3 * value for key, value in spread(taken).items() if key != "rounds"},
            "ratio": over,
        }
        say(f"step {name}: {1e3 * spread(taken)['median']:.1f} ms, {over['median']:.3f} x")
    return found


PARTS = {"attention": attention, "steps": steps, "samples": samples}


def main() -> None:
    """Measure, print as it goes, and write one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks-gpu.json"))
    parser.add_argument("--parts", nargs="+", choices=[*PARTS], default=[*PARTS])
    options = parser.parse_args()
    if DEVICE.type != "cuda":
        say("there is no GPU that torch can use: nothing is measured")
        return
    found: dict[str, Any] = {"environment": environment(), "measured": measured()}
    say(f"{found['environment']['device']}, torch {torch.__version__}, {HEADS} heads")
    if not installed("yaml"):
        say("PyYAML, which reads the variants, is not installed: attention alone is measured")
        options.parts = [part for part in options.parts if part == "attention"]
    for part in options.parts:
        found[part] = PARTS[part]()
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
