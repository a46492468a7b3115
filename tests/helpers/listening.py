"""Addresses on which processes wait for connections."""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path
from typing import Any

import psutil


def addresses() -> list[str]:
    """Of this process and all that it has started."""
    return [place.ip for place in places()]


def places() -> list[Any]:
    """Addresses and ports (``ip``, ``port``) of this process and all that it has started."""
    this = psutil.Process()
    return [
        connection.laddr
        for process in (this, *this.children(recursive=True))
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]


def is_loopback(address: str) -> bool:
    """Whether only this machine can connect to an address."""
    return ipaddress.ip_address(address).is_loopback


def seen_by_task(number: int) -> list[str]:
    """As a task of worker processes: where the process that works on it listens."""
    return [str(number), *addresses()]


def meet(rank: int, places: list[dict[str, str]], folder: Path) -> None:
    """Connect as one process of a training; write down where it listens then."""
    from airshed.config.training import TrainConfig
    from airshed.training.fabric import launch_fabric, shared_store
    from airshed.training.processes import Processes

    os.environ |= places[rank]
    fabric = launch_fabric(TrainConfig(accelerator="cpu"), Processes(devices=len(places)))
    store = shared_store(fabric)
    assert store is not None
    store.set(f"rank{rank}", "here")
    store.wait(["rank0", "rank1"])
    (folder / f"{rank}.json").write_text(json.dumps(addresses()))
    fabric.barrier()
