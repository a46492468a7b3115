"""``airshed check`` in two processes of this machine, one of which computes something else."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from forked import forked, preload
from tiny_runs import loopback_places

from airshed.check import files, machine
from airshed.check.run import findings
from airshed.config import Study
from airshed.training.processes import Processes

LIMIT_S = 60
preload("airshed.check.run")


def check_in_two_processes(study: Study, variant: str, folder: Path) -> None:
    """Each writes its lines into ``folder``.

    The second finds its products of matrices wrong, and meets an error where the first waits.
    """
    running = [
        forked(_check, study, variant, rank, place, folder)
        for rank, place in enumerate(loopback_places(2))
    ]
    for process in running:
        process.start()
    for process in running:
        process.join(LIMIT_S)
        process.kill()


def _check(study: Study, variant: str, rank: int, place: dict[str, str], folder: Path) -> None:
    os.environ |= place
    logging.disable()
    if rank == 1:
        machine.LARGEST_ERROR = dict.fromkeys(machine.LARGEST_ERROR, 0.0)
        files._can_be_locked = _refuse
    found = findings(study, variant, Processes(devices=2), folder / "results")
    lines = [finding.line(name) for name, finding in found]
    (folder / f"{rank}.txt").write_text("\n".join(lines), encoding="utf-8")


def _refuse(path: Path) -> bool:
    raise PermissionError(f"no locks at {path.name}")
