"""Lightning Fabric: devices, the processes' connection to each other, and the strategy."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch.distributed import DistError, Store, TCPStore  # type: ignore[attr-defined]

from airshed.config.training import TrainConfig
from airshed.errors import AirshedError, refusing
from airshed.training.determinism import ask_for_determinism
from airshed.training.lightning import (
    DDPStrategy,
    Fabric,
    LightningEnvironment,
    SLURMEnvironment,
    Strategy,
)
from airshed.training.processes import LOOPBACK, Processes
from airshed.training.sharding import sharded_strategy

log = logging.getLogger(__name__)

Found = TypeVar("Found")
CONNECTION_MARGIN = 2.0  # the watchdog, which says more, speaks before a collective times out
LEAST_CONNECTION_S = 60.0  # processes on a busy machine do not start at once
_meeting_points: list[Store] = []  # they last as long as the process
_host_groups: list[Any] = []  # exchanges values of the host, if the common group is for devices


def launch_fabric(settings: TrainConfig, processes: Processes) -> Fabric:
    """Connect the processes of a training; nothing distributed is set up for a single one.

    Raises:
        AirshedError: The devices are not there, or the processes do not find each other.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    ask_for_determinism()
    by_slurm = processes.count > 1 and processes.started_by_slurm(os.environ)
    environment = SLURMEnvironment(auto_requeue=False) if by_slurm else LightningEnvironment()
    with refusing(
        OSError,
        RuntimeError,
        ValueError,
        what="the devices or processes of the training cannot be set up",
        where=f"{processes.nodes} nodes, {processes.devices} devices each,"
        f" train.accelerator {settings.accelerator}",
    ):
        if processes.count > 1 and not by_slurm:
            _meet_on_loopback()
        fabric = Fabric(
            accelerator=settings.accelerator,
            devices=processes.devices,
            num_nodes=processes.nodes,
            strategy=_strategy(settings, processes.count) if processes.count > 1 else "auto",
            plugins=[environment],
        )
        fabric.launch()
        if processes.count > 1 and fabric.device.type != "cpu":
            group = torch.distributed.new_group(backend="gloo", timeout=_timeout(settings))
            _host_groups[:] = [group]
    torch.set_num_threads(settings.threads)
    if not fabric.is_global_zero:
        logging.getLogger("airshed").setLevel(logging.WARNING)
    return fabric


def _strategy(settings: TrainConfig, processes: int) -> Strategy:
    timeout = _timeout(settings)
    if settings.strategy == "fsdp":
        return sharded_strategy(processes, timeout)
    # its successor is not known to the oldest torch that is supported
    warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated")
    return DDPStrategy(timeout=timeout, broadcast_buffers=False, gradient_as_bucket_view=True)


def _timeout(settings: TrainConfig) -> timedelta:
    limit_s = max(LEAST_CONNECTION_S, CONNECTION_MARGIN * 60 * settings.timeout_min)
    return timedelta(seconds=limit_s)


def _meet_on_loopback() -> None:
    """Let the processes of this machine meet at a store of ours, so that torch opens none."""
    os.environ |= {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
    if os.environ["LOCAL_RANK"] == "0":
        _meeting_points.append(_loopback_store(int(os.environ["MASTER_PORT"])))


def _loopback_store(port: int = 0) -> TCPStore:
    """A store that no other machine can reach; torch by itself listens on every address."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((LOOPBACK, port))
    listening.listen()
    return TCPStore(
        LOOPBACK,
        listening.getsockname()[1],
        is_master=True,
        wait_for_workers=False,
        timeout=timedelta(seconds=LEAST_CONNECTION_S),
        master_listen_fd=listening.detach(),
    )


def shared_store(fabric: Fabric) -> Store | None:
    """A store that all processes can reach, apart from the connection that they train over."""
    if fabric.world_size == 1:
        return None
    host, timeout = os.environ["MASTER_ADDR"], timedelta(seconds=LEAST_CONNECTION_S)
    store = None
    if fabric.is_global_zero and host == LOOPBACK:
        store = _loopback_store()
    elif fabric.is_global_zero:
        store = TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=timeout)
    port = fabric.broadcast(store.port if store else 0)
    return store or TCPStore(host, port, is_master=False, timeout=timeout)


def result_of_first(fabric: Fabric, find: Callable[[], Found]) -> Found:
    """What the first process finds, in all processes; an error that it meets is raised in all."""
    found: Any = None
    if fabric.is_global_zero:
        try:
            found = find()
        except AirshedError as error:
            found = error
    found = fabric.broadcast(found)
    if isinstance(found, AirshedError):
        raise found
    return found


def wanted_by_any(fabric: Fabric, wanted: list[bool]) -> list[bool]:
    """Which of several things any process wants; asked past the devices, which go on computing."""
    if fabric.world_size == 1:
        return wanted
    values = torch.tensor(wanted, dtype=torch.int)
    torch.distributed.all_reduce(values, torch.distributed.ReduceOp.MAX, *_host_groups)
    return values.bool().tolist()


def lost_connection(error: BaseException) -> bool:
    """Whether an error says that another process of the training is gone."""
    return isinstance(error, DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error).lower()
    )
