"""Simulated squared errors of models, of which it is known how they differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.signal import lfilter

POLLUTANTS = ("pm25", "pm10", "so2", "no2", "co", "o3")
HORIZONS_H = (12, 24, 48, 96)
CELLS = len(POLLUTANTS) * len(HORIZONS_H)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """What the errors of variants and their reference have in common and apart.

    The logarithm of a squared error is a sum of weather (all models), of what a model's structure
    does to it (all seeds of the model), of what one training does to it, all three AR(1) over init
    times, and of a constant of the training. Standard deviations are of log squared errors,
    ``seed_sd`` of log RMSE.

    Attributes:
        init_times: Number of init times.
        step_h: Hours between them.
        correlation: Of consecutive init times.
        seeds: Trainings of each model.
        seed_sd: Spread of RMSE between trainings, as a fraction.
        change: True relative change of RMSE, of the first variant.
        variants: How many are compared with the one reference.
        weather_sd: Of the weather.
        structure_sd: Of each model's structure.
        training_sd: Of each training.
        cell_correlation: Between pollutants and horizons.
        seed_correlation: Between trainings of different models that have the same seed.
        seed_sd_ratio: Spread between the last variant's trainings over that of the others.
        missing: Share of init times that are missing.
        daily: Amplitude of a daily cycle that differs between variants and reference.
    """

    init_times: int = 1460
    step_h: int = 6
    correlation: float = 0.9
    seeds: int = 3
    seed_sd: float = 0.02
    change: float = 0.0
    variants: int = 1
    weather_sd: float = 0.7
    structure_sd: float = 0.2
    training_sd: float = 0.2
    cell_correlation: float = 0.0
    seed_correlation: float = 0.0
    seed_sd_ratio: float = 1.0
    missing: float = 0.0
    daily: float = 0.0


def simulate(design: Design, rng: np.random.Generator) -> list[xr.DataArray]:
    """Squared errors of the variants and, last, of their reference, as ``compare`` takes them."""
    weather = design.weather_sd * _autoregressive(design, rng, 1)
    missing = rng.random(design.init_times) < design.missing
    hours = design.step_h * np.arange(design.init_times)
    daily = design.daily * np.sin(2 * np.pi * hours / 24)[:, None]
    shared = np.sqrt(design.seed_correlation)
    own = np.sqrt(1 - design.seed_correlation)
    common = _trainings(design, rng) if shared else 0.0
    names = [f"variant{number}" for number in range(1, design.variants + 1)]
    made = []
    for name in [*names, "reference"]:
        last = name == names[-1]
        sd = design.seed_sd * (design.seed_sd_ratio if last else 1.0)
        logs = (
            weather
            + design.structure_sd * _autoregressive(design, rng, 1)
            + (own * _trainings(design, rng, sd) + shared * common)
            + (daily if name != "reference" else -daily)
        )
        if name == names[0]:
            logs += 2 * np.log1p(design.change)
        logs[:, missing] = np.nan
        made.append(
            xr.DataArray(
                np.exp(logs).reshape(*logs.shape[:2], len(POLLUTANTS), len(HORIZONS_H)),
                dims=("seed", "init_time", "pollutant", "horizon_h"),
                coords={
                    "seed": range(design.seeds),
                    "init_time": pd.Timestamp("2018-01-01") + pd.to_timedelta(hours, unit="h"),
                    "pollutant": list(POLLUTANTS),
                    "horizon_h": list(HORIZONS_H),
                },
                name=name,
            )
        )
    return made


def _trainings(design: Design, rng: np.random.Generator, seed_sd: float | None = None) -> Floats:
    """[seeds, T, cells]: what trainings do to the weather, and how good they turned out."""
    sd = design.seed_sd if seed_sd is None else seed_sd
    noise: Floats = design.training_sd * _autoregressive(design, rng, design.seeds)
    return noise + 2 * sd * _cells(design, rng, (design.seeds, 1))


def _autoregressive(design: Design, rng: np.random.Generator, seeds: int) -> Floats:
    """[seeds, T, cells]: stationary AR(1) with unit variance."""
    noise = _cells(design, rng, (seeds, design.init_times))
    noise[:, 1:] *= np.sqrt(1 - design.correlation**2)
    filtered: Floats = lfilter([1.0], [1.0, -design.correlation], noise, axis=1)
    return filtered


def _cells(design: Design, rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """[*shape, cells]: standard normal, correlated between cells."""
    own = rng.standard_normal((*shape, CELLS))
    common = rng.standard_normal((*shape, 1))
    shared = design.cell_correlation
    mixed: Floats = np.sqrt(1 - shared) * own + np.sqrt(shared) * common
    return mixed
