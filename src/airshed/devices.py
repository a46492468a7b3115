"""The devices of this machine, and a job's claim on some of them.

A job that uses devices takes locks of as many before torch looks for any, and shows torch no other
ones, so that jobs beside each other, of one snakemake or several, do not share a device. The kernel
frees the locks when the job ends, however it ends. In a job of SLURM nothing is claimed: SLURM
itself gives devices to jobs.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from airshed.errors import AirshedError

log = logging.getLogger(__name__)

CUDA = "CUDA_VISIBLE_DEVICES"
VISIBLE = ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", CUDA)  # what hides devices from torch
NVIDIA = ("proc/driver/nvidia/gpus/*", "dev/nvidia[0-9]*")  # a container may lack the first
AMD = "sys/class/kfd/kfd/topology/nodes/*/properties"
COMPUTES = re.compile(r"^simd_count [1-9]", re.MULTILINE)  # a node of AMD's that is no processor
POLL_S = 0.2
_locked: list[int] = []  # locks last as long as the process


@dataclass(frozen=True)
class Devices:
    """Devices that jobs of this machine take turns on.

    Attributes:
        ids: What torch knows them by; none on a machine without any, and in a job of SLURM.
        variable: The environment variable that shows some of them to torch.
    """

    ids: tuple[str, ...]
    variable: str = CUDA

    def refuse_more(self, count: int, where: object) -> None:
        """Refuse to share devices, or to take fewer than were asked for.

        Raises:
            AirshedError: There are devices, but fewer than are wanted.
        """
        if self.ids and count > len(self.ids):
            raise AirshedError(
                "a training asks for more devices than this machine has",
                where=where,
                expected=f"at most {len(self.ids)}",
                found=count,
                hint="lower jobs.devices (train.global_batch_size stays), or run on a cluster",
            )

    def claim(self, count: int) -> None:
        """Take devices for this process and those that it starts, until they end.

        It waits until as many are free at once: all or none, so that two jobs never wait for each
        other.

        Raises:
            AirshedError: There are fewer.
        """
        self.refuse_more(count, "--devices")
        folder, logged = _locks(), False
        while self.ids and not (taken := self._free(count, folder)):
            if not logged:
                log.info("waiting for %d of %d devices", count, len(self.ids))
            logged = True
            time.sleep(POLL_S)
        if self.ids:
            os.environ[self.variable] = ",".join(taken)

    def _free(self, count: int, folder: Path) -> list[str]:
        """Lock as many devices as are wanted; none if fewer are free."""
        taken: dict[str, int] = {}
        for name in self.ids:
            lock = os.open(
                folder / f"device-{name.replace('/', '_')}", os.O_RDWR | os.O_CREAT, 0o600
            )
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            taken[name] = lock
            if len(taken) == count:
                for lock in taken.values():
                    os.set_inheritable(lock, True)
                _locked.extend(taken.values())
                return list(taken)
        for lock in taken.values():
            os.close(lock)
        return []


def devices_here(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> Devices:
    """The devices that this machine shows to its jobs; asked without torch.

    Args:
        environment: May name the devices that are to be used, as for torch.
        root: Root of the file system in which the kernel lists them.
    """
    if "SLURM_JOB_ID" in environment:
        return Devices(())
    for variable in VISIBLE:
        if variable in environment:
            named = (name.strip() for name in environment[variable].split(","))
            return Devices(tuple(takewhile(lambda name: name not in ("", "-1"), named)), variable)
    count = max(len(list(root.glob(pattern))) for pattern in NVIDIA)
    for properties in root.glob(AMD):
        with suppress(OSError):
            count += bool(COMPUTES.search(properties.read_text(encoding="ascii")))
    return Devices(tuple(map(str, range(count))))


def _locks() -> Path:
    """The folder of locks, which belongs to this user alone.

    Raises:
        AirshedError: Another user has made it.
    """
    folder = Path(tempfile.gettempdir()) / f"airshed-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise AirshedError(
            "the folder for locks on devices belongs to another user",
            where=folder,
            hint="set TMPDIR to a folder of your own",
        )
    return folder
