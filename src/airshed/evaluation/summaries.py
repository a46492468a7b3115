"""Scores at stations and in episodes as one table each for a whole study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from airshed.integrity.atomic import atomic_path

SUBJECT = ["kind", "name", "seed"]
GROUP = [*SUBJECT, "pollutant", "units", "horizon_h"]


def write_stations(tables: Sequence[Path], output: Path) -> None:
    """Write the summary of the ``stations.csv`` of every run, baseline and external forecast.

    Two rows for each pollutant and horizon: over ``all`` stations, and over those whose height is
    ``within`` the tolerance of the cell's. Errors are pooled over samples and stations, so that
    ``rmse`` is the root of the mean of all squared errors; the medians are over stations.
    """
    every = _joined(tables)
    parts = {"all": every, "height_within": every[every["height_match"] == "within"]}
    summaries = [
        _pooled(rows).assign(stations_used=used) for used, rows in parts.items() if len(rows)
    ]
    table = pd.concat(summaries, ignore_index=True)
    columns = [*GROUP, "stations_used"]
    table = table[columns + [name for name in table.columns if name not in columns]]
    with atomic_path(output) as temporary:
        table.to_csv(temporary, index=False)


def _pooled(rows: pd.DataFrame) -> pd.DataFrame:
    weighted = rows.assign(
        squared=rows["samples"] * rows["rmse"] ** 2,
        absolute=rows["samples"] * rows["mae"],
        error=rows["samples"] * rows["bias"],
        truth_squared=rows["samples"] * rows["reanalysis_rmse"] ** 2,
    )
    groups = weighted.groupby(GROUP, sort=False, dropna=False)
    sums = groups[["samples", "squared", "absolute", "error", "truth_squared"]].sum()
    return pd.DataFrame(
        {
            "stations": groups["station"].nunique(dropna=False),  # one may be called NA
            "samples": sums["samples"],
            "rmse": np.sqrt(sums["squared"] / sums["samples"]),
            "mae": sums["absolute"] / sums["samples"],
            "bias": sums["error"] / sums["samples"],
            "median_station_rmse": groups["rmse"].median(),
            "median_correlation": groups["correlation"].median(),
            "reanalysis_rmse": np.sqrt(sums["truth_squared"] / sums["samples"]),
        }
    ).reset_index()


def write_episodes(tables: Sequence[Path], output: Path) -> None:
    """Write the ``episodes.csv`` of every run, baseline and external forecast as one table."""
    with atomic_path(output) as temporary:
        _joined(tables).to_csv(temporary, index=False)


def _joined(tables: Sequence[Path]) -> pd.DataFrame:
    every = pd.concat([pd.read_csv(path) for path in tables], ignore_index=True)
    return every.assign(seed=every["seed"].astype("Int64"))
