"""Further checks of a study's data: files for elevation and population, missing hours, splits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from airshed.config import Study
from airshed.config.data import DatasetConfig
from airshed.data.inspect.tally import Tally
from airshed.data.problems import Findings
from airshed.data.regrid import regrid_directions
from airshed.data.source import hours_missing
from airshed.data.static.cells import Cells, cells_around
from airshed.data.static.fields import check_covered
from airshed.data.static.quantities import elevation, open_elevation, open_population, population
from airshed.data.static.sums import WHOLE
from airshed.errors import AirshedError

STATIC_FILES = {"elevation": elevation, "population": population}


def check_dataset(dataset: DatasetConfig, hours: Mapping[str, Any] | None, tally: Tally) -> None:
    """Note what an ingest and the step for static fields would refuse.

    Args:
        dataset: The study's description of the data.
        hours: Counts of hours, see :func:`airshed.data.inspect.hours.counted`; None without files.
        tally: The sampled hours.
    """
    if hours is not None and hours["missing"] and dataset.quality.missing_hours == "refuse":
        gap = hours["gaps"][0]
        found = f"{hours['missing']} missing, the first at {gap['start']}"
        tally.findings.add(hours_missing(f"dataset.period ({dataset.period})", found))
    cells = None
    if (grid := tally.grid) is not None:
        with tally.findings:
            shape = (dataset.grid.rows, dataset.grid.columns)
            positions = regrid_directions(grid.cut(grid.lat_deg), grid.cut(grid.lon_deg), shape)
            cells = cells_around(*positions, "the study grid")
    for name in STATIC_FILES:
        if getattr(dataset, f"{name}_file") is not None:
            with tally.findings:
                _check_static(dataset, name, cells, tally)


def _check_static(dataset: DatasetConfig, name: str, cells: Cells | None, tally: Tally) -> None:
    """Check a file's unit, values and coverage; without a grid its unit alone."""
    path = Path(getattr(dataset, f"{name}_file"))
    if cells is None:
        (open_elevation if name == "elevation" else open_population)(dataset, path)
        return
    field = STATIC_FILES[name](dataset, path, cells)
    shares = [seen.as_dict()["missing_share"] for seen in tally.variables.values()]
    limited = dataset.mask_file is not None or any(shares)
    outside = field.covered < WHOLE
    if outside.all() or not limited:
        check_covered(field, np.ones(cells.shape, dtype=bool), cells, path, name)
    elif outside.any():
        remark = f"{outside.sum()} of {outside.size} cells have no {name}: outside the domain only"
        tally.findings.remark(remark, str(path))


def check_splits(study: Study, hours: Mapping[str, Any] | None, findings: Findings) -> None:
    """Note each split without any hour; ``hours`` as for :func:`check_dataset`."""
    if hours is None:
        return
    step = pd.Timedelta(hours=study.dataset.time_step_h)
    gaps = [pd.date_range(gap["start"], gap["end"], freq=step) for gap in hours["gaps"]]
    for name in ("train", "validation", "test"):
        split = getattr(study.splits, name)
        times = pd.date_range(
            split.start, split.end + pd.Timedelta(days=1), freq=step, inclusive="left"
        )
        missing = sum(len(times.intersection(gap)) for gap in gaps)
        if missing == len(times):
            findings.add(
                AirshedError(
                    "every hour of a split is missing",
                    where=f"splits.{name} ({split})",
                    hint="correct the splits and dataset.period, or fetch the files of these days",
                )
            )
