"""The process that starts one per device: codes, signals, and what it does when one fails."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from signal import SIGTERM, SIGUSR1

import pytest

from airshed.training import processes
from airshed.training.processes import PARENT
from airshed.training.stopping import EXIT_INTERRUPTED


def script(body: str) -> list[str]:
    head = "import os, sys, time, signal\nrank = int(os.environ['LOCAL_RANK'])\n"
    return [sys.executable, "-c", head + textwrap.dedent(body)]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [((0, 0), 0), ((75, 75), 75), ((0, 75), 75), ((75, 1), 1), ((0, 3), 1)],
)
def test_the_exit_code_is_that_of_all(codes: tuple[int, ...], expected: int) -> None:
    body = f"sys.exit({codes}[rank])"
    assert run_undisturbed(body) == expected


def test_each_process_knows_its_place() -> None:
    body = f"""
    place = [os.environ[name] for name in ("WORLD_SIZE", "NODE_RANK", "MASTER_ADDR")]
    sys.exit(place != ["2", "0", "127.0.0.1"] or os.environ["{PARENT}"] != str(os.getppid()))
    """
    assert run_undisturbed(body) == 0


def test_what_waits_in_vain_for_a_failed_process_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "GRACE_S", 0.2)
    started = time.monotonic()
    assert run_undisturbed("sys.exit(1) if rank else time.sleep(60)") == 1
    assert time.monotonic() - started < 30


def run_undisturbed(body: str) -> int:
    from airshed.training.stopping import StopRequest

    with StopRequest():  # puts the handlers of this process back
        return processes.run_processes(2, script(body))


@pytest.mark.parametrize("number", [SIGTERM, SIGUSR1])
def test_signals_reach_every_process(tmp_path: Path, number: int) -> None:
    """A launcher of its own; each process says that it is ready, and ends as a training does."""
    body = f"""
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda number, _: sys.exit({EXIT_INTERRUPTED}))
    open(r"{tmp_path}/ready" + str(rank), "w").close()
    time.sleep(60)
    """
    launcher = (
        "import sys; from airshed.training.processes import run_processes;"
        f" sys.exit(run_processes(2, {script(body)!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", launcher]) as process:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("ready*"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, number)
        assert process.wait(timeout=30) == EXIT_INTERRUPTED
