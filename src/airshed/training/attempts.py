"""A record of every process that trained a run, so that retries without progress come to an end."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

from airshed.errors import AirshedError
from airshed.integrity.atomic import write_json
from airshed.integrity.formats import ATTEMPTS, VERSION, read_json

log = logging.getLogger(__name__)

FUTILE_STARTS = 2  # so many in a row without a step to show for it are enough
RUNNING, INTERRUPTED, FAILED, DONE = "running", "interrupted", "failed", "done"


class Attempts:
    """Where each process started, and how it ended.

    Args:
        path: The record, beside the checkpoints.
        identity: Fingerprint of the run; the record of another one is replaced.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path, self.identity = path, identity
        self.starts: list[dict[str, Any]] = self._read()

    def __len__(self) -> int:
        return len(self.starts)

    def _read(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        try:
            content = read_json(self.path, ATTEMPTS)
            return list(content["starts"]) if content["identity"] == self.identity else []
        except (AirshedError, KeyError) as error:
            log.warning("%s cannot be read and starts anew: %s", self.path, error)
            return []

    def begin(self, step: int, epoch: int) -> None:
        """Note a start; the earlier ones decide whether it makes sense.

        Args:
            step: Optimiser steps that are done.
            epoch: Epochs that are validated.

        Raises:
            AirshedError: As many starts as are enough began here, and none ended by a signal.
        """
        futile = list(
            takewhile(
                lambda start: (
                    (start["step"], start["epoch"]) == (step, epoch)
                    and start["end"] in (RUNNING, FAILED)
                ),
                reversed(self.starts),
            )
        )
        if len(futile) >= FUTILE_STARTS:
            raise AirshedError(
                "the run makes no progress between retries",
                where=self.path,
                expected=f"a start beyond step {step} of epoch {epoch}",
                found=f"{len(futile)} starts there in a row; the last one"
                f" {futile[0]['reason'] or 'was killed without a word: memory?'}",
                hint="mend the cause (see the log), then delete this record and run again",
            )
        started = datetime.now(UTC).isoformat(timespec="seconds")
        entry = {"step": step, "epoch": epoch, "started": started, "end": RUNNING, "reason": None}
        self.starts.append(entry)
        self._write()

    def end(self, how: str, reason: str | None = None) -> None:
        """Note how the last start ended."""
        self.starts[-1] |= {"end": how, "reason": reason}
        try:
            self._write()
        except OSError as error:  # a full disk must not hide what really happened
            log.warning("%s cannot be written: %s", self.path, error)

    def _write(self) -> None:
        content = {"identity": self.identity, "starts": self.starts}
        write_json(self.path, {VERSION: ATTEMPTS.version} | content)
