"""Which processes train together, who starts them, and how they find each other.

Under ``srun`` with several tasks SLURM has started them, one per device. Without it a first process
starts one per device of its machine and waits for them.

``torchrun`` would start them too, but listens on every address, ends with 1 where a training was
interrupted, and dies of SIGUSR1 without passing it on; Lightning Fabric's launcher kills all
processes once one has ended with another code than 0, in the midst of saving.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from airshed.errors import AirshedError
from airshed.training.stopping import EXIT_INTERRUPTED, STOP_SIGNALS

log = logging.getLogger(__name__)

PARENT = "AIRSHED_LAUNCHER_PID"  # the launcher of a process, which ends when that is gone
LOOPBACK = "127.0.0.1"
POLL_S = 0.1
GRACE_S = 15.0  # for the others to end by themselves once one has failed


@dataclass(frozen=True)
class Processes:
    """Nodes, and devices of each; one process per device."""

    nodes: int = 1
    devices: int = 1

    @property
    def count(self) -> int:
        """How many processes train together."""
        return self.nodes * self.devices

    def started_by_slurm(self, environment: Mapping[str, str]) -> bool:
        """Whether ``srun`` has started all processes.

        Raises:
            AirshedError: It has started another number of tasks than there are devices.
        """
        tasks = int(environment.get("SLURM_STEP_NUM_TASKS", 1))
        if tasks > 1 and tasks != self.count:
            raise AirshedError(
                "srun has started another number of tasks than there are devices to train on",
                where=f"--nodes {self.nodes} --devices {self.devices}",
                expected=f"{self.count} tasks, {self.devices} on each node",
                found=f"{tasks} tasks",
                hint=f"srun --nodes={self.nodes} --ntasks={self.count}"
                f" --ntasks-per-node={self.devices}, or other --nodes and --devices",
            )
        if self.nodes > 1 and tasks == 1:
            raise AirshedError(
                "a training on several nodes has to be started by srun, once per device",
                where=f"--nodes {self.nodes} --devices {self.devices}",
                hint=f"srun --nodes={self.nodes} --ntasks={self.count}"
                f" --ntasks-per-node={self.devices} airshed train ...",
            )
        return tasks > 1

    def to_be_started_here(self, environment: Mapping[str, str]) -> bool:
        """Whether this process has to start the ones that train, on its own machine."""
        started = "LOCAL_RANK" in environment or self.started_by_slurm(environment)
        return self.count > 1 and not started


def run_processes(count: int, command: Sequence[str]) -> int:
    """Run a command once per device of this machine, and wait.

    Signals that ask a training to stop are passed on. Once a process has failed, the others get
    some time to notice it; then they are killed, because they may wait for it in vain.

    Returns:
        The exit code: 0 if all are done, that of an interruption if all that are not were
        interrupted, else 1.
    """
    common = {
        "MASTER_ADDR": LOOPBACK,
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(count),
        "NODE_RANK": "0",
        PARENT: str(os.getpid()),
    }
    running: list[subprocess.Popen[bytes]] = []
    asked: list[int] = []

    def pass_on(signum: int, _: FrameType | None) -> None:
        asked.append(signum)
        for process in running:
            process.send_signal(signum)

    for number in STOP_SIGNALS:
        signal.signal(number, pass_on)
    for rank in range(count):
        environment = os.environ | common | {"LOCAL_RANK": str(rank)}
        # what this process has locked stays locked until they too have ended
        running.append(subprocess.Popen(command, env=environment, close_fds=False))
        for early in asked:  # while they were being started
            running[-1].send_signal(early)
    codes = _wait_for(running)
    stopped = {EXIT_INTERRUPTED, *(-number for number in asked)}
    if set(codes) <= {0, *stopped}:
        return EXIT_INTERRUPTED if stopped & set(codes) else 0
    for rank, code in enumerate(codes):
        log.error("process %d of %d ended with code %d", rank, count, code)
    return 1


def _wait_for(running: list[subprocess.Popen[bytes]]) -> list[int]:
    failed_at: float | None = None
    while any(process.poll() is None for process in running):
        failed = any(process.poll() not in (None, 0, EXIT_INTERRUPTED) for process in running)
        if failed and failed_at is None:
            failed_at = time.monotonic()
        if failed_at is not None and time.monotonic() - failed_at > GRACE_S:
            for process in running:
                process.kill()
        time.sleep(POLL_S)
    return [process.wait() for process in running]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
