"""Timing side by side, peak memory in fresh processes, and what the machine is."""

from __future__ import annotations

import logging
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from airshed.integrity.provenance import code_commit, processor

log = logging.getLogger(__name__)
Times = dict[str, list[float]]


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes, the device's queue included."""
    synchronise()
    started = time.perf_counter()
    work()
    synchronise()
    return time.perf_counter() - started


def synchronise() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def interleaved(
    cases: Mapping[str, Callable[[], object]], rounds: int, what: str, warmup: int = 1
) -> Times:
    """Seconds of every case in every round; a slow spell of the machine hits all cases alike.

    Every second round runs backwards, so that a machine that slows down or warms up steadily
    favours no case.
    """
    times: Times = {name: [] for name in cases}
    names = list(cases)
    for number in range(-warmup, rounds):
        for name in names[:: -1 if number % 2 else 1]:
            taken = seconds(cases[name])
            if number >= 0:
                times[name].append(taken)
        log.info("%s: %s", what, f"round {number + 1} of {rounds}" if number >= 0 else "warmed up")
    return times


def spread(values: list[float]) -> dict[str, float]:
    """Median, smallest, largest and count."""
    return {
        "median": round(statistics.median(values), 5),
        "min": round(min(values), 5),
        "max": round(max(values), 5),
        "rounds": len(values),
    }


def ratio(times: Times, name: str, over: str) -> dict[str, float]:
    """Spread over the rounds of one case's time over another's."""
    return spread([a / b for a, b in zip(times[name], times[over], strict=True)])


def peak_mb(function: Callable[..., Any], *arguments: Any) -> float:
    """Peak memory, MB, that a call in a fresh process adds; of the GPU if there is one."""
    peak: float = in_fresh_process(_peak_mb, function, arguments)
    return peak


def in_fresh_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a call returns in a process of its own, with as many threads.

    It is forked from one that has imported what trainings need and has computed nothing.
    """
    fresh = multiprocessing.get_context("forkserver")
    fresh.set_forkserver_preload(["airshed.bench.variants"])
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:  # unlike a Pool, notices its death
        return pool.submit(_called, torch.get_num_threads(), function, arguments).result()


def _called(threads: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    torch.set_num_threads(threads)
    return function(*arguments)


def _peak_mb(function: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    work = function(*arguments)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        work()
        return torch.cuda.max_memory_allocated() / 1e6
    before = status_mb("VmRSS")
    work()
    return status_mb("VmHWM") - before


def status_mb(key: str, process: int | str = "self") -> float:
    """A size that the kernel states of a process, MB: ``VmRSS`` now, ``VmHWM`` at its largest."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return float(next(line for line in lines if line.startswith(key)).split()[1]) / 1e3


def environment() -> dict[str, Any]:
    """Machine and versions."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    cpu = processor()
    return {
        "device": gpu or cpu,
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def measured() -> dict[str, Any]:
    """When, and with which code, a part was measured."""
    return {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **asdict(code_commit())}
