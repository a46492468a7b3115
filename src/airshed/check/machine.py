"""Devices, precision and compiler."""

from __future__ import annotations

import math
import os
import socket
from collections import Counter
from functools import partial
from typing import NamedTuple

import torch

from airshed.check.finding import Finding, broken, fine, slow
from airshed.check.training import CheckedTraining, median_seconds
from airshed.devices import devices_here
from airshed.integrity.provenance import processor
from airshed.training.compilation import CPU_TOKENS, lacking_compiler

SIZES = {"cpu": 512, "cuda": 4096}  # rows and columns of the matrices that are multiplied
LARGEST_ERROR = {torch.float32: 1e-5, torch.bfloat16: 1e-2}  # of the norm; TF32 would give 3e-4


class Place(NamedTuple):
    """Where a process runs; ``unit`` identifies one of several devices of a kind."""

    host: str
    device: str
    unit: str
    cores: frozenset[int]


def devices(training: CheckedTraining) -> Finding:
    """Whether each process has a device and cores of its own, all of one kind."""
    places, threads = training.gathered(_place(training.device)), training.settings.threads
    kinds = Counter(place.device for place in places)
    cores = {place.host: set[int]() for place in places}
    for place in places:
        cores[place.host] |= place.cores
    least = min(map(len, cores.values()))
    wanted = threads * training.processes.devices
    summary = (
        ", ".join(f"{count} x {kind}" for kind, count in kinds.items())
        + f"; machines: {len(cores)}, cores of each: {least} for {wanted} threads"
    )
    on_gpu = training.device.type == "cuda"
    outside = {name: value for name, value in os.environ.items() if name != "SLURM_JOB_ID"}
    there = len(devices_here(outside).ids)
    if not on_gpu and training.settings.accelerator == "auto" and there:
        return broken(
            f"torch uses none of the {there} GPUs that the kernel lists: {summary}",
            "install the build of torch for this machine (docs/gpu.md), or set train.accelerator",
        )
    if on_gpu and len({place[:3] for place in places}) < len(places):
        return broken(
            f"two processes share a device: {summary}",
            "ask for as many devices on each machine as jobs.devices says (gres in site.yaml)",
        )
    if least < wanted:
        return slow(summary, "ask for more cores a process, or lower train.threads")
    if len(kinds) > 1:
        return slow(summary, "name nodes of one kind (constraint in site.yaml): each step waits")
    return fine(summary)


def _place(device: torch.device) -> Place:
    host, cores = socket.gethostname(), frozenset(os.sched_getaffinity(0))
    if device.type == "cpu":
        return Place(host, processor(), "", cores)
    facts = torch.cuda.get_device_properties(device)
    name = f"{facts.name} with {facts.total_memory / 1e9:.0f} GB"
    return Place(host, name, str(facts.uuid), cores)


def precision(training: CheckedTraining) -> Finding:
    """Products of matrices, as the training computes them, beside double precision."""
    chosen = training.settings.precision
    dtype = torch.bfloat16 if chosen == "bf16-mixed" else torch.float32
    generator, size = torch.Generator().manual_seed(0), SIZES[training.device.type]
    pair = [torch.randn(size, size, generator=generator).to(training.device) for _ in range(2)]
    low = [part.to(dtype) for part in pair]
    exact = (low[0].double() @ low[1].double()).cpu()
    error = float(((low[0] @ low[1]).double().cpu() - exact).norm() / exact.norm())
    took, full = (median_seconds(partial(torch.matmul, *parts)) for parts in (low, pair))
    speed = 2 * size**3 / took / 1e12
    summary = f"{chosen}: products deviate by {error:.0e}, {speed:.3g} Tflop/s"
    if not error < LARGEST_ERROR[dtype]:
        return broken(
            summary,
            f"at most {LARGEST_ERROR[dtype]:.0e} is right: look at the driver and at the device",
        )
    if dtype != torch.float32 and took > full:
        return slow(
            f"{summary}, {full / took:.2g} of the speed in 32 bits", "set train.precision: 32-true"
        )
    return fine(summary)


def compiler(training: CheckedTraining) -> Finding:
    """Whether blocks can be compiled, where that is wanted and gains time."""
    mode, tokens = training.settings.compile, math.prod(training.study.patch_grid)
    if mode == "never":
        return fine("not wanted (train.compile: never)")
    if mode == "auto" and training.device.type == "cpu" and tokens < CPU_TOKENS:
        return fine(f"not needed: on a CPU it gains nothing for {tokens} patches")
    lacking = lacking_compiler(training.device)
    if lacking is None:
        return fine("blocks are compiled")
    todo = "install g++ for a CPU, or triton and a C compiler for a GPU"
    if mode == "always":
        return broken(lacking, f"{todo}, or set train.compile: auto")
    return slow(f"blocks are not compiled: {lacking}", todo)
