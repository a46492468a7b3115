"""Stopping on request: by Ctrl-C, or by what SLURM or a batch system sends before it kills."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, Self

EXIT_INTERRUPTED = 75  # EX_TEMPFAIL of sysexits.h: run it again
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
CONTINUES = "run it again to continue"  # ends the message of an interrupted training


class InterruptedTrainingError(Exception):
    """The training was asked to stop; it continues from its checkpoint when it is run again."""


class StopRequest:
    """Notes a signal that asks to stop, so that the training can stop where it can be resumed.

    Within the context a first signal raises :class:`InterruptedTrainingError` at once as long as
    nothing would be lost; after :meth:`defer` it is only noted. Further signals change nothing.

    Attributes:
        received: Name of the first signal, or None.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._deferred = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def defer(self) -> None:
        """From here on the training checks ``received`` often enough, and saves before it stops."""
        self._deferred = True

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.received is not None:
            return
        self.received = signal.Signals(number).name
        if not self._deferred:
            raise InterruptedTrainingError(f"stopped by {self.received} before the first step")


def ignore_stop_signals(_: int = 0) -> None:
    """For processes that read samples: a whole job is signalled, and only the training decides."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
