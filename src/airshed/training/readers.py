"""Processes that read samples for a training, and what is said when one fails or dies."""

from __future__ import annotations

import signal
from collections.abc import Generator
from multiprocessing.connection import wait
from typing import Any

from torch.utils.data import DataLoader

from airshed.data.dataset import Batch
from airshed.errors import AirshedError, brief

ENDING_S = 5.0  # a process's connections break before it counts as gone
FROM_READER = "AirshedError: "  # stands before the message, at the end of the reader's traceback


class ReaderDiedError(Exception):
    """A process that reads samples is gone."""


def read(loader: DataLoader[Batch]) -> Generator[Batch]:
    """What the loader reads; its processes end with the generator, so close that in any case.

    Raises:
        ReaderDiedError: One of its processes is gone. What torch raises then depends on which of
            the connections to it broke.
    """
    handler = signal.getsignal(signal.SIGCHLD)
    batches: Any = iter(loader)
    signal.signal(signal.SIGCHLD, handler)  # torch's would raise wherever the training stands
    readers = batches._workers if loader.num_workers else []
    try:
        yield from batches
    except AirshedError:
        raise
    except Exception as error:
        gone = wait([reader.sentinel for reader in readers], ENDING_S)
        if not gone:
            raise
        ended = [reader for reader in readers if reader.sentinel in gone]
        for reader in ended:
            reader.join()
        codes = [reader.exitcode for reader in ended]
        raise ReaderDiedError(f"exit codes {codes}, {brief(error)}") from error
    finally:
        # they ignore the signal by which Python would end them at exit, and an error's traceback
        # keeps the iterator alive, which would otherwise do this
        if readers:
            batches._shutdown_workers()


def reader_died(error: Exception) -> AirshedError | None:
    """What it means that a reader is gone; None if the error is another one."""
    if not isinstance(error, ReaderDiedError):
        return None
    return AirshedError(
        "a process that reads samples died",
        where="train.workers",
        found=error,
        hint="was memory short (jobs.mem_mb)? run again: the training continues from its last"
        " checkpoint",
    )


def without_remote_traceback(error: AirshedError) -> AirshedError:
    """The error as the reader raised it: torch puts the reader's traceback into the message."""
    _, remote, message = error.what.rpartition(FROM_READER)
    return AirshedError(message) if remote else error
