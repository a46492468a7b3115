"""Time and memory of earlier runs that did the same work as a planned training.

A run counts if it did the same work on as many devices; nothing is scaled from one number of
devices to another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from airshed.config import Study
from airshed.config.data import Split
from airshed.config.jobs import JobRequest
from airshed.config.study import DECLARED
from airshed.files import benchmark_seconds, folder_state
from airshed.integrity.formats import COST, RUN, read_or_nothing

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
        memory_mb: Peak memory of one process, on a CPU.
        device_memory_mb: What it allocated at most on its GPU.
        disk_mb: What it left in its folder.
        evaluate_s: Seconds that its scoring took, for as many samples as the planned one has.
        source: Where the numbers come from.
    """

    seconds_per_step: float | None = None
    memory_mb: float | None = None
    device_memory_mb: float | None = None
    disk_mb: float | None = None
    evaluate_s: float | None = None
    source: str = "not measured"


def measured(study: Study, variant: str, request: JobRequest, results: Path) -> Measured:
    """The newest earlier run of the same work, else its cost, else the benchmark, else nothing."""
    planned = study.model_dump(mode="json")
    wanted = work_of(planned, variant, request.nodes, request.devices)
    for path in _newest_first(results.glob("*/variants/*/seed*/run.json")):
        record = read_or_nothing(path, RUN)
        own = record.get("variant"), record.get("nodes", 1), record.get("devices", 1)
        if wanted == work_of(record.get("config", {}), *own):
            run = _from_run(path, record, results)
            scoring_s = _for_split(run.evaluate_s, planned, record["config"])
            return replace(run, evaluate_s=scoring_s)
    size = study.train.batch_size
    for path, cost in costs(results):
        found = _from_cost(cost, variant, size, f"{path.relative_to(results)}")
        there = resized(measured_with(cost, planned), size)
        if found is not None and wanted == work_of(there, variant, 1, 1):
            return found
    return _from_benchmarks(study, variant, request, results / BENCHMARKS) or Measured()


def costs(results: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every ``cost.json`` with the configuration of its measurement, the newest first."""
    for path in _newest_first(results.glob("*/cost.json")):
        if "config" in (cost := read_or_nothing(path, COST)):
            yield path, cost


def measured_with(cost: Mapping[str, Any], planned: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a cost; what its measurement did not read is as in the planned study."""
    config = cost["config"]
    return {
        key: value | config.get(key, {})
        if isinstance(value, dict) and key != "variant_stanzas"
        else config.get(key, value)
        for key, value in planned.items()
    }


def resized(config: Mapping[str, Any], size: int) -> dict[str, Any]:
    """A configuration with another number of samples computed at once."""
    return {**config, "train": config["train"] | {"batch_size": size}}


def _newest_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)


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
        **_memory(record["peak_memory_mb"], record["device"].startswith("CPU")),
        disk_mb=folder_state(folder)[1] / 1e6,
        evaluate_s=benchmark_seconds(folder / "benchmarks/evaluate.tsv"),
        source=f"{folder.relative_to(results)} ({record['device']})",
    )


def _for_split(
    seconds: float | None, planned: Mapping[str, Any], config: Mapping[str, Any]
) -> float | None:
    """Scoring seconds of one configuration's test split, for that of another."""
    return seconds and seconds * _test_samples(planned) / _test_samples(config)


def _test_samples(config: Mapping[str, Any]) -> int:
    return Split.model_validate(config["splits"]["test"]).samples(config["horizons_h"])


def _from_cost(cost: Mapping[str, Any], variant: str, size: int, where: str) -> Measured | None:
    """A variant's part of a cost, with this number of samples at once; None if not measured."""
    found, train = cost["variants"].get(variant), cost["config"]["train"]
    if found is None:
        return None
    if size == train["batch_size"]:
        step_s, peak_mb = found["seconds_per_step"]["median"], found["peak_memory_mb"]
    else:
        sizes = {each["batch_size"]: each for each in found.get("micro_batches", [])}
        if sizes.get(size, {}).get("samples_per_second") is None:
            return None
        step_s = train["global_batch_size"] / sizes[size]["samples_per_second"]
        peak_mb = sizes[size]["peak_memory_mb"]
    machine = cost["environment"]
    return Measured(
        seconds_per_step=step_s,
        **_memory(peak_mb, machine["device"] == machine["cpu"]),
        source=f"{where} ({machine['device']})",
    )


def _memory(peak_mb: float | None, on_cpu: bool) -> dict[str, Any]:
    return {"memory_mb" if on_cpu else "device_memory_mb": peak_mb}


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
