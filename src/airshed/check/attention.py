"""Attention at the study's size: the chosen paths beside all keys of some queries, in float64."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, cast

import torch
from torch import Tensor

from airshed.assembly import precision_of
from airshed.attention_paths import described
from airshed.check.finding import Finding, broken, fine, slow, worst
from airshed.check.training import CheckedTraining, median_seconds
from airshed.model import bias as biases
from airshed.model.attention import (
    BiasedAttention,
    PlainAttention,
    Workload,
    biased_attention,
    choose,
    plain_attention,
)
from airshed.model.attention.choice import DENSE_TOKENS, TOLERANCES, moved, relative_errors
from airshed.model.bias import Bias
from airshed.model.geography import Fields

QUERIES = 64  # whose results are computed in float64 too
SLOW_ON_GPU = ("tiled", "dense")
Core = PlainAttention | BiasedAttention


class Problem(NamedTuple):
    """Random q, k, v [1, H, N, d], and the gradient of the output, 0 but for some queries."""

    qkv: list[Tensor]
    fields: Fields
    rows: Tensor
    given: Tensor


def attention(training: CheckedTraining) -> Finding:
    """Error and time of the paths that the training takes, with a bias and without."""
    study, variant = training.study, training.variant
    if not study.variant_stanzas[variant].attends():
        return fine(f"{variant} has no attention of all patches to all others")
    model, (rows, columns) = study.model, study.patch_grid
    size = (1, rows * columns, model.heads, model.dim // model.heads)
    workload = Workload(*size, precision_of(study), training.device)
    stanza = study.variant_stanzas[variant].bias_stanza()
    kinds: list[Bias | None] = [None]
    if stanza["kind"] != "none":
        kinds.append(biases.build(stanza, grid=study.patch_grid, num_heads=model.heads))
    found = [_of_kind(bias, workload, study.train.attention) for bias in kinds]
    return replace(worst(found), summary=", ".join(each.summary for each in found))


def _of_kind(bias: Bias | None, workload: Workload, wanted: str) -> Finding:
    core: Core
    if bias is None:
        core, what = plain_attention(workload), "without a bias"
    else:
        core, what = biased_attention(moved(bias), workload, wanted), f"with {type(bias).__name__}"
    core = core.to(workload.device)
    problem = _problem(core, workload)
    errors = _errors(core, problem)
    ms = 1e3 * median_seconds(lambda: _differentiated(core, problem))
    summary = f"{what} {core.path}: errors {errors[0]:.0e}, {errors[1]:.0e}, {ms:.3g} ms a sample"
    if not all(
        error < most for error, most in zip(errors, TOLERANCES[workload.dtype], strict=True)
    ):
        return broken(summary, "set train.attention to another path (docs/gpu.md)")
    fusible = bias is not None and bias.elementwise  # else tiles are all that there is
    on_gpu = workload.device.type == "cuda" and workload.tokens > DENSE_TOKENS
    if fusible and on_gpu and core.path in SLOW_ON_GPU:
        lacking = described(what, *choose(bias, workload)) if wanted == "auto" else summary
        return slow(f"{summary} ({lacking})", "install Triton for this GPU (docs/gpu.md)")
    return fine(summary)


def _learned(core: Core) -> list[torch.nn.Parameter]:
    return [] if core.bias is None else list(core.bias.parameters())


def _problem(core: Core, workload: Workload) -> Problem:
    samples, tokens, heads, width, dtype, device = workload
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device)

    shape = (samples, heads, tokens, width)
    qkv = [random(*shape).to(dtype).requires_grad_() for _ in range(3)]
    rows = torch.linspace(0, tokens - 1, min(QUERIES, tokens)).long().to(device)
    given = torch.zeros(shape, dtype=dtype, device=device)
    given[:, :, rows] = random(samples, heads, len(rows), width).to(dtype)
    wind = (size * random(samples, tokens) for size in (5, 5, 9))
    fields = Fields.in_raster_order(2000 * random(samples, tokens).abs(), *wind)
    return Problem(qkv, cast(Fields, core.order(fields).fields(fields)), rows, given)


def _differentiated(core: Core, problem: Problem) -> list[Tensor]:
    """Output, and gradients of q, k, v and what the bias learns."""
    out = core(*problem.qkv, problem.fields)
    return [out, *torch.autograd.grad(out, [*problem.qkv, *_learned(core)], problem.given)]


def _in_double(core: Core, problem: Problem) -> list[Tensor]:
    """The same of the chosen queries, by the definition."""
    q, k, v = (part.detach().double().requires_grad_() for part in problem.qkv)
    scores = q[:, :, problem.rows] @ k.mT * q.shape[-1] ** -0.5
    if core.bias is not None:
        features = core.bias.features(problem.fields).detach()
        scores = scores + core.bias.tile(features[:, :, problem.rows], features).double()
    out = scores.softmax(-1) @ v
    given = problem.given[:, :, problem.rows].double()
    return [out, *torch.autograd.grad(out, [q, k, v, *_learned(core)], given)]


def _errors(core: Core, problem: Problem) -> tuple[float, float]:
    """Largest relative error of output and gradients, and of the gradients of what is learned."""
    found = _differentiated(core, problem)
    found[0] = found[0][:, :, problem.rows]
    results = ([part.detach().double() for part in of] for of in (found, _in_double(core, problem)))
    return relative_errors(*results)
