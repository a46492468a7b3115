"""Every attention path on this machine's GPU against float64: ``make test-gpu``.

Needs torch with Triton and this package's source, nothing else. Prints a line for each case, and
fails if one is off; without a GPU it says so and ends.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import NamedTuple

import torch
from torch import Tensor

from airshed.errors import brief
from airshed.model import bias as biases
from airshed.model.attention import Workload, biased_attention, choice, plain_attention
from airshed.model.geography import Fields
from airshed.training.determinism import ask_for_determinism

HEADS = 2
# of the norm: output and gradients of q, k, v; what a bias learns, sums that nearly cancel
TOLERANCES = {torch.float32: (1e-5, 1e-3), torch.bfloat16: (4e-3, 5e-2)}


class Case(NamedTuple):
    """One bias by one path, on a patch grid, with heads of a width, in a precision."""

    kind: str
    path: str
    grid: tuple[int, int]
    width: int
    dtype: torch.dtype

    def __str__(self) -> str:
        """The case in a line."""
        precision = str(self.dtype).removeprefix("torch.")
        return f"{self.kind}, {self.path}, {self.grid}, width {self.width}, {precision}"


def cases() -> Iterator[Case]:
    """All paths; sizes that fit the tiles, and sizes that fit nothing; every usual head width."""
    even, odd = (24, 40), (23, 37)
    for kind, cls in [("none", None), *biases.KINDS.items()]:
        if cls is None or cls.tile_function is not None:
            yield Case(kind, "kernel", even, 96, torch.bfloat16)
            yield Case(kind, "kernel", odd, 96, torch.float32)
        if cls is not None and cls.elementwise:
            yield Case(kind, "fused", even, 64, torch.bfloat16)
        if cls is not None:
            yield Case(kind, "tiled", odd, 64, torch.bfloat16)
        if cls is not None and not cls.elementwise:  # perceptrons; the choice must leave a path
            yield Case(kind, "tiled_bfloat16", odd, 64, torch.bfloat16)
            yield Case(kind, "auto", odd, 64, torch.bfloat16)
    for width, dtype in ((64, torch.bfloat16), (80, torch.float32), (128, torch.bfloat16)):
        yield Case("barrier", "kernel", odd, width, dtype)
    yield Case("topoflow", "kernel", odd, 128, torch.bfloat16)


def differentiated(case: Case) -> tuple[list[Tensor], list[Tensor]]:
    """Output and gradients by the path, and in float64."""
    torch.manual_seed(0)
    ask_for_determinism()  # as in trainings
    tokens, cuda = case.grid[0] * case.grid[1], torch.device("cuda")
    workload = Workload(2, tokens, HEADS, case.width, case.dtype, cuda)
    if case.kind == "none":
        core, learned = plain_attention(workload, case.path), []
    else:
        bias = biases.build({"kind": case.kind}, grid=case.grid, num_heads=HEADS).to(cuda)
        for parameter in bias.parameters():
            parameter.data += 0.3 * torch.randn_like(parameter)
        core, learned = biased_attention(bias, workload, case.path), list(bias.parameters())
    size = (2, tokens, 3, HEADS, case.width)
    qkv = torch.randn(size, device=cuda, dtype=case.dtype).permute(2, 0, 3, 1, 4)
    q, k, v = (part.detach().requires_grad_() for part in qkv)
    given = torch.randn_like(q)
    elevation_m = (6 * torch.randn(2, tokens, device=cuda).abs()).round().clamp(max=12) * 500
    wind = (size * torch.randn(2, tokens, device=cuda) for size in (5, 5, 9))
    fields = Fields.in_raster_order(elevation_m, *wind)
    fields = core.order(fields).fields(fields)  # as the network sorts them
    out = core(q, k, v, fields)
    found = [out, *torch.autograd.grad(out, [q, k, v, *learned], given)]

    exact = [part.detach().double().requires_grad_() for part in (q, k, v)]
    scores = exact[0] @ exact[1].mT * case.width**-0.5
    if core.bias is not None:
        features = core.bias.features(fields)
        scores = scores + core.bias.tile(features, features).double()
    out = scores.softmax(-1) @ exact[2]
    return found, [out, *torch.autograd.grad(out, [*exact, *learned], given.double())]


def checked(case: Case) -> tuple[Case, str, bool]:
    """What a case gave, and whether that is right."""
    started = time.perf_counter()
    try:
        found, expected = differentiated(case)
        again, _ = differentiated(case)
    except Exception as error:  # whatever a compiler may raise
        # FlexAttention's own limits leave other paths; the choice of paths tells of them
        return case, f"lacking: {brief(error)}", case.path == "fused"
    # some sums are 0: adding one number to all scores of a query changes nothing
    # (the last bias of a perceptron, say): what is found there is the rounding of large sums
    share = {torch.float32: 1e-2, torch.bfloat16: 1e-1}[case.dtype]
    largest = max(float(part.detach().norm()) for part in expected)
    least = [1e-6] * 4 + [share * largest] * len(expected)
    errors = [
        ((one.double() - other).norm() / other.double().norm().clamp(min=floor)).item()
        for one, other, floor in zip(found, expected, least, strict=False)
    ]
    rough = case.path in ("tiled_bfloat16", "auto")
    limits = choice.TOLERANCES[case.dtype] if rough else TOLERANCES[case.dtype]
    right = max(errors[:4]) < limits[0] and max(errors[4:], default=0) < limits[1]
    same = all(torch.equal(*pair) for pair in zip(found, again, strict=True))
    if case.path == "kernel" and not same:
        return case, "two runs differ", False
    took = time.perf_counter() - started
    return case, f"{' '.join(f'{error:.0e}' for error in errors)}  ({took:.0f} s)", right


def main() -> int:
    """Check all cases, several at a time, since compiling takes most of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=min(12, os.cpu_count() or 1))
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("there is no GPU that torch can use: nothing is checked")
        return 0
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}: relative errors", flush=True)
    wrong = 0
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(checked, case) for case in cases()]):
            case, line, right = done.result()
            wrong += not right
            print(f"{'ok   ' if right else 'WRONG'} {case}: {line}", flush=True)
    print(f"{wrong} wrong" if wrong else "all are exact", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
