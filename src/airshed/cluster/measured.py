"""What earlier runs took, where it says something about a training that is planned.

A run counts if it did the same work on as many devices; nothing is scaled from one number of
devices to another.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airshed.config import Study
from airshed.config.jobs import JobRequest
from airshed.config.study import DECLARED
from airshed.integrity.formats import RUN, VERSION, read_or_nothing

BENCHMARKS = "benchmarks.json"
PACE = [
    (path, path.startswith("variant_stanzas.*."), path.removeprefix("variant_stanzas.*."))
    for path, shapes in DECLARED.items()
    if "pace" in shapes.products
]
"""What the time of a step depends on: a setting, whether it is of a stanza, its place there."""
# The size at which benchmarks/step.py times a step.
BENCHMARKED = {"patch": 2, "dim": 768, "depth": 6, "decoder_depth": 2, "heads": 8, "mlp_ratio": 4.0}


@dataclass(frozen=True)
class Measured:
    """What an earlier run tells of a planned one; None where it tells nothing.

    Attributes:
        seconds_per_step: Seconds of one optimiser step.
        memory_mb: Peak memory of one process.
        disk_mb: What it left in its folder.
        evaluate_s: Seconds that its scoring took.
        source: Where the numbers come from.
    """

    seconds_per_step: float | None = None
    memory_mb: float | None = None
    disk_mb: float | None = None
    evaluate_s: float | None = None
    source: str = "not measured"


def measured(study: Study, variant: str, request: JobRequest, results: Path) -> Measured:
    """The newest earlier run of the same work, else the benchmark of a step, else nothing.

    Args:
        study: The planned study.
        variant: The planned variant.
        request: What its job asks for.
        results: The folder of all studies.
    """
    wanted = work_of(study.model_dump(mode="json"), variant, request.nodes, request.devices)
    runs = sorted(
        results.glob("*/variants/*/seed*/run.json"), key=lambda path: path.stat().st_mtime
    )
    for path in reversed(runs):
        record = read_or_nothing(path)
        if not RUN.reads(record.get(VERSION)):
            continue
        own = record.get("variant"), record.get("nodes", 1), record.get("devices", 1)
        if wanted == work_of(record.get("config", {}), *own):
            return _from_run(path, record, results)
    return _from_benchmarks(study, variant, request, results / BENCHMARKS) or Measured()


def work_of(config: Mapping[str, Any], variant: Any, nodes: int, devices: int) -> Any:
    """What the time of a step depends on, as plain values that can be compared."""
    stanza = config.get("variant_stanzas", {}).get(variant, {})
    own = {path: _at(stanza if star else config, rest) for path, star, rest in PACE}
    precision = own.pop("variant_stanzas.*.precision")
    if precision is not None:
        own["train.precision"] = precision
    return [own, nodes, devices]


def _at(values: Any, path: str) -> Any:
    for part in path.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def _from_run(path: Path, record: Mapping[str, Any], results: Path) -> Measured:
    folder = path.parent
    return Measured(
        seconds_per_step=record["seconds_per_step"]["median"],
        memory_mb=record["peak_memory_mb"],
        disk_mb=sum(file.stat().st_size for file in _files(folder)) / 1e6,
        evaluate_s=_benchmark_seconds(folder / "benchmarks/evaluate.tsv"),
        source=f"{folder.relative_to(results)} ({record['device']})",
    )


def _from_benchmarks(
    study: Study, variant: str, request: JobRequest, path: Path
) -> Measured | None:
    """A step of the benchmark times the batches of it that a step of this study holds."""
    found = read_or_nothing(path)
    step = found.get("seconds", {}).get(f"step_{variant}")
    grid, model, train = study.dataset.grid, study.model, study.train
    same = (
        step is not None
        and (grid.rows, grid.columns) == (128, 256)
        and all(getattr(model, key) == value for key, value in BENCHMARKED.items())
        and request.processes == 1
        and train.accelerator == "cpu"
        and study.for_variant(variant).train.precision == "32-true"
        and train.threads == found["environment"]["threads"]
        and not train.recompute_blocks
        and found["environment"]["device"] == found["environment"]["cpu"]
    )
    if not same:
        return None
    batches = train.global_batch_size / found["facts"]["batch"]
    return Measured(
        seconds_per_step=step["median"] * batches,
        source=f"{path.name}, {batches:g} x {step['median']:.3g} s"
        f" ({found['environment']['device']})",
    )


def _benchmark_seconds(path: Path) -> float | None:
    """The seconds that Snakemake noted for a job."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return float(next(csv.DictReader(stream, delimiter="\t"))["s"])
    except (OSError, StopIteration, KeyError, ValueError):
        return None


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
