"""Load: planning a large study, finding the samples of ten years, a study of a thousand jobs."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import yaml
from made_data import ROOT, SEED_GRID, study

from airshed.bench.measure import Times, interleaved, ratio, spread, status_mb
from airshed.config.data import DatasetConfig, Period, Split
from airshed.data.archives import find_days
from airshed.data.hourly import create, write_present
from airshed.data.samples import sample_index
from airshed.data.stores import open_hourly
from airshed.variables import HOURLY

sys.path.insert(0, str(ROOT / "tests/helpers"))
from workflow_runs import environment, jobs, with_stand_in

log = logging.getLogger(__name__)
LARGE = ("--configfile", "config/studies/ablation.yaml")  # every variant, 5 seeds, 4 horizons
LEAST_JOBS = 1000
SEEDS = 200  # of two variants: trained and evaluated 400 times, interpreted 200 times
HORIZONS_H = (12, 24, 48, 96)
LOOK_EVERY_S = 0.05


def planning(scale: float) -> dict[str, Any]:
    """Dry runs of the ablation with every variant, seed and horizon, and of the demo.

    What the two differ by is what jobs cost; most of the rest is starting Snakemake. Memory is the
    largest resident size of the process.
    """
    times: Times = {"large": [], "demo": []}
    memory: Times = {"large": [], "demo": []}
    counts = {}
    with TemporaryDirectory() as name:
        folder = with_stand_in(Path(name) / "checkout")
        for number in range(max(1, round(5 * scale))):
            for case, options in (("large", LARGE), ("demo", ())):
                taken, peak, said = _snakemake(folder, "-n", *options)
                counts[case] = sum(count for rule, count in jobs(said).items() if rule != "total")
                times[case].append(taken)
                memory[case].append(peak)
                log.info(f"planning: round {number + 1}, {case} {taken:.1f} s, {peak:.0f} MB")
    return {
        "ratios": {
            "plan_large_over_demo": ratio(times, "large", "demo"),
            "plan_memory_large_over_demo": ratio(memory, "large", "demo"),
        },
        "seconds": {f"plan_{case}": spread(taken) for case, taken in times.items()},
        "memory_mb": {f"plan_{case}": spread(found) for case, found in memory.items()},
        "counts": {f"plan_{case}_jobs": count for case, count in counts.items()},
    }


def index(scale: float) -> dict[str, Any]:
    """Finding the archives of ten years, opening their store, listing samples; and of one year."""
    with TemporaryDirectory() as name:
        spans = {"ten_years": (2010, 2019), "one_year": (2019, 2019)}
        made = {case: _years(Path(name) / case, *years) for case, years in spans.items()}

        def work(case: str) -> int:
            raw, store, period = made[case]
            found = find_days(raw)
            hourly = open_hourly(store)
            split = Split(start=period.start, end=period.end)
            times = pd.DatetimeIndex(hourly["time"].values)
            samples = sample_index(times, hourly["present"].values, split, HORIZONS_H)
            assert len(found) == len(period.days)
            return len(samples)

        counts = {f"index_{case}_samples": work(case) for case in made}
        cases = {case: lambda case=case: work(case) for case in made}
        times = interleaved(cases, max(1, round(5 * scale)), "index")
    return {
        "ratios": {"index_ten_years_over_one": ratio(times, "ten_years", "one_year")},
        "seconds": {f"index_{case}": spread(taken) for case, taken in times.items()},
        "counts": counts,
    }


def _years(folder: Path, first: int, last: int) -> tuple[Path, Path, Period]:
    """Empty archives, and an hourly store of the seed grid whose fields are empty files."""
    period = Period(start=date(first, 1, 1), end=date(last, 12, 31))
    raw, store = folder / "raw", folder / "hourly.zarr"
    for day in period.days:
        path = raw / f"{day:%Y%m}" / f"CN-Reanalysis{day:%Y%m%d}.tar.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    dataset: DatasetConfig = study(1).dataset.model_copy(update={"period": period})
    lat, lon = np.meshgrid(*(np.arange(float(size)) for size in SEED_GRID), indexing="ij")
    create(store, dataset, lat, lon)
    write_present(store, np.ones(24 * len(period.days), dtype=bool))
    for variable, number in product(HOURLY, range(len(period.days))):
        shard = store / variable / "c" / str(number) / "0" / "0"
        shard.parent.mkdir(parents=True)
        shard.touch()
    return raw, store, period


def thousand_jobs(scale: float) -> dict[str, Any]:
    """A study of a thousand jobs from its start to its manifest, then planned once more.

    A stand-in makes the files, so that what is measured is the workflow alone. ``scale`` is not
    used: the study is run once.
    """
    del scale
    override = {"study": "load", "seeds": list(range(SEEDS))}
    with TemporaryDirectory() as name:
        folder = with_stand_in(Path(name) / "checkout")
        (folder / "load.yaml").write_text(yaml.safe_dump(override), encoding="ascii")
        given = ("--configfile", "load.yaml")
        _, _, planned = _snakemake(folder, "-n", *given)
        count = sum(number for rule, number in jobs(planned).items() if rule != "total")
        assert count >= LEAST_JOBS
        log.info("thousand_jobs: running %d jobs", count)
        taken, peak, _ = _snakemake(folder, "--cores", str(os.cpu_count()), *given)
        again, _, left = _snakemake(folder, "-n", *given)
        assert "Nothing to be done" in left
        assert (folder / "results/load/manifest.json").exists()
    return {
        "seconds": {"thousand_jobs": spread([taken]), "thousand_jobs_planned": spread([again])},
        "memory_mb": {"thousand_jobs": spread([peak])},
        "counts": {"thousand_jobs": count},
        "ratios": {"jobs_per_second": spread([count / taken])},
    }


def _snakemake(folder: Path, *arguments: str) -> tuple[float, float, str]:
    """Seconds, largest resident size in MB of the process itself, and what it said.

    The size is asked for while it runs: that of ``wait4`` counts this process too, as it was when
    it started the other.
    """
    said = folder / "said.txt"
    command: Sequence[str] = ["snakemake", *arguments]
    peak_mb, started = 0.0, time.perf_counter()
    with said.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=stream, stderr=subprocess.STDOUT
        )
        while process.poll() is None:
            with suppress(StopIteration):  # it has ended, and is not waited for yet
                peak_mb = status_mb("VmHWM", process.pid)
            time.sleep(LOOK_EVERY_S)
    taken, text = time.perf_counter() - started, said.read_text(encoding="utf-8")
    if process.returncode:
        raise RuntimeError(text[-3000:])
    return taken, peak_mb, text
