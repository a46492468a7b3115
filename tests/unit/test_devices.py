"""Jobs of one machine take turns on its devices, which here are names in the environment."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airshed.devices import CUDA, Devices, devices_here
from airshed.errors import AirshedError

JOB = """
import os, sys, time
from airshed.devices import devices_here
devices_here().claim(int(sys.argv[1]))
print(os.environ[sys.argv[3]], time.monotonic(), flush=True)
time.sleep(float(sys.argv[2]))
print(time.monotonic(), flush=True)
"""


def started(
    folder: Path, ids: str, count: int, hold_s: float, variable: str = CUDA
) -> subprocess.Popen[str]:
    """A job that claims devices, says which and when, and holds them for some time."""
    command = [sys.executable, "-c", JOB, str(count), str(hold_s), variable]
    outside = {key: value for key, value in os.environ.items() if key != "SLURM_JOB_ID"}
    environment = outside | {variable: ids, "TMPDIR": str(folder)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def held(process: subprocess.Popen[str]) -> tuple[set[str], float, float]:
    """Devices of a job, and from when to when it had them."""
    names, since, until = process.communicate(timeout=60)[0].split()
    assert process.returncode == 0
    return set(names.split(",")), float(since), float(until)


def test_no_two_jobs_have_a_device_at_the_same_time(tmp_path: Path) -> None:
    """Six jobs on three devices, some of which want two; each gets what it wants, in its turn."""
    wanted = (1, 2, 1, 2, 1, 1)
    jobs = [held(job) for job in [started(tmp_path, "4,5,GPU-a/b", n, 0.3) for n in wanted]]
    assert [len(names) for names, _, _ in jobs] == list(wanted)
    assert set.union(*(names for names, _, _ in jobs)) <= {"4", "5", "GPU-a/b"}
    for number, (names, since, until) in enumerate(jobs):
        for others, from_then, to_then in jobs[:number]:
            assert not names & others or until <= from_then or to_then <= since


@pytest.mark.parametrize("variable", ["HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"])
def test_a_job_that_is_killed_frees_its_device(tmp_path: Path, variable: str) -> None:
    first = started(tmp_path, "7", 1, 60, variable)
    assert first.stdout is not None
    assert first.stdout.readline().startswith("7 ")
    second = started(tmp_path, "7", 1, 0, variable)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(0.6)
    killed = time.monotonic()
    first.kill()
    first.wait()
    names, since, _ = held(second)
    assert names == {"7"}
    assert since >= killed


def test_what_a_process_starts_keeps_its_devices(tmp_path: Path) -> None:
    """Of a training on several devices whose first process is killed, the others may live on."""
    script = (
        "import subprocess, sys; from airshed.devices import devices_here;"
        "devices_here().claim(1);"
        "child = subprocess.Popen(['sleep', '60'], close_fds=False); print(child.pid, flush=True);"
        "child.wait()"
    )
    environment = os.environ | {CUDA: "0", "TMPDIR": str(tmp_path)}
    first = subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None
    child = int(first.stdout.readline())
    first.kill()
    first.wait()
    second = started(tmp_path, "0", 1, 0)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(0.6)
    os.kill(child, 9)
    assert held(second)[0] == {"0"}


def test_more_than_there_are_is_refused_and_none_at_all_is_no_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(AirshedError, match=r"(?s)more devices than this machine.*at most 2.*3"):
        Devices(("0", "1")).claim(3)
    monkeypatch.delenv(CUDA, raising=False)
    Devices(()).claim(3)
    assert CUDA not in os.environ


@pytest.mark.parametrize(
    ("environment", "ids"),
    [
        ({}, ("0", "1", "2")),
        ({CUDA: "2,0"}, ("2", "0")),
        ({CUDA: "1,-1,0"}, ("1",)),
        ({CUDA: ""}, ()),
        ({"HIP_VISIBLE_DEVICES": "5", CUDA: "1,2"}, ("5",)),
        ({"SLURM_JOB_ID": "7", CUDA: "1,2"}, ()),
    ],
)
def test_devices_are_counted_without_torch(
    tmp_path: Path, environment: dict[str, str], ids: tuple[str, ...]
) -> None:
    """A machine with one device of NVIDIA's, two of AMD's, and a processor among AMD's nodes."""
    (tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0").mkdir(parents=True)
    for name in ("nvidia0", "nvidiactl", "nvidia-uvm"):
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / "dev" / name).touch()
    for node, simds in enumerate((0, 304, 304)):
        folder = tmp_path / f"sys/class/kfd/kfd/topology/nodes/{node}"
        folder.mkdir(parents=True)
        (folder / "properties").write_text(f"cpu_cores_count 0\nsimd_count {simds}\n")
    assert devices_here(environment, tmp_path).ids == ids


def test_a_folder_of_locks_that_somebody_else_has_made_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"airshed-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AirshedError, match="belongs to another user"):
        Devices(("0",)).claim(1)
