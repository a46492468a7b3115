"""Reading of training samples against the founding code's way and against a bare memory map."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import xarray as xr
from made_data import NATIVE, ROOT, SEED_GRID, fields, prepared
from torch.nn.functional import interpolate, mse_loss
from torch.utils.data import DataLoader

from airshed.assembly import build_network
from airshed.bench.measure import interleaved, ratio, spread
from airshed.config import Study, load_study, read_yaml, validate_study
from airshed.config.load import merge
from airshed.data.dataset import ForecastDataset, loader_options
from airshed.data.prepared import Prepared
from airshed.variables import HOURLY, INPUTS, STATIC, TARGETS

log = logging.getLogger(__name__)
DAYS, BATCH, BATCHES = 10, 2, 40
TARGET_CHANNELS = [INPUTS.index(name) for name in TARGETS]


def loader(scale: float) -> dict[str, Any]:
    """Samples of 15 inputs and 6 targets on 128 x 256 cells, in random order, one process.

    ``held``: normalised hours in a mapped file. ``streamed``: read from the store. ``isel``: yearly
    Zarr with one hour in a chunk on the native grid, one ``isel`` a variable, ``interpolate``.
    ``memmap``: the same bytes, 15 input and 6 target fields, copied out of one uncompressed file.
    All files are in the page cache.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        log.info("loader: writing data")
        made = fields(24 * DAYS, SEED_GRID)
        study = prepared(folder, DAYS, made)
        bare = np.zeros((24 * DAYS, len(INPUTS), *SEED_GRID), dtype=np.float32)
        bare[:, [INPUTS.index(name) for name in HOURLY]] = made
        np.save(folder / "bare.npy", bare)
        _yearly(folder / "yearly.zarr", fields(24, NATIVE))
        order = torch.randperm(24 * DAYS - 96, generator=torch.Generator().manual_seed(0))
        batches = order[: BATCH * BATCHES].view(BATCHES, BATCH).tolist()
        held, streamed = (_samples(study, folder, hold) for hold in ("always", "never"))
        cases: dict[str, Callable[[], object]] = {
            "held": _all(held, batches),
            "streamed": _all(streamed, batches),
            "memmap": _bare(folder / "bare.npy", batches),
            "isel": _original(folder / "yearly.zarr", batches[:2]),
        }
        times = interleaved(cases, max(2, round(7 * scale)), "loader")
        del held, streamed, cases
    times["isel"] = [taken * BATCHES / 2 for taken in times["isel"]]
    rates = {name: [BATCH * BATCHES / taken for taken in taken] for name, taken in times.items()}
    return {
        "ratios": {
            "loader_over_isel": ratio(times, "isel", "held"),
            "loader_over_memmap": ratio(times, "memmap", "held"),
            "streamed_loader_over_isel": ratio(times, "isel", "streamed"),
            "streamed_loader_over_memmap": ratio(times, "memmap", "streamed"),
        },
        "samples_per_second": {f"loader_{name}": spread(found) for name, found in rates.items()},
    }


def _samples(study: Study, folder: Path, hold: Any) -> ForecastDataset:
    paths = (folder / name for name in ("hourly.zarr", "static.nc", "statistics.nc"))
    return ForecastDataset(*paths, study.splits.train, study.horizons_h, INPUTS, TARGETS, hold)


def _all(samples: ForecastDataset, batches: list[list[int]]) -> Callable[[], object]:
    study = load_study([ROOT / "config/config.yaml", ROOT / "config/variants.yaml"])
    options = loader_options(study.loader, 0)

    def run() -> None:
        for batch in DataLoader(samples, batch_sampler=batches, **options):
            assert batch.x.shape == (BATCH, len(INPUTS), *SEED_GRID)

    return run


def _bare(path: Path, batches: list[list[int]]) -> Callable[[], object]:
    stored = np.load(path, mmap_mode="r")

    def run() -> None:
        for batch in batches:
            for hour in batch:
                x, y = np.array(stored[hour]), np.array(stored[hour + 24, TARGET_CHANNELS])
                assert (len(x), len(y)) == (len(INPUTS), len(TARGETS))

    return run


def _yearly(path: Path, made: np.ndarray) -> None:
    store = xr.Dataset(
        {name: (("time", "y", "x"), made[:, index]) for index, name in enumerate(HOURLY)}
    )
    for name in STATIC:
        store[name] = store["temp"] * 0 + 1
    chunks = {name: {"chunks": (1, *NATIVE)} for name in store.data_vars}
    store.to_zarr(path, encoding=chunks, consolidated=True)


def _original(path: Path, batches: list[list[int]]) -> Callable[[], object]:
    store = xr.open_zarr(path)

    def sample(hour: int) -> None:
        for at, names in ((hour, INPUTS), (hour + 1, TARGETS)):
            values = [store[name].isel(time=at).values for name in names]
            native = torch.from_numpy(np.stack(values))[None]
            interpolate(native, SEED_GRID, mode="bilinear")

    def run() -> None:
        for batch in batches:
            for hour in batch:
                sample(hour % 23)

    return run


def data_wait(scale: float) -> dict[str, Any]:
    """Share of a training step that waits for samples: the demo's model, data and batch size."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        study, samples, network = _demo(folder)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        threads = torch.get_num_threads()
        torch.set_num_threads(study.train.threads)
        shares = []
        for number in range(max(2, round(5 * scale))):
            order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(number))
            sampler = order.split(study.train.batch_size)
            batches = iter(
                DataLoader(
                    samples,
                    batch_sampler=[indices.tolist() for indices in sampler],
                    **loader_options(study.loader, study.train.workers),
                )
            )
            shares.append(_waited(batches, network, optimizer))
            log.info(f"data_wait: round {number + 1}, {shares[-1]:.2%}")
        torch.set_num_threads(threads)
        return {"ratios": {"data_wait_share": spread(shares)}}


def _waited(batches: Iterator[Any], network: torch.nn.Module, optimizer: Any) -> float:
    waited, started = 0.0, time.perf_counter()
    while True:
        asked = time.perf_counter()
        batch = next(batches, None)
        waited += time.perf_counter() - asked
        if batch is None:
            return waited / (time.perf_counter() - started)
        forecast = network(batch.x, batch.lead_hours, TARGETS)
        loss = mse_loss(forecast, batch.y.nan_to_num())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def _demo(folder: Path) -> tuple[Study, ForecastDataset, torch.nn.Module]:
    """The demo study on twelve of its days."""
    values = read_yaml(ROOT / "config/config.yaml") | read_yaml(ROOT / "config/variants.yaml")
    start = values["dataset"]["period"]["start"]
    ends = {"period": {"start": start, "end": "2015-01-24"}}
    splits = {
        "train": {"end": "2015-01-12"},
        "validation": {"start": "2015-01-13", "end": "2015-01-18"},
        "test": {"start": "2015-01-19", "end": "2015-01-24"},
    }
    study = validate_study(merge(values, {"dataset": ends, "splits": splits}), "benchmark")
    log.info("data_wait: simulating twelve days of training data")
    sys.path.insert(0, str(ROOT / "tests/helpers"))  # the steps of the workflow, one by one
    from prepared_data import prepare

    paths: Prepared = prepare(study, folder)
    samples = ForecastDataset(
        paths.hourly,
        paths.static,
        paths.statistics,
        study.splits.train,
        study.horizons_h,
        INPUTS,
        TARGETS,
    )
    return study, samples, build_network(study, "wind_baseline", paths, 0)
