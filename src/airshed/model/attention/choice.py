"""Which attention path suits a problem, by exactness and time on the device itself."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from airshed.attention_paths import described
from airshed.errors import AirshedError, brief
from airshed.model.attention.cache import cache, cached
from airshed.model.attention.paths import (
    BiasedAttention,
    CudnnAttention,
    DenseAttention,
    Flash4Attention,
    FlashAttention,
    FusedAttention,
    HalfTiledAttention,
    KernelAttention,
    PlainAttention,
    PlainKernelAttention,
    SmallKernelAttention,
    TiledAttention,
)
from airshed.model.attention.workload import Workload
from airshed.model.bias import Bias
from airshed.model.geography import Fields

log = logging.getLogger(__name__)

AUTO = "auto"
DENSE_TOKENS = 128  # up to so many tokens the dense path is the cheapest one
ROUNDS = 5
# Of the norm of a result: of output and gradients of q, k and v, and of what a bias learns, sums
# that nearly cancel: in bfloat16 a strength's is good to some 20 %.
TOLERANCES = {torch.float32: (1e-3, 2e-2), torch.bfloat16: (2e-2, 3e-1)}
LEAST_SHARE = 0.05  # of the largest norm: some sums are 0, as of what is added to all scores
MOVED = 0.3  # by about so much what a bias learns is moved, which begins with no effect, mostly
BIASED: dict[str, type[BiasedAttention]] = {
    "kernel": KernelAttention,
    "kernel_small": SmallKernelAttention,
    "fused": FusedAttention,
    "tiled": TiledAttention,
    "tiled_bfloat16": HalfTiledAttention,
    "dense": DenseAttention,
}
PLAIN: dict[str, type[PlainAttention]] = {
    cls.path: cls
    for cls in (
        PlainAttention,
        CudnnAttention,
        FlashAttention,
        Flash4Attention,
        PlainKernelAttention,
    )
}


class Choice(NamedTuple):
    """A path, and what was found of each candidate: ``ms`` and ``error``, or ``lacking``.

    Nothing is found where there is nothing to choose.
    """

    path: str
    found: dict[str, dict[str, Any]]


class Paths(NamedTuple):
    """Paths by name: of blocks without a bias, and of blocks with one."""

    plain: str = AUTO
    biased: str = AUTO


def biased_attention(bias: Bias, workload: Workload, path: str = AUTO) -> BiasedAttention:
    """Attention with a bias by the path that suits the problem, or by the one that is asked for.

    Raises:
        AirshedError: The path that is asked for cannot compute this bias there.
    """
    if path == AUTO:
        path = choose(bias, workload).path
    else:
        _refuse(path, BIASED[path].lacking(bias, workload))
    return BIASED[path](bias)


def plain_attention(workload: Workload, path: str = AUTO) -> PlainAttention:
    """Attention without a bias, likewise."""
    if path == AUTO:
        path = choose(None, workload).path
    elif path in PLAIN:
        _refuse(path, PLAIN[path].lacking(workload))
    return PLAIN.get(path, PlainAttention)()


def choose(bias: Bias | None, workload: Workload) -> Choice:
    """The fastest path that is exact, on a GPU as measured there and cached for the next time.

    Paths are compared with the tiled one, in float32, at the size of the problem: output, the
    gradients of q, k and v, and those of what the bias learns.
    """
    if bias is not None and workload.tokens <= DENSE_TOKENS:
        return Choice(DenseAttention.path, {})
    if workload.device.type == "cpu":
        return Choice(PlainAttention.path if bias is None else TiledAttention.path, {})
    known = cached(bias, workload)
    if known is None:
        known = _measured(bias, workload)
        cache(bias, workload, known)
    what = "attention without a bias" if bias is None else f"attention with {type(bias).__name__}"
    log.info("%s", described(what, known["path"], known["found"]))
    return Choice(known["path"], known["found"])


def _refuse(path: str, reason: str | None) -> None:
    if reason is not None:
        raise AirshedError(
            "attention cannot be computed by the path that is asked for",
            where="train.attention",
            expected=path,
            found=reason,
            hint="name another path, or leave it at auto, which takes the fastest that is exact;"
            " a training that began with this path: remove attention.json in its checkpoints/",
        )


def _lacking(path: str, bias: Bias | None, workload: Workload) -> str | None:
    """Why a path is no candidate, before anything is tried."""
    if bias is None:
        return PLAIN[path].lacking(workload)
    return BIASED[path].lacking(bias, workload)


def _suit_large_tiles() -> bool:
    """Whether this is the kind of card on which the large tiles were found to be the fastest.

    An MI250 has the same number, by AMD's own count.
    """
    nvidia = torch.cuda.is_available() and torch.version.hip is None
    return nvidia and torch.cuda.get_device_capability() == (9, 0)


def _measured(bias: Bias | None, workload: Workload) -> dict[str, Any]:
    log.info("attention paths are compared on this device, once for this size")
    one = workload._replace(samples=1)
    reference = _results(_core(TiledAttention.path, bias), one, torch.float32, bias)
    found: dict[str, dict[str, Any]] = {}
    names = PLAIN if bias is None else [path for path in BIASED if path != DenseAttention.path]
    for path in names:
        lacking = _lacking(path, bias, workload)
        if path == SmallKernelAttention.path and _suit_large_tiles() and "ms" in found["kernel"]:
            lacking = "large tiles suit this card"
        found[path] = {"lacking": lacking} if lacking else _tried(path, bias, workload, reference)
    exact = {path: facts["ms"] for path, facts in found.items() if "ms" in facts}
    if not exact:
        raise AirshedError(
            "no attention path works on this device",
            where=str(workload.device),
            found="; ".join(f"{path}: {facts['lacking']}" for path, facts in found.items()),
            hint="docs/gpu.md says how to check the installation",
        )
    return {"path": min(exact, key=exact.__getitem__), "found": found}


def _tried(
    path: str, bias: Bias | None, workload: Workload, reference: list[Tensor]
) -> dict[str, Any]:
    """Time and largest relative error of a path, or what is wrong with it."""
    try:
        core = _core(path, bias)
        found = _results(core, workload._replace(samples=1), workload.dtype, bias)
        worst = relative_errors(found, reference)
        allowed = TOLERANCES[workload.dtype]
        if not all(error < most for error, most in zip(worst, allowed, strict=True)):
            return {"lacking": f"deviates by {worst[0]:.1e}, what it learns by {worst[1]:.1e}"}
        problem = _problem(workload, workload.dtype, bias)
        ms = median_ms(lambda: _differentiated(core, *problem))
    except Exception as met:  # whatever a compiler may raise
        return {"lacking": brief(met)}
    return {"ms": ms, "error": worst[0], "error_learned": worst[1]}


def relative_errors(found: list[Tensor], expected: list[Tensor]) -> tuple[float, float]:
    """Largest error, of the norm: of output and gradients of q, k and v; of what is learned."""
    norms = [float(part.norm()) for part in expected]
    least = [1e-12] * 4 + [LEAST_SHARE * max(norms)] * (len(norms) - 4)
    errors = [
        float((one - other).norm()) / max(norm, floor)
        for one, other, norm, floor in zip(found, expected, norms, least, strict=True)
    ]
    return max(errors[:4]), max(errors[4:], default=0.0)


def moved(bias: Bias) -> Bias:
    """A copy whose parameters are not where they begin, so that what they learn counts."""
    generator, bias = torch.Generator().manual_seed(0), copy.deepcopy(bias)
    for parameter in bias.parameters():
        by = MOVED * torch.randn(parameter.shape, generator=generator)
        parameter.data += by.to(parameter.device)
    return bias


def _core(path: str, bias: Bias | None) -> PlainAttention | BiasedAttention:
    if bias is None:
        return PLAIN.get(path, PlainAttention)()
    return BIASED[path](moved(bias))


def _problem(
    workload: Workload, dtype: torch.dtype, bias: Bias | None
) -> tuple[list[Tensor], Tensor, Fields]:
    """Random q, k, v, the gradient of the output, and terrain that rises with the place."""
    samples, tokens, heads, width, _, device = workload
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device)

    qkv = random(samples, tokens, 3, heads, width).to(dtype).permute(2, 0, 3, 1, 4)
    given = random(samples, tokens, heads, width).to(dtype).transpose(1, 2)
    elevation_m = 2000 * random(1, tokens).sort().values
    wind = (size * random(1, tokens) for size in (5, 5, 9))
    fields = (field.expand(samples, -1) for field in (elevation_m, *wind))
    return [part.detach().requires_grad_() for part in qkv], given, Fields.in_raster_order(*fields)


def _differentiated(
    core: PlainAttention | BiasedAttention, qkv: list[Tensor], given: Tensor, fields: Fields
) -> list[Tensor]:
    out = core(*qkv, fields)
    learnable = [] if core.bias is None else list(core.bias.parameters())
    return [out, *torch.autograd.grad(out, [*qkv, *learnable], given)]


def _results(
    core: PlainAttention | BiasedAttention,
    workload: Workload,
    dtype: torch.dtype,
    bias: Bias | None,
) -> list[Tensor]:
    """Output and gradients in a precision, of the same problem for every path."""
    qkv, given, fields = _problem(workload, workload.dtype, bias)
    qkv = [part.detach().to(dtype).requires_grad_() for part in qkv]
    found = _differentiated(core.to(workload.device), qkv, given.to(dtype), fields)
    return [part.detach().float() for part in found]


def median_ms(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median time of the device for one call, ms, calls following each other closely."""
    work()
    event_of: Callable[..., torch.cuda.Event] = torch.cuda.Event
    events = [event_of(enable_timing=True) for _ in range(rounds + 1)]
    for event in events[:-1]:
        event.record()
        work()
    events[-1].record()
    torch.cuda.synchronize()
    times = [start.elapsed_time(end) for start, end in pairwise(events)]
    return sorted(times)[rounds // 2]
