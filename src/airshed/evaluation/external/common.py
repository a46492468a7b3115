"""External forecasts beside everything else, on exactly the samples that they have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from airshed.evaluation.rescoring import init_mse
from airshed.evaluation.scores import opened_scores
from airshed.integrity.atomic import atomic_path

COLUMNS = (
    *("external", "name", "seed", "pollutant", "horizon_h"),
    *("samples", "own_samples", "rmse", "units"),
)


def write_common_table(files: Sequence[Path], output: Path) -> None:
    """Write ``external.csv``: RMSE of all forecasts on the samples of each external one.

    A sample (init time, horizon, pollutant) counts if the external forecast has a score for it.
    ``rmse`` is the root of the mean over init times of the domain's mean squared error; it equals
    the one in ``scores.csv`` where every sample has the same cells. ``own_samples`` says how many a
    forecast has by itself.
    """
    scored = [_errors(path) for path in files]
    tables = []
    for external in (scores for scores in scored if scores.attrs["kind"] == "external"):
        others = [s for s in scored if s is external or s.attrs["kind"] != "external"]
        tables += [_on_samples_of(external, other) for other in others]
    with atomic_path(output) as temporary:
        pd.concat(tables or [pd.DataFrame()]).to_csv(temporary, index=False)


def _errors(path: Path) -> xr.Dataset:
    with opened_scores(path) as scores:
        return init_mse(scores).to_dataset().assign_attrs(scores.attrs).load()


def _on_samples_of(external: xr.Dataset, other: xr.Dataset) -> pd.DataFrame:
    """A row for each pollutant and horizon of which both have a sample."""
    own = other["init_mse"].notnull()
    both = external["init_mse"].notnull() & own
    found = xr.Dataset(
        {
            "samples": both.sum("init_time"),
            "own_samples": own.sum("init_time"),
            "rmse": np.sqrt(other["init_mse"].where(both).mean("init_time")),
        }
    )
    table = found.to_dataframe(dim_order=("pollutant", "horizon_h")).reset_index()
    seed = "" if other.attrs["seed"] == -1 else other.attrs["seed"]
    table = table.assign(external=external.attrs["name"], name=other.attrs["name"], seed=seed)
    return table.loc[table["samples"] > 0, list(COLUMNS)]
