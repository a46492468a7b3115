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
NO_DEVICE_MEMORY = "the device's memory does not suffice for a training step"  # begins a reason
RUNNING, INTERRUPTED, FAILED, DONE = "running", "interrupted", "failed", "done"


class Attempts:
    """Where each process started, and how it ended.

    Args:
        path: The record, beside the checkpoints.
        identity: Fingerprint of the run; the record of another one is replaced.
        device: What the run is trained on; reasons that have to do with it name it.
    """

    def __init__(self, path: Path, identity: str, device: str = "") -> None:
        self.path, self.identity, self.device = path, identity, device
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

        Raises:
            AirshedError: As many starts as are enough began here, and none ended by a signal; or
                the last one began here and lacked memory of the same device.
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
        if futile and _lacked_device_memory(futile[0]) and self.device in futile[0]["reason"]:
            raise AirshedError(
                futile[0]["reason"], where=f"{self.path}, which must be deleted for another try"
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


def lacks_device_memory(path: Path) -> bool:
    """Whether the last start in a record failed for want of memory that a job cannot ask for."""
    try:
        return _lacked_device_memory(read_json(path, ATTEMPTS)["starts"][-1])
    except (AirshedError, LookupError):
        return False


def _lacked_device_memory(start: dict[str, Any]) -> bool:
    return start["end"] == FAILED and start["reason"].startswith(NO_DEVICE_MEMORY)
