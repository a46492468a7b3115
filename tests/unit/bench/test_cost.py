"""What ``cost.json`` says, and that a measured step is a step of training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from airshed.bench import cache
from airshed.bench import cost as cost_module
from airshed.bench import micro_batches as sizes
from airshed.bench.cost import (
    _variant,
    cost_of_study,
    cost_table,
    measure_cost,
    measured_steps,
)
from airshed.bench.problem import computed_scan, random_geography
from airshed.bench.step import training_step
from airshed.bench.variants import MaskedBatch, batch_of
from airshed.config import Study
from airshed.errors import AirshedError
from airshed.model.scan import RasterScan, WindScan


def test_a_step_is_clipped_gradient_descent_on_the_mean_of_its_batches() -> None:
    """One weight 3, loss w^2 / 2 in each batch: gradient 3, clipped to 1, rate 0.1: 2.9."""
    weight = nn.Parameter(torch.tensor(3.0))
    calls: list[torch.dtype] = []

    def loss() -> torch.Tensor:
        calls.append(torch.get_autocast_dtype("cpu"))
        return weight.square() / 2

    optimizer = torch.optim.SGD([weight], lr=0.1)
    step = training_step(loss, optimizer, accumulate=4, clip=1.0, autocast=None)
    step()
    assert len(calls) == 4
    assert weight.item() == pytest.approx(2.9, rel=1e-5)
    assert weight.grad is None
    training_step(loss, optimizer, accumulate=1, clip=100.0, autocast=None)()
    assert weight.item() == pytest.approx(2.9 - 0.1 * 2.9, rel=1e-5)


def test_precision_is_that_of_the_study() -> None:
    layer = nn.Linear(4, 4)
    seen: list[torch.dtype] = []

    def loss() -> torch.Tensor:
        out = layer(torch.ones(2, 4))
        seen.append(out.dtype)
        return out.float().sum()

    for autocast in (None, torch.bfloat16):
        optimizer = torch.optim.AdamW(layer.parameters())
        training_step(loss, optimizer, accumulate=1, clip=1.0, autocast=autocast)()
    assert seen == [torch.float32, torch.bfloat16]


def test_scans_and_terrain_from_nothing() -> None:
    assert isinstance(computed_scan("raster", (4, 8), (2, 2), 16, 2), RasterScan)
    assert isinstance(computed_scan("wind", (4, 8), (2, 2), 16, 2), WindScan)
    elevation = random_geography((8, 16), 2).elevation_m
    assert elevation.shape == (32,)
    assert 1000 < elevation.max() < 5000  # metres


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cost") / "cost.json"


def test_every_variant_is_measured_against_its_reference(
    tiny_study: Study, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = iter((100.0, 130.0))
    monkeypatch.setattr("airshed.bench.cost.peak_mb", lambda *arguments: next(peaks))
    cost = measure_cost(tiny_study, ["physics_mask"], None, 2, written)
    assert json.loads(written.read_text()) == cost
    base, mask = (cost["variants"][name] for name in ("wind_baseline", "physics_mask"))
    assert mask["parameters"] - base["parameters"] == 1  # alpha
    assert base["overhead"] is None
    assert mask["overhead"]["reference"] == "wind_baseline"
    shares = [mask["overhead"][key] for key in ("min", "p25", "median", "p75", "max")]
    assert shares == sorted(shares)
    assert (base["peak_memory_mb"], mask["peak_memory_mb"]) == (100.0, 130.0)
    assert cost["fields"] == "random"
    # 5 days, every 6 h, the last horizon of 24 h inside: 16 init times x 2 horizons; batches of 4,
    # two of them a step, two epochs
    assert cost["optimizer_steps"] == 2 * np.ceil(16 * 2 / 4 / 2)
    hours = cost["optimizer_steps"] * mask["seconds_per_step"]["median"] / 3600
    assert mask["device_hours"]["one_training"] == pytest.approx(hours, abs=1e-4)
    shown = cost_table(cost)
    assert "over wind_baseline" in shown
    assert "fields: random" in shown
    assert "by train.batch_size" not in shown  # a CPU gains nothing by it
    mask["micro_batches"] = [
        {"batch_size": 2, "samples_per_second": 45.1234, "peak_memory_mb": 4400.2},
        {"batch_size": 4, "samples_per_second": None, "peak_memory_mb": None},
    ]
    assert "by train.batch_size: 2: 45.12 (4400 MB), 4: does not fit" in cost_table(cost)


def test_sizes_of_micro_batches_are_measured_until_one_does_not_fit(
    tiny_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Global batches of 8: a step of a second is 8 samples, or 16 where all are taken at once."""
    taken: list[int] = []

    def seconds(step: Callable[[], None]) -> float:
        step()
        return 1.0

    def batch(study: Study, prepared: None) -> MaskedBatch:
        taken.append(study.train.batch_size)
        if study.train.batch_size > 16:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return batch_of(study, prepared)

    monkeypatch.setattr(sizes, "seconds", seconds)
    monkeypatch.setattr(sizes, "batch_of", batch)
    found = sizes.micro_batches(tiny_study, "physics_mask", None, [2, 4, 16, 32, 64], 1)
    assert [(each["batch_size"], each["samples_per_second"]) for each in found] == [
        (2, 8.0),
        (4, 8.0),
        (16, 16.0),
        (32, None),
        (64, None),
    ]
    assert taken == [2, 4, 16, 32]  # a larger one is not tried


def test_memory_of_a_size_counts_its_own_recording_and_no_earlier_one(
    tiny_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replays allocate nothing: their memory shows while passes are recorded."""
    calls: list[str] = []

    def recorded(
        study: Study, variant: str, network: nn.Module, batch: object
    ) -> Callable[[], None]:
        calls.append("recorded" + ", beside another" * ("forward" in vars(network)))
        network.forward = network.forward  # as recording does
        return lambda: None

    for name in ("empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda name=name: calls.append(name))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: calls.append("peak") or 5e6)
    monkeypatch.setattr(sizes, "seconds", lambda step: 1.0)
    monkeypatch.setattr(sizes, "step_of", recorded)
    found = sizes.micro_batches(tiny_study, "physics_mask", None, [2, 4], 1)
    assert [each["peak_memory_mb"] for each in found] == [5.0, 5.0]
    assert calls == ["empty_cache", "reset_peak_memory_stats", "recorded", "peak"] * 2


def test_on_a_gpu_micro_batches_tell_the_memory(
    tiny_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = [{"batch_size": size, "peak_memory_mb": 20.0 * size + 10} for size in (2, 4)]
    monkeypatch.setattr(cost_module, "device_of", lambda study: torch.device("cuda"))
    monkeypatch.setattr(cost_module, "measure_micro_batches", lambda *arguments: measured)
    found = cost_module._memory(tiny_study, "physics_mask", None, 1)  # batches of 4
    assert found == {"peak_memory_mb": 90.0, "micro_batches": measured}


def test_a_step_that_does_not_fit_is_one_message(
    tiny_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone; and beside its reference's, when each of them fits."""
    measured = [
        {"batch_size": 2, "samples_per_second": 45.0, "peak_memory_mb": 4400.0},
        {"batch_size": 4, "samples_per_second": None, "peak_memory_mb": None},
    ]
    monkeypatch.setattr(cost_module, "measure_micro_batches", lambda *arguments: measured)
    with monkeypatch.context() as patch:
        patch.setattr(cost_module, "device_of", lambda study: torch.device("cuda"))
        with pytest.raises(AirshedError, match=r"(?s)batch_size 4.*2: 45 \(4400 MB\), 4: does not"):
            measured_steps(tiny_study, [], None, 1)

    def exhausted(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(cost_module, "_memory", lambda *_: {})
    monkeypatch.setattr(cost_module, "interleaved", exhausted)
    with pytest.raises(AirshedError, match=r"(?s)wind_baseline, physics_mask beside.*2\.00 GiB"):
        measured_steps(tiny_study, [], None, 1)


def test_overhead_is_taken_round_by_round(tiny_study: Study) -> None:
    """The machine slows down tenfold on the way: the ratios stay 1.1, 1.2, 1.0."""
    times = {"wind_baseline": [1.0, 10.0, 2.0], "physics_mask": [1.1, 12.0, 2.0]}
    network = torch.nn.Module()
    network.cores = []
    found = _variant(tiny_study, "physics_mask", network, times)  # type: ignore[arg-type]
    expected = {"min": 0, "p25": 0.05, "median": 0.1, "p75": 0.15, "max": 0.2, "rounds": 3}
    overhead = found["overhead"]
    assert overhead.pop("reference") == "wind_baseline"
    assert overhead == pytest.approx(expected)
    # two epochs of 14,400 samples, eight a step: 3,600 steps of 2 s; two seeds
    measured = {"samples": 14_400, "environment": {"device": "here"}}
    measured["config"] = {"variant_stanzas": {"physics_mask": {}}}
    measured["variants"] = {"physics_mask": found}
    cost = cost_of_study(tiny_study, {"physics_mask": measured})
    hours = cost["variants"]["physics_mask"]["device_hours"]
    assert hours == {"one_training": 2.0, "all_seeds": 4.0}
    assert cost["optimizer_steps"] == 3600


def test_an_unknown_variant_is_refused(tiny_study: Study, tmp_path: Path) -> None:
    with pytest.raises(AirshedError, match="wind_baseline, physics_mask"):
        measure_cost(tiny_study, ["phisics_mask"], None, 1, tmp_path / "cost.json")


def test_it_is_measured_again_for_other_settings_and_devices_but_not_for_other_data(
    tiny_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, measured, hours, device = tmp_path / "cost.json", list[int](), [0] * 7, ["a card"]

    def measure(*_: object) -> dict[str, object]:
        measured.append(0)
        return {"samples": len(hours), "seconds": 0.1 * len(measured)}

    monkeypatch.setattr(cache, "measured_steps", measure)
    monkeypatch.setattr(cache, "training_samples", lambda *_: hours)
    monkeypatch.setattr(cache, "environment", lambda: {"device": device[0]})

    def found(study: Study = tiny_study, rounds: int = 21) -> dict[str, object]:
        return cache.measured_once(study, "physics_mask", None, rounds, output)  # type: ignore[arg-type]

    assert found() == found() == {"samples": 7, "seconds": 0.1}
    hours.pop()
    slower = tiny_study.train.model_copy(update={"learning_rate": 1e-9, "epochs": 9})
    assert found(tiny_study.model_copy(update={"train": slower})) == {"samples": 6, "seconds": 0.1}
    assert found(rounds=5)["seconds"] == 0.2
    smaller = tiny_study.model_copy(
        update={"model": tiny_study.model.model_copy(update={"dim": 16})}
    )
    assert found(smaller)["seconds"] == pytest.approx(0.3)
    device[0] = "another"
    assert found(smaller)["seconds"] == 0.4
    assert found(smaller)["seconds"] == 0.4
