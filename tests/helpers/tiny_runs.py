"""Real trainings of the tiny study, most in processes of their own, to be killed and compared."""

from __future__ import annotations

import itertools
import json
import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from forked import forked, preload, say_to
from torch import Tensor

from airshed.config import Study, read_yaml, validate_study
from airshed.config.load import merge
from airshed.data.prepared import Prepared
from airshed.errors import AirshedError
from airshed.training import run as training
from airshed.training.checkpoints import load_checkpoint
from airshed.training.processes import Processes
from airshed.training.reuse import TrainingRequest
from airshed.training.stopping import EXIT_INTERRUPTED, InterruptedTrainingError, StopRequest

ROOT = Path(__file__).resolve().parents[2]
VARIANT, SEED = "physics_mask", 1
LIMIT_S = 120

preload("airshed.training.run", "airshed.data.ingest", "airshed.simulate")


def tiny_study(**changes: Any) -> Study:
    """The tiny study with some keys changed; its last states are kept, to be compared."""
    tiny = read_yaml(ROOT / "tests/helpers/tiny_study.yaml")
    variants = read_yaml(ROOT / "config/variants.yaml")
    kept: dict[str, Any] = {"jobs": {"keep_states": True}}
    return validate_study(merge(merge(tiny | variants, kept), changes), "tiny")


def trained(
    study: Study,
    variant: str,
    seed: int,
    prepared: Prepared,
    folder: Path,
    start: Path | None = None,
) -> Path:
    """``run.json`` of a training in this process."""
    run = folder / "run.json"
    with StopRequest() as stop:
        of = study, study, variant, seed, prepared, start, run, folder / "history.csv"
        training.train(TrainingRequest(*of), stop)
    return run


@dataclass(frozen=True)
class Disturbance:
    """What befalls one process in the middle of a forward pass, in training or validation.

    Attributes:
        forward: Number of the forward pass, from 1.
        signals: What it and the processes that read for it are sent; none means that it stalls.
        rank: Which process.
        readers_only: Whether it is spared itself.
    """

    forward: int
    signals: tuple[signal.Signals, ...] = ()
    rank: int = 0
    readers_only: bool = False


def start(
    study: Study,
    prepared: Prepared,
    folder: Path,
    count: int = 1,
    disturbance: Disturbance | None = None,
    by_srun: bool = False,
) -> list[int | None]:
    """Train in ``count`` processes; their exit codes, negative for one that was killed.

    Each finds in its environment what the command tells those of one node, or ``srun`` one on each
    of several nodes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    processes = Processes(nodes=count) if by_srun else Processes(devices=count)
    places = _srun_places(count) if by_srun else loopback_places(count) if count > 1 else [{}]
    running = [
        forked(_train, study, prepared, folder, rank, processes, place, disturbance)
        for rank, place in enumerate(places)
    ]
    for process in running:
        process.start()
    deadline = time.monotonic() + LIMIT_S
    for process in running:
        process.join(max(0.0, deadline - time.monotonic()))
    hung = [rank for rank, process in enumerate(running) if process.is_alive()]
    for process in running:
        process.kill()
        process.join()
    assert not hung, f"processes {hung} hang: {said(folder)}"
    return [process.exitcode for process in running]


def finish(study: Study, prepared: Prepared, folder: Path, count: int = 1) -> None:
    """Train to the end, without any disturbance."""
    assert start(study, prepared, folder, count) == [0] * count, said(folder)


def loopback_places(count: int) -> list[dict[str, str]]:
    """Environments of processes that one machine starts."""
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": _free_port(), "NODE_RANK": "0"}
    return [common | {"LOCAL_RANK": str(rank)} for rank in range(count)]


def _srun_places(nodes: int) -> list[dict[str, str]]:
    names = ("SLURM_NTASKS", "SLURM_STEP_NUM_TASKS", "SLURM_NNODES")
    common = dict.fromkeys(names, str(nodes)) | {
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NAME": "train",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_LOCALID": "0",
        "SLURM_NODELIST": "localhost",
        "MASTER_PORT": _free_port(),
    }
    ranks = [str(rank) for rank in range(nodes)]
    return [common | {"SLURM_PROCID": rank, "SLURM_NODEID": rank} for rank in ranks]


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _train(
    study: Study,
    prepared: Prepared,
    folder: Path,
    rank: int,
    processes: Processes,
    place: dict[str, str],
    disturbance: Disturbance | None,
) -> None:
    multiprocessing.set_start_method("fork", force=True)  # as readers start outside of tests
    say_to(folder / f"said{rank}.txt", folder / f"said{rank}.txt")
    logging.basicConfig(level=logging.INFO, force=True)
    os.environ |= place
    if disturbance is not None and disturbance.rank == rank:
        _disturb(disturbance)
    run, history = folder / "run.json", folder / "history.csv"
    try:
        with StopRequest() as stop:
            of = study, study, VARIANT, SEED, prepared, None, run, history
            training.train(TrainingRequest(*of), stop, processes)
    except InterruptedTrainingError as interruption:
        sys.stderr.write(f"{interruption}\n")
        sys.exit(EXIT_INTERRUPTED)
    except AirshedError as error:
        sys.exit(str(error))


def _disturb(disturbance: Disturbance) -> None:
    build, forwards = training.build_network, itertools.count(1)

    def happen(*_: Any) -> None:
        if next(forwards) == disturbance.forward:
            for number in disturbance.signals:
                readers = [process.pid for process in multiprocessing.active_children()]
                for pid in readers if disturbance.readers_only else (*readers, os.getpid()):
                    assert pid  # 0 would be all processes of the tests
                    os.kill(pid, number)
            if not disturbance.signals:
                time.sleep(LIMIT_S)

    def build_disturbed(*arguments: Any) -> Any:
        network = build(*arguments)
        network.register_forward_pre_hook(happen)
        return network

    training.build_network = build_disturbed


def said(folder: Path) -> str:
    """Everything that the processes of a training have printed."""
    return "\n".join(path.read_text() for path in sorted(folder.glob("said*.txt")))


def progress(folder: Path) -> dict[str, Any]:
    """The content of ``progress.json``."""
    content: dict[str, Any] = json.loads((folder / "progress.json").read_text())
    return content


def final_weights(folder: Path) -> dict[str, Tensor]:
    """The weights after the last step."""
    weights: dict[str, Tensor] = load_checkpoint(folder / "checkpoints/last.ckpt")["network"]
    return weights


def assert_same_run(found: Path, expected: Path) -> None:
    """Weights, best weights, optimizer and losses of two runs are equal, bit by bit."""
    for name in ("last.ckpt", "best.ckpt"):
        pair = [load_checkpoint(folder / "checkpoints" / name) for folder in (found, expected)]
        for part in ("network", "state_dict", "optimizer"):
            assert_equal(pair[0].get(part), pair[1].get(part), part)
    rows = [(folder / "history.csv").read_text() for folder in (found, expected)]
    assert rows[0] == rows[1]
    records = [json.loads((folder / "run.json").read_text()) for folder in (found, expected)]
    assert records[0]["val_loss"] == records[1]["val_loss"]
    assert records[0]["optimizer_steps"] == records[1]["optimizer_steps"]


def assert_equal(found: Any, expected: Any, where: str) -> None:
    """Nested dicts and lists of tensors and plain values are equal."""
    if isinstance(expected, Tensor):
        assert torch.equal(found, expected), where
    elif isinstance(expected, Mapping):
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            assert_equal(found[key], value, f"{where}.{key}")
    elif isinstance(expected, Sequence) and not isinstance(expected, str):
        assert len(found) == len(expected), where
        for index, value in enumerate(expected):
            assert_equal(found[index], value, f"{where}[{index}]")
    else:
        assert found == expected, where
