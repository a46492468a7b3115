"""A study's prepared data, made step by step as the workflow makes them."""

from __future__ import annotations

from pathlib import Path

from raw_files import ingest_into, statistics_into

from airshed.config import Study
from airshed.data.patch_grid import patch_elevation, scan_tables
from airshed.data.prepared import Prepared
from airshed.data.static import static_fields
from airshed.simulate import simulate


def prepared_in(folder: Path) -> Prepared:
    """Where prepared data lie in ``folder``."""
    names = ("static", "patches", "statistics", "scan_tables")
    return Prepared(folder / "hourly.zarr", *(folder / f"{name}.nc" for name in names))


def prepare(study: Study, folder: Path) -> Prepared:
    """Simulate and prepare the data of a study in ``folder``."""
    paths = prepared_in(folder)
    simulate(study.dataset, folder / "raw")
    ingest_into(folder, study.dataset, folder / "raw")
    static_fields(study.dataset, folder / "raw", paths.hourly, paths.static)
    patch_elevation(paths.static, study.model.patch, paths.patch_elevation)
    statistics_into(paths.statistics, paths.hourly, paths.static, study.splits.train)
    regions = (study.model.regions.rows, study.model.regions.columns)
    scan_tables(
        study.patch_grid, regions, study.model.sectors, study.model.patch, paths.scan_tables
    )
    return paths
