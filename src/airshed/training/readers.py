"""What a process that reads samples for a training says when it fails or dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airshed.errors import AirshedError, brief

DIED = "DataLoader worker"  # begins torch's message of a process that is gone
FROM_READER = "AirshedError: "  # stands before the message, at the end of the reader's traceback


@contextmanager
def readers_errors() -> Iterator[None]:
    """Raise what befell a reader process as what it means to the user.

    That one is gone is raised wherever the training stands, by torch's handler of SIGCHLD.

    Raises:
        AirshedError: A reader died, or found the data damaged.
    """
    try:
        yield
    except AirshedError as error:  # torch puts the reader's traceback into the message
        _, remote, message = error.what.rpartition(FROM_READER)
        if not remote:
            raise
        raise AirshedError(message) from None
    except RuntimeError as error:
        if DIED not in str(error):
            raise
        raise AirshedError(
            "a process that reads samples died",
            where="train.workers",
            found=brief(error),
            hint="was memory short (jobs.mem_mb)? run again: the training continues from its last"
            " checkpoint",
        ) from error
