"""Ingest: against ``xarray.open_mfdataset``, for more days, and of gridded series."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from made_data import START, raw_files, series_files, study

from airshed.bench.measure import Times, ratio, spread

log = logging.getLogger(__name__)
DAYS, WORKERS = 10, 1
SAMPLING_S = 0.01


def ingest(scale: float) -> dict[str, Any]:
    """Ten days of hourly files, 339 x 432, deflated NetCDF-4, read into Zarr.

    Ours is one process, as ``airshed ingest`` runs by default, that checks and regrids to 128 x 256
    on the way; ``mfdataset`` uses all cores and writes the native grid in chunks
    of a day, the faster of its forms. Each runs in a fresh process; memory is the peak of the
    anonymous memory of all its processes beyond what importing takes.
    """
    times: Times = {"ours": [], "mfdataset": []}
    memory: Times = {"ours": [], "mfdataset": []}
    with TemporaryDirectory() as name:
        folder = Path(name)
        log.info("ingest: writing raw files")
        megabytes = raw_files(folder / "raw", 24 * DAYS) / 1e6
        for number in range(max(1, round(3 * scale))):
            for case, work in (("ours", ours), ("mfdataset", mfdataset)):
                with TemporaryDirectory(dir=folder) as out:
                    taken, peak = _alone(work, folder / "raw", Path(out))
                times[case].append(taken)
                memory[case].append(peak)
                log.info(f"ingest: round {number + 1}, {case} {taken:.1f} s, {peak:.0f} MB")
    speeds = {case: [megabytes / taken for taken in times[case]] for case in times}
    return {
        "ratios": {
            "ingest_over_mfdataset": ratio(times, "mfdataset", "ours"),
            "ingest_memory_over_mfdataset": ratio(memory, "ours", "mfdataset"),
        },
        "memory_mb": {f"ingest_{case}": spread(found) for case, found in memory.items()},
        "mb_per_second": {f"ingest_{case}": spread(found) for case, found in speeds.items()},
    }


def gridded(scale: float) -> dict[str, Any]:
    """The same fields as hourly files and as a series of daily files: time and memory.

    Both are deflated NetCDF-4 of the same values. ``packed`` are the same as NetCDF-3 of packed
    shorts, as many archives have them.
    """
    cases = {"archives": ours, "series": series, "packed": series}
    times: Times = {case: [] for case in cases}
    memory: Times = {case: [] for case in cases}
    megabytes = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        log.info("gridded: writing raw files")
        megabytes["archives"] = raw_files(folder / "archives", 24 * DAYS) / 1e6
        for case in ("series", "packed"):
            megabytes[case] = series_files(folder / case, DAYS, case == "packed") / 1e6
        for number in range(max(1, round(3 * scale))):
            for case, work in cases.items():
                with TemporaryDirectory(dir=folder) as out:
                    taken, peak = _alone(work, folder / case, Path(out))
                times[case].append(taken)
                memory[case].append(peak)
                log.info(f"gridded: round {number + 1}, {case} {taken:.1f} s, {peak:.0f} MB")
    speeds = {case: [megabytes[case] / taken for taken in times[case]] for case in cases}
    return {
        "ratios": {
            f"{case}_{kind}_over_archives": ratio(found, case, "archives")
            for case in ("series", "packed")
            for kind, found in (("time", times), ("memory", memory))
        },
        "memory_mb": {f"gridded_{case}": spread(found) for case, found in memory.items()},
        "mb_per_second": {f"gridded_{case}": spread(found) for case, found in speeds.items()},
    }


def scaling(scale: float) -> dict[str, Any]:
    """Twenty days and two hundred: time over time for ten times the days, memory over memory."""
    times: Times = {"few": [], "many": []}
    memory: Times = {"few": [], "many": []}
    few = max(2, round(20 * scale))
    with TemporaryDirectory() as name:
        folder = Path(name)
        raw_files(folder / "raw", 24)
        for case, days in (("few", few), ("many", 10 * few)):
            _repeat_day(folder / "raw", folder / case, days)
            with TemporaryDirectory(dir=folder) as out:
                taken, peak = _alone(ours, folder / case, Path(out))
            times[case].append(taken)
            memory[case].append(peak)
            log.info(f"ingest: {days} days, {taken:.1f} s, {peak:.0f} MB")
    return {
        "ratios": {
            "ingest_time_ten_times_the_days": ratio(times, "many", "few"),
            "ingest_memory_ten_times_the_days": ratio(memory, "many", "few"),
        },
    }


def _repeat_day(source: Path, target: Path, days: int) -> None:
    """The files of one day under the names of many, as links."""
    target.mkdir()
    for hour in range(24 * days):
        time_of = START + timedelta(hours=hour)
        name = f"CN-Reanalysis{START + timedelta(hours=hour % 24):%Y%m%d%H}.nc"
        (target / f"CN-Reanalysis{time_of:%Y%m%d%H}.nc").hardlink_to(source / name)


def ours(raw: Path, out: Path) -> Callable[[], object]:
    """The project's ingest by two processes."""
    from airshed.config.preprocessing import DaskConfig
    from airshed.data.ingest import Outputs
    from airshed.data.ingest import ingest as run

    days = len(list(raw.iterdir())) // 24
    dataset = study(days).dataset.model_copy(update={"units": {}})
    outputs = Outputs(out / "hourly.zarr", out / "ingest.json", out / "quality.csv")
    return lambda: run(dataset, raw, outputs, DaskConfig(), WORKERS)


def series(raw: Path, out: Path) -> Callable[[], object]:
    """The project's ingest of a gridded series."""
    from airshed.config.data import DatasetConfig
    from airshed.config.preprocessing import DaskConfig
    from airshed.data.ingest import Outputs
    from airshed.data.ingest import ingest as run

    founding = study(len(list(raw.iterdir()))).dataset
    kept = founding.model_dump(include={"name", "period", "grid", "elevation_file"})
    files = {"path": str(raw), "population_file": "unused", "source": "gridded"}
    dataset = DatasetConfig.model_validate(kept | files | {"elevation_file": "unused"})
    outputs = Outputs(out / "hourly.zarr", out / "ingest.json", out / "quality.csv")
    return lambda: run(dataset, raw, outputs, DaskConfig(), WORKERS)


def mfdataset(raw: Path, out: Path) -> Callable[[], object]:
    """What a notebook does."""
    import dask.array  # noqa: F401
    import netCDF4  # noqa: F401
    import xarray as xr

    files = sorted(raw.iterdir())

    def run() -> None:
        hours = xr.open_mfdataset(files, combine="nested", concat_dim="time")
        hours.chunk({"time": 24}).to_zarr(out / "hours.zarr", zarr_format=3, consolidated=False)

    return run


def _alone(prepare: Callable[..., Any], raw: Path, out: Path) -> tuple[float, float]:
    """Seconds and MB of a case in a fresh process, with one heap as in the workflow."""
    os.environ["MALLOC_ARENA_MAX"] = "1"
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        process = psutil.Process(pool.submit(_imported, prepare, raw, out).result())
        before = _tree_mb(process)
        watch = _Peak(process)
        taken = pool.submit(_timed, prepare, raw, out).result()
        return taken, watch.stop() - before


def _imported(prepare: Callable[..., Any], raw: Path, out: Path) -> int:
    prepare(raw, out)
    return os.getpid()


def _timed(prepare: Callable[..., Any], raw: Path, out: Path) -> float:
    work = prepare(raw, out)
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _tree_mb(process: psutil.Process) -> float:
    """Anonymous memory (what is no mapped file) of a process and all that it started."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        try:
            lines = Path(f"/proc/{each.pid}/status").read_text(encoding="ascii").splitlines()
        except OSError:  # ended meanwhile
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
    return total / 1e3


class _Peak:
    """Watches the memory of a process until it is stopped."""

    def __init__(self, process: psutil.Process) -> None:
        self.process, self.peak = process, 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLING_S):
            self.peak = max(self.peak, _tree_mb(self.process))

    def stop(self) -> float:
        """The highest value seen."""
        self._done.set()
        self._thread.join()
        return self.peak
