"""What a process that reads samples for a training says when it fails or dies."""

from __future__ import annotations

from airshed.errors import AirshedError, brief

DIED = "DataLoader worker"  # begins torch's message of a process that is gone
FROM_READER = "AirshedError: "  # stands before the message, at the end of the reader's traceback


def reader_died(error: Exception) -> AirshedError | None:
    """What it means that a reader is gone; None if the error is another one.

    Torch's handler of SIGCHLD raises it wherever the training stands, not only where it reads.
    """
    if not isinstance(error, RuntimeError) or DIED not in str(error):
        return None
    return AirshedError(
        "a process that reads samples died",
        where="train.workers",
        found=brief(error),
        hint="was memory short (jobs.mem_mb)? run again: the training continues from its last"
        " checkpoint",
    )


def without_remote_traceback(error: AirshedError) -> AirshedError:
    """The error as the reader raised it: torch puts the reader's traceback into the message."""
    _, remote, message = error.what.rpartition(FROM_READER)
    return AirshedError(message) if remote else error
