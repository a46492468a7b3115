"""Logs of trainings that are none, through ``airshed compare``."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from refusals import airshed, refused

LOG = (
    "Epoch 0: 100%|#| 50/50 [00:50<00:00, 1.00s/it, v_num=0, train_loss=0.500]\n"
    "Epoch 1: 100%|#| 50/50 [00:50<00:00, 1.00s/it, v_num=0, train_loss=0.4, val_loss=0.45]\n"
)
NO_TEXT, NO_PROGRESS = "bytes that no text has", "holds no progress of a training"
CASES: dict[str, tuple[bytes | None, tuple[str, ...]]] = {
    "empty": (b"", ("a log is empty",)),
    "binary": (bytes(range(256)) * 4, (NO_TEXT,)),
    "compressed": (gzip.compress(LOG.encode()), (NO_TEXT,)),
    "in UTF-16": (LOG.encode("utf-16"), (NO_TEXT,)),
    "blanks": (b" \r\n\t\n", (NO_PROGRESS,)),
    "a page of HTML": (b"<html><body>Log in</body></html>", (NO_PROGRESS,)),
    "a table of metrics": (b"epoch,val_loss\n0,0.5\n1,0.4\n", (NO_PROGRESS,)),
    "a job that never began": (b"slurmstepd: error: *** JOB 7 CANCELLED ***\n", (NO_PROGRESS,)),
    "a line of four million bytes": (b"x" * 2**22, (NO_PROGRESS,)),
    "bars of another kind": (
        "Epoch 1/1  ━━━━━ 20/20 0:00:03 • 0:00:00 6.4it/s".encode(),
        ("RichProgressBar",),
    ),
    "bars without losses": (b"Epoch 0:  50%|# | 1/2 [00:01<00:01, 1.0s/it, v_num=3]", ("v_num",)),
    "not there": (None, ("a log cannot be read",)),
}


@pytest.mark.parametrize("side", ["--baseline", "--physics"])
@pytest.mark.parametrize("case", CASES)
def test_a_log_that_is_none_is_refused(case: str, side: str, tmp_path: Path) -> None:
    content, parts = CASES[case]
    right, wrong = tmp_path / "right.out", tmp_path / "wrong.out"
    right.write_text(LOG)
    if content is not None:
        wrong.write_bytes(content)
    other = {"--baseline": "--physics", "--physics": "--baseline"}[side]
    command = ("compare", side, wrong, other, right, "--output", tmp_path / "page")
    refused(tmp_path, command, wrong, *parts)


def test_a_folder_and_a_log_twice_are_refused(tmp_path: Path) -> None:
    log = tmp_path / "train.out"
    log.write_text(LOG)
    refused(tmp_path, ("compare", "--baseline", log, "--physics", tmp_path), tmp_path)
    refused(tmp_path, ("compare", "--baseline", log, "--physics", log), log, "one and the same")


def test_two_right_logs_are_compared(tmp_path: Path) -> None:
    logs = [tmp_path / f"{name}.out" for name in ("a", "b")]
    for log in logs:
        log.write_text(LOG)
    code, said = airshed("compare", "--baseline", logs[0], "--physics", logs[1])
    assert code == 0, said
