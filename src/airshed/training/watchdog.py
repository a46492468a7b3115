"""A hang becomes an error that names process and step, instead of a job that burns its time.

Every process reports to a small store what it is doing. One that has made no progress for the whole
limit reads what the others were doing, names the process that the others wait for, and ends itself.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Self

from torch.distributed import Store  # type: ignore[attr-defined]

log = logging.getLogger(__name__)

WAITING = "waiting for the other processes"
EXCHANGING = "exchanging gradients with the other processes"
TICKS = 20  # looks per limit
LONGEST_TICK_S = 5.0


class Watchdog:
    """Watches the main thread of one process.

    Time is counted in its own ticks: a machine that was suspended has not been idle.

    Args:
        limit_s: Seconds without a beat after which the process counts as hung.
        rank: Number of this process.
        store: Shared with the other processes; None if there is only this one.
        processes: How many there are.
        parent: Process id of the launcher, without which this process ends; None: no launcher.
        on_hang: Is given the message before the process ends with exit code 1.
    """

    def __init__(
        self,
        limit_s: float,
        rank: int,
        store: Store | None,
        processes: int,
        parent: int | None,
        on_hang: Callable[[str], None],
    ) -> None:
        self.limit_s, self.rank, self.store, self.processes = limit_s, rank, store, processes
        self.parent, self.on_hang = parent, on_hang
        self._tick_s = min(LONGEST_TICK_S, limit_s / TICKS)
        self._beats, self._step, self._doing = 0, 0, "starting"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def beat(self, step: int, doing: str) -> None:
        """The main thread moves on: what it is about to do, and after how many steps."""
        self._step, self._doing = step, doing
        self._beats += 1

    def _watch(self) -> None:
        seen, idle_s = -1, 0.0
        while not self._done.wait(self._tick_s):
            idle_s = 0.0 if self._beats != seen else idle_s + self._tick_s
            seen = self._beats
            self._report(idle_s)
            if self.parent is not None and os.getppid() != self.parent:
                os._exit(1)
            # a process that only waits lets the one that it waits for speak first
            patience = 1.25 if self._doing in (WAITING, EXCHANGING) else 1.0
            if idle_s >= self.limit_s * patience:
                self._end(idle_s)

    def _report(self, idle_s: float) -> None:
        if self.store is None:
            return
        report = {"step": self._step, "doing": self._doing, "idle_s": idle_s}
        try:
            self.store.set(str(self.rank), json.dumps(report | {"host": platform.node()}))
        except RuntimeError:  # its owner is gone; the training will notice by itself
            self.store = None

    def _end(self, idle_s: float) -> None:
        message = (
            f"process {self.rank} of {self.processes} ({platform.node()}) made no progress for"
            f" {idle_s:.0f} s at step {self._step}, {self._doing}{self._others()}"
        )
        frame = sys._current_frames().get(threading.main_thread().ident or 0)
        where = "".join(traceback.format_stack(frame))
        log.critical("%s; it ends here:\n%s", message, where)
        try:
            self.on_hang(message)
        finally:
            os._exit(1)

    def _others(self) -> str:
        """What held up the others that do not merely wait."""
        if self.store is None:
            return ""
        found = []
        try:
            for rank in range(self.processes):
                if rank != self.rank and self.store.check([str(rank)]):
                    report = json.loads(self.store.get(str(rank)))
                    if report["doing"] not in (WAITING, EXCHANGING):
                        found.append(
                            f"process {rank} ({report['host']}) at step {report['step']},"
                            f" {report['doing']}, without progress for {report['idle_s']:.0f} s"
                        )
        except RuntimeError:
            return "; the other processes cannot be asked"
        return "; not waiting: " + ("; ".join(found) if found else "none of the others")
