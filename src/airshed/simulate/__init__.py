"""A simulated atmosphere that is written as raw archives, so that nothing need be downloaded."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np

from airshed.config.data import DatasetConfig
from airshed.integrity.atomic import atomic_path
from airshed.progress import progress
from airshed.simulate.archive import netcdf_bytes, write_day
from airshed.simulate.world import World


def simulate(dataset: DatasetConfig, output: Path) -> None:
    """Write raw archives in CAQRA's form for a dataset's period, and elevation and population.

    The same settings give the same bytes, and a longer period begins with the same days.

    Args:
        dataset: Period, and grid, seed and terrain blocking of the simulator.
        output: Folder to write; it appears when complete.
    """
    world, known = World(dataset), dataset.dictionary
    position = {"lat2d": world.lat_deg, "lon2d": world.lon_deg}
    offset = timedelta(hours=dataset.utc_offset_h)
    days = dataset.period.days
    with atomic_path(output) as folder:
        static = folder / "static"
        static.mkdir(parents=True)
        for name in ("elevation", "population"):
            field = world.land.elevation_m if name == "elevation" else world.land.population
            (static / f"{name}.nc").write_bytes(netcdf_bytes({name: field} | position, known))
        hours = world.hours(24 * len(days))
        for _ in progress(days, "days simulated"):
            written = []
            for time, fields in (next(hours) for _ in range(24)):
                shown = {
                    name: np.where(world.land.domain, values, np.nan)
                    for name, values in fields.items()
                }
                written.append((time + offset, netcdf_bytes(shown | position, known)))
            write_day(folder, written)
