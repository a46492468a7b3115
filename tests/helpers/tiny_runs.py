"""Real trainings of the tiny study in processes of their own, to be killed and compared."""

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
from torch import Tensor

from airshed.config import Study, read_yaml, validate_study
from airshed.config.load import merge
from airshed.data.ingest import ingest
from airshed.data.patches import patch_elevation
from airshed.data.prepared import Prepared
from airshed.data.scan_tables import scan_tables
from airshed.data.static import static_fields
from airshed.data.statistics import statistics
from airshed.errors import AirshedError
from airshed.simulate import simulate
from airshed.training import run as training
from airshed.training.checkpoints import load_checkpoint
from airshed.training.processes import Processes
from airshed.training.stopping import EXIT_INTERRUPTED, InterruptedTrainingError, StopRequest

ROOT = Path(__file__).resolve().parents[2]
VARIANT, SEED = "physics_mask", 1
LIMIT_S = 120

# processes are forked from a fresh one that has imported all this once and computed nothing
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["airshed.training.run", "airshed.data.ingest", "airshed.simulate"])


def tiny_study(**changes: Any) -> Study:
    """The tiny study with some keys changed."""
    tiny = read_yaml(ROOT / "tests/helpers/tiny_study.yaml")
    variants = read_yaml(ROOT / "config/variants.yaml")
    return validate_study(merge(tiny | variants, changes), "tiny")


def prepare(study: Study, folder: Path) -> Prepared:
    """Prepared data of the tiny study, from simulated raw files."""
    paths = Prepared(
        folder / "hourly.zarr", *(folder / f"{name}.nc" for name in ("s", "p", "m", "t"))
    )
    simulate(study.dataset, folder / "raw")
    ingest(study.dataset, folder / "raw", paths.hourly, folder / "ingest.json", 1)
    static_fields(study.dataset, folder / "raw", paths.hourly, paths.static)
    patch_elevation(paths.static, study.model.patch, paths.patch_elevation)
    statistics(paths.hourly, paths.static, study.splits.train, paths.statistics)
    regions = (study.model.regions.rows, study.model.regions.columns)
    scan_tables(
        study.patch_grid, regions, study.model.sectors, study.model.patch, paths.scan_tables
    )
    return paths


@dataclass(frozen=True)
class Disturbance:
    """What befalls one process in the middle of a forward pass, in training or validation.

    Attributes:
        forward: Number of the forward pass, from 1.
        signals: What it and the processes that read for it are sent; none means that it stalls.
        rank: Which process.
    """

    forward: int
    signals: tuple[signal.Signals, ...] = ()
    rank: int = 0


def start(
    study: Study,
    prepared: Prepared,
    folder: Path,
    count: int = 1,
    disturbance: Disturbance | None = None,
) -> list[int | None]:
    """Train in ``count`` processes; their exit codes, negative for one that was killed."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = [
        CONTEXT.Process(
            target=_train, args=(study, prepared, folder, rank, count, port, disturbance)
        )
        for rank in range(count)
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


def _train(
    study: Study,
    prepared: Prepared,
    folder: Path,
    rank: int,
    count: int,
    port: int,
    disturbance: Disturbance | None,
) -> None:
    multiprocessing.set_start_method("fork", force=True)  # as readers start outside of tests
    output = os.open(folder / f"said{rank}.txt", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    logging.basicConfig(level=logging.INFO, force=True)
    if count > 1:
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    if disturbance is not None and disturbance.rank == rank:
        _disturb(disturbance)
    run, history = folder / "run.json", folder / "history.csv"
    try:
        with StopRequest() as stop:
            processes = Processes(devices=count)
            training.train(study, VARIANT, SEED, prepared, None, run, history, stop, processes)
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
                for pid in (*readers, os.getpid()):
                    os.kill(pid or 0, number)
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
