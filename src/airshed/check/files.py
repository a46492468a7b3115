"""The file system of the results: free room, locks, and names that a complete file gets."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from airshed.check.finding import Finding, broken, fine, slow
from airshed.check.training import CheckedTraining
from airshed.cluster.plan import most_store_bytes
from airshed.errors import refusing
from airshed.graph.places import Places
from airshed.integrity.atomic import write_text
from airshed.training.fabric import result_of_first

NUMBER_BYTES = 4
STATES = 2  # the last state of a training and the one before
NUMBERS_OF_A_STATE = 3  # a weight, and two moments of its gradient
LATENCY_S = 60.0  # `latency-wait` of the profiles: so long Snakemake waits for a file
SLOW_TO_SEE_S = 5.0
SLOW_TO_WRITE_S = 1.0
POLL_S = 0.05
ANOTHER_PLACE = "put results (a link will do) on a file system that all nodes share"
WITH_LOCKS = "mount it with locks for all nodes (Lustre: flock), or " + ANOTHER_PLACE
OLD, NEW = "old", "new"


def disk(training: CheckedTraining) -> Finding:
    """Room for the hourly fields and the checkpoints of all trainings at once."""
    study, free = training.study, shutil.disk_usage(training.results).free
    trainings = len(study.variants) * len(study.seeds)
    checkpoint = 1 + STATES * NUMBERS_OF_A_STATE  # the best weights beside the states
    needed = trainings * checkpoint * NUMBER_BYTES * training.parameters
    if not Places(study, training.results).hourly.exists():
        needed += most_store_bytes(study.dataset)
    summary = (
        f"{free / 1e9:,.1f} GB free, at most {needed / 1e9:,.2f} GB for hourly fields and"
        f" checkpoints of {trainings} trainings (a quota is not seen)"
    )
    if free < needed:
        return broken(summary, "make room, or put results (a link will do) on a larger disk")
    return fine(summary)


def locks(training: CheckedTraining) -> Finding:
    """A file that the first process has locked is locked for all processes on all machines."""
    path = training.probes / "lock"
    holder = result_of_first(training.fabric, partial(_locked, path))
    taken = training.together(partial(_can_be_locked, path))
    if training.fabric.is_global_zero:
        os.close(holder)
    if any(taken):
        return broken("a file that one process has locked can be locked by another", WITH_LOCKS)
    return fine("a file locked by one process is locked for all")


def _locked(path: Path) -> int:
    """A descriptor of a file that it has locked."""
    with refusing(OSError, what="a file cannot be locked", where=path, hint=WITH_LOCKS):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _can_be_locked(path: Path) -> bool:
    """Whether a file can be locked here."""
    other = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(other)
    return True


def renames(training: CheckedTraining) -> Finding:
    """A file that is replaced is seen by all processes, and never half of it."""
    path = training.probes / "renamed"
    result_of_first(training.fabric, partial(write_text, path, OLD))
    wrote_s = result_of_first(training.fabric, partial(_seconds_to_replace, path))
    seen_s = max(training.together(partial(_seconds_until_seen, path)))
    if training.fabric.is_global_zero:
        shutil.rmtree(training.probes)
    if seen_s >= LATENCY_S:
        return broken(f"a replaced file is not seen within {LATENCY_S:.0f} s", ANOTHER_PLACE)
    summary = f"a file is written and named in {1e3 * wrote_s:.3g} ms, seen {seen_s:.1f} s later"
    if wrote_s > SLOW_TO_WRITE_S or seen_s > SLOW_TO_SEE_S:
        return slow(summary, "put results on a file system that is less busy")
    return fine(summary)


def _seconds_to_replace(path: Path) -> float:
    started = time.perf_counter()
    write_text(path, NEW)
    return time.perf_counter() - started


def _seconds_until_seen(path: Path) -> float:
    """How long the new content takes to be there; LATENCY_S at most."""
    started = time.monotonic()
    while (waited := time.monotonic() - started) < LATENCY_S:
        with suppress(FileNotFoundError):
            if path.read_text(encoding="utf-8") == NEW:
                return waited
        time.sleep(POLL_S)
    return LATENCY_S
