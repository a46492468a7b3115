"""All checks in their order: each process makes them, and the first reports what is worst."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from airshed.check.attention import attention
from airshed.check.exchange import NETWORK, exchange
from airshed.check.files import ANOTHER_PLACE, disk, locks, renames
from airshed.check.finding import Finding, attempted, broken, fine, of_error, worst
from airshed.check.machine import compiler, devices, precision
from airshed.check.slurm import slurm
from airshed.check.step import step
from airshed.check.training import CheckedTraining
from airshed.config import Study
from airshed.errors import AirshedError, brief
from airshed.training.fabric import launch_fabric
from airshed.training.processes import Processes

TIMEOUT_MIN = 2.0  # half of what a process waits for another
DRIVER = "see docs/gpu.md, or ask those who run the machine"


class Check(NamedTuple):
    """One check.

    Attributes:
        run: What makes it.
        todo: What to do where an error of another library does not say it.
        everywhere: Whether all processes make it together, or the first alone.
    """

    run: Callable[[CheckedTraining], Finding]
    todo: str
    everywhere: bool = True


CHECKS = {
    "devices": Check(devices, DRIVER),
    "precision": Check(precision, DRIVER),
    "compiler": Check(compiler, DRIVER, everywhere=False),
    "attention": Check(attention, DRIVER, everywhere=False),
    "exchange": Check(exchange, NETWORK),
    "step": Check(step, DRIVER),
    "locks": Check(locks, ANOTHER_PLACE),
    "renames": Check(renames, ANOTHER_PLACE),
    "disk": Check(disk, ANOTHER_PLACE, everywhere=False),
    "slurm": Check(lambda training: slurm(training.study), "correct site.yaml", everywhere=False),
}


def findings(
    study: Study, variant: str, processes: Processes, results: Path
) -> Iterator[tuple[str, Finding]]:
    """Name and finding of one check after another, the same in all processes, which all call it."""
    own = study.for_variant(variant)
    settings = own.train.model_copy(update={"timeout_min": TIMEOUT_MIN})
    try:
        fabric = launch_fabric(settings, processes)
    except AirshedError as error:
        yield "devices", of_error(error, DRIVER)
        return
    results.mkdir(parents=True, exist_ok=True)
    training = CheckedTraining(own, variant, processes, fabric, results)
    for name, check in CHECKS.items():
        found = fine("")
        if check.everywhere or fabric.is_global_zero:
            found = attempted(partial(check.run, training), check.todo)
        try:
            everywhere = training.gathered(found)
        except Exception as error:  # of the network, whatever it is
            yield "exchange", broken(f"processes do not reach each other: {brief(error)}", NETWORK)
            return
        yield name, _of_all(everywhere)


def _of_all(everywhere: list[Finding]) -> Finding:
    """What the first process found; what is worse elsewhere, with the process that found it."""
    found = worst(everywhere)
    rank = everywhere.index(found)
    return found if rank == 0 else replace(found, summary=f"process {rank}: {found.summary}")
