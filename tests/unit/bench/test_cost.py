"""What ``cost.json`` says, and that a measured step is a step of training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from airshed.bench.cost import _variant, cost_of_study, cost_table, measure_cost
from airshed.bench.problem import computed_scan, random_geography
from airshed.bench.step import training_step
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
    measured["variants"] = {"physics_mask": found}
    cost = cost_of_study(tiny_study, {"physics_mask": measured})
    hours = cost["variants"]["physics_mask"]["device_hours"]
    assert hours == {"one_training": 2.0, "all_seeds": 4.0}
    assert cost["optimizer_steps"] == 3600


def test_an_unknown_variant_is_refused(tiny_study: Study, tmp_path: Path) -> None:
    with pytest.raises(AirshedError, match="wind_baseline, physics_mask"):
        measure_cost(tiny_study, ["phisics_mask"], None, 1, tmp_path / "cost.json")
