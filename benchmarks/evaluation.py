"""How much of an evaluation is its forward passes, and how much memory it holds.

The demo's network forecasts random fields on the demo's grid and on the full one (2,048 tokens).
``evaluation_forward_share`` is the time of the forward passes alone, inputs in memory, over that of
the whole evaluation of the same samples: reading, forecasting, scoring in all strata. An idle
second core is part of the design: truth is read and scored there. Where other work keeps it from
being idle, ``evaluation_forward_share_main_thread`` still tells what share of the main thread's
processor time the forward passes are.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from airshed.bench.measure import peak_mb, spread
from airshed.bench.problem import random_geography
from airshed.config import Study, read_yaml, validate_study
from airshed.data.climatology import Climatology
from airshed.data.dataset import ForecastDataset
from airshed.data.hourly import create, write_day, write_present
from airshed.data.normalisation import Normaliser
from airshed.data.statistics import statistics
from airshed.data.stores import STATIC_VARIABLES, open_hourly, open_static, write_netcdf
from airshed.evaluation.aggregation import Period
from airshed.evaluation.baselines.known import Known
from airshed.evaluation.baselines.ridge import ridge
from airshed.evaluation.batch import Domain
from airshed.evaluation.evaluate import init_times
from airshed.evaluation.gridded import GriddedScores
from airshed.evaluation.loop import batches_of, score_forecasts
from airshed.evaluation.network import NetworkForecaster
from airshed.evaluation.reading import SampleReader
from airshed.model import build_model
from airshed.model.scan import RasterScan
from airshed.variables import HOURLY, INPUTS, TARGETS, VARIABLES

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[1]
GRIDS = {"demo": (32, 64), "full_grid": (128, 256)}
TEST = {"demo": ("2015-01-08", "2015-01-12", 2), "full_grid": ("2015-01-08", "2015-01-09", 6)}
ROUNDS = {"demo": 9, "full_grid": 5}
KEYS = {
    "wall": ["evaluation_forward_share"],
    "main_thread": ["evaluation_forward_share_main_thread"],
    "demo": [],
    "full_grid": ["full_grid"],
}
HARMONICS = 2


def evaluations(scale: float) -> dict[str, Any]:
    """Time of forward passes over that of whole evaluations, and peak memory of the latter."""
    found: dict[str, dict[str, Any]] = {"ratios": {}, "seconds": {}, "memory_mb": {}}
    for name in GRIDS:
        with tempfile.TemporaryDirectory() as folder:
            problem = Problem(name, Path(folder))
            rounds = max(1, round(ROUNDS[name] * scale))
            cases = {"forward": problem.forward(), "evaluation": problem.evaluation}
            taken = _clocked(cases, rounds, name)
        for clock in ("wall", "main_thread"):
            pairs = zip(taken["forward", clock], taken["evaluation", clock], strict=True)
            shares = [forward / whole for forward, whole in pairs]
            found["ratios"]["_".join([*KEYS[clock], *KEYS[name]])] = spread(shares)
            for case in cases:
                each = [1e3 * took / len(problem.samples) for took in taken[case, clock]]
                found["seconds"][f"{case}_of_1000_samples_{name}_{clock}"] = spread(each)
    found["memory_mb"]["evaluation_full_grid"] = spread([peak_mb(_evaluation, "full_grid")])
    found["memory_mb"]["ridge_full_grid"] = spread([peak_mb(_ridge, "full_grid")])
    return found


def _clocked(
    cases: Mapping[str, Callable[[], None]], rounds: int, name: str
) -> dict[tuple[str, str], list[float]]:
    """Seconds of every case in every round: wall clock, and processor time of the main thread."""
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(-1, rounds):
        for case, work in cases.items():
            wall, own = time.perf_counter(), time.thread_time()
            work()
            if number >= 0:
                taken[case, "wall"].append(time.perf_counter() - wall)
                taken[case, "main_thread"].append(time.thread_time() - own)
        log.info("evaluation, %s: round %d of %d", name, number + 1, rounds)
    return taken


def _evaluation(name: str) -> Callable[[], None]:
    folder = tempfile.mkdtemp()  # the process ends with it
    return Problem(name, Path(folder)).evaluation


def _ridge(name: str) -> Callable[[], object]:
    problem = Problem(name, Path(tempfile.mkdtemp()))
    known = Known(problem.study, problem.hourly, problem.domain.mask, problem.climatology)
    return lambda: ridge(known)


class Problem:
    """Random fields in a store of the project's layout, and a network of the demo's size."""

    def __init__(self, name: str, folder: Path) -> None:
        self.study = study_of(name)
        hourly, static, moments = (folder / part for part in ("h.zarr", "static.nc", "m.nc"))
        write_data(self.study, hourly, static)
        statistics(
            hourly,
            static,
            self.study.splits.train,
            self.study.normalisation,
            self.study.preprocessing,
            1,
            moments,
        )
        self.samples = ForecastDataset(
            hourly, static, moments, self.study.splits.test, self.study.horizons_h, INPUTS, TARGETS
        )
        self.hourly = open_hourly(hourly, hours_per_task=None)
        self.domain = Domain.of(open_static(static))
        terms = 1 if name == "demo" else 1 + 2 * HARMONICS
        shape = (terms, 24, len(TARGETS), *self.domain.mask.shape)
        self.climatology = Climatology(np.ones(shape, dtype=np.float32))
        self.batches = batches_of(self.samples.samples, self.study.evaluation.batch_size)
        normaliser = Normaliser.read(moments, TARGETS)
        size = self.study.evaluation.batch_size
        self.forecaster = NetworkForecaster(network(self.study), self.samples, normaliser, size)

    def forward(self) -> Callable[[], None]:
        """The forward passes of all batches."""
        inputs = [self.forecaster.inputs(rows) for rows in self.batches]

        def run() -> None:
            for batch in inputs:
                self.forecaster.forward(*batch)

        return run

    def evaluation(self) -> None:
        """Reading, forecasting and scoring all batches."""
        study = self.study
        period = Period(init_times(study), tuple(study.horizons_h), study.target_variables)
        scores = GriddedScores(period, self.domain, self.climatology, study.evaluation)
        reader = SampleReader(self.hourly, TARGETS, max(study.horizons_h))
        score_forecasts(self.batches, self.forecaster, reader, {"scores": scores}, "benchmark")


def study_of(name: str) -> Study:
    """The demo study on another grid and over fewer days."""
    values = read_yaml(ROOT / "config/config.yaml") | read_yaml(ROOT / "config/variants.yaml")
    rows, columns = GRIDS[name]
    start, end, step = TEST[name]
    values["dataset"] |= {
        "grid": {"rows": rows, "columns": columns},
        "period": {"start": "2015-01-01", "end": end},
    }
    values["splits"] = {
        "train": {"start": "2015-01-01", "end": "2015-01-06", "init_every_h": 4},
        "validation": {"start": "2015-01-07", "end": "2015-01-07", "init_every_h": 1},
        "test": {"start": start, "end": end, "init_every_h": step},
    }
    values["horizons_h"] = [6, 12, 18, 23]  # a day of validation is enough for them
    return validate_study(values, "benchmark")


def network(study: Study) -> torch.nn.Module:
    """A network of the study's size without a bias."""
    grid, model = study.dataset.grid, study.model
    shape = (grid.rows, grid.columns)
    return build_model(
        INPUTS,
        shape,
        bias={"kind": "none"},
        scan=RasterScan(),
        geography=random_geography(shape, model.patch),
        seed=0,
        depth=model.depth,
        patch_size=model.patch,
        num_heads=model.heads,
        embed_dim=model.dim,
        decoder_depth=model.decoder_depth,
    )


def write_data(study: Study, hourly: Path, static: Path) -> None:
    """Fields about the middle of what is plausible, each hour another."""
    grid = study.dataset.grid
    shape = (grid.rows, grid.columns)
    rng = np.random.default_rng(0)
    lat, lon = np.meshgrid(
        np.linspace(18, 52, shape[0]), np.linspace(76, 134, shape[1]), indexing="ij"
    )
    create(hourly, study.dataset, lat, lon)
    days = study.dataset.period.days
    for day in range(len(days)):
        fields = rng.gamma(2, 20, size=(24, len(HOURLY), *shape)).astype(np.float32)
        for channel, name in enumerate(HOURLY):
            if name not in TARGETS:
                fields[:, channel] *= 0.1 * (VARIABLES[name].high - VARIABLES[name].low) / 200
                fields[:, channel] += VARIABLES[name].low
        fields[:, HOURLY.index("co")] /= 50
        write_day(hourly, day, fields, HOURLY)
    write_present(hourly, np.ones(24 * len(days), dtype=bool))
    still = dict.fromkeys(STATIC_VARIABLES, np.ones(shape))
    still |= {"lat2d": lat, "lon2d": lon, "elevation": 4000 * rng.random(shape)}
    still["population"] = rng.gamma(1, 1e4, size=shape)
    write_netcdf(xr.Dataset({key: (("y", "x"), value) for key, value in still.items()}), static)
