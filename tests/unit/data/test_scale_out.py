"""Tasks in this process, in processes of this machine, and on a given scheduler."""

from __future__ import annotations

import logging
import os
import re
from itertools import pairwise

import pytest
from listening import is_loopback, places
from pydantic import ValidationError
from tasks import interrupted_square, refuse, square

from airshed.config.preprocessing import DaskConfig
from airshed.data.scale_out import _cluster, _dashboard, run_tasks
from airshed.errors import AirshedError

LOCAL = DaskConfig()


def test_one_worker_works_here_and_in_order() -> None:
    found = list(run_tasks(square, [(n,) for n in range(5)], LOCAL, 1, "squares"))
    assert found == [(n**2, os.getpid()) for n in range(5)]


def test_several_workers_do_each_task_once_and_leave_ctrl_c_to_this_process(
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    # pytest's, where dask is imported already; dask would silence them
    for name in ("distributed", "bokeh"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
    found = list(run_tasks(interrupted_square, [(n,) for n in range(12)], LOCAL, 2, "squares"))
    assert "KeyboardInterrupt" not in capfd.readouterr().err
    assert sorted(value for value, _ in found) == [n**2 for n in range(12)]
    assert len({process for _, process in found}) == 2
    assert os.getpid() not in {process for _, process in found}
    address = next(line for line in caplog.messages if line.startswith("dask dashboard: "))
    assert "//127.0.0.1:" in address


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_arrives_as_itself(workers: int) -> None:
    with pytest.raises(AirshedError, match="count again"):
        list(run_tasks(refuse, [(n,) for n in range(3)], LOCAL, workers, "refusals"))


def test_a_given_scheduler_is_used_and_left_running() -> None:
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, host="127.0.0.1", dashboard_address=None) as cluster:
        given = DaskConfig(cluster="scheduler", address=cluster.scheduler_address)
        for _ in range(2):
            found = list(run_tasks(square, [(n,) for n in range(3)], given, 1, "squares"))
            assert sorted(value for value, _ in found) == [0, 1, 4]


def test_a_scheduler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airshed.data.scale_out.CONNECT_S", 1)
    given = DaskConfig(cluster="scheduler", address="tcp://127.0.0.1:1")
    with pytest.raises(AirshedError, match=r"(?s)preprocessing\.address.*127\.0\.0\.1:1"):
        list(run_tasks(square, [(1,)], given, 1, "squares"))


def test_workers_without_this_version_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """They could not import the tasks, and nothing would ever come back."""
    monkeypatch.setattr("airshed.data.scale_out.__version__", "99.0")
    with pytest.raises(AirshedError, match=r"(?s)another version.*99\.0"):
        list(run_tasks(square, [(1,), (2,)], LOCAL, 2, "squares"))


def test_worker_jobs_ask_slurm_for_what_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script that dask-jobqueue would submit; tests/slurm has it submitted."""
    from dask_jobqueue import SLURMCluster

    asked: list[int] = []
    monkeypatch.setattr(SLURMCluster, "scale", lambda self, jobs: asked.append(jobs))
    given = {"jobs": 3, "cores_per_job": 6, "memory_per_job_gb": 12.5, "runtime_min": 95}
    settings = DaskConfig(cluster="slurm", queue="short", account="air", **given)
    with _cluster(settings, 1) as cluster:
        script = cluster.job_script()
        port = int(cluster.scheduler_address.rsplit(":", 1)[1])
        told = _dashboard(cluster.dashboard_link, settings)
        listening = {(place.port, is_loopback(place.ip)) for place in places()}
    assert (port, False) in listening  # workers on other nodes have to reach the scheduler
    assert [other for other, loopback in listening if not loopback] == [port]
    assert any(f"http://127.0.0.1:{other}/" in told for other, loopback in listening if loopback)
    assert asked == [3, 0]  # none is left when it ends
    options = dict(re.findall(r"^#SBATCH (-+[\w-]+)[ =](.*)$", script, re.MULTILINE))
    assert (options["-p"], options["-A"], options["-t"]) == ("short", "air", "01:35:00")
    assert (options["--cpus-per-task"], options["--mem"]) == ("6", "12G")
    assert "--nthreads 1 " in script
    assert "--nworkers 6 " in script


def test_few_tasks_are_handed_out_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is outstanding depends on the workers, not on the number of tasks."""
    from distributed import Client

    submitted: list[int] = []
    original = Client.submit
    monkeypatch.setattr(
        Client, "submit", lambda *a, **k: submitted.append(len(submitted)) or original(*a, **k)
    )
    outstanding = []
    for received, _ in enumerate(run_tasks(square, [(n,) for n in range(30)], LOCAL, 2, "x")):
        outstanding.append(len(submitted) - received)
    assert max(outstanding) <= 4
    assert all(later >= earlier - 1 for earlier, later in pairwise(outstanding))


@pytest.mark.parametrize("values", [{"cluster": "scheduler"}, {"address": "tcp://x:1"}])
def test_address_and_kind_belong_together(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="address"):
        DaskConfig.model_validate(values)
