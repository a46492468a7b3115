"""Nothing waits for connections on an address that other machines can reach, unless asked to."""

from __future__ import annotations

import json
from pathlib import Path

from forked import forked
from listening import addresses, is_loopback, meet, seen_by_task
from tiny_runs import loopback_places

from airshed.config.preprocessing import DaskConfig
from airshed.data.scale_out import run_tasks


def test_workers_of_this_machine_listen_on_loopback_alone() -> None:
    seen: list[str] = []
    for found in run_tasks(seen_by_task, [(n,) for n in range(4)], DaskConfig(), 2, "tasks"):
        seen += [*found[1:], *addresses()]
    assert seen
    assert [address for address in seen if not is_loopback(address)] == []


def test_processes_of_a_training_meet_on_loopback_alone(tmp_path: Path) -> None:
    places = loopback_places(2)
    running = [forked(meet, rank, places, tmp_path) for rank in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join(120)
    assert [process.exitcode for process in running] == [0, 0]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert len(first) >= 3  # two stores, and the connection that the training goes over
    assert [address for address in (*first, *second) if not is_loopback(address)] == []
