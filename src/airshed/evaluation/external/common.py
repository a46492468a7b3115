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


def write_common_table(files: Sequence[Path], output: Path) -> None:
    """Write ``external.csv``: RMSE of all forecasts on the samples of each external one.

    A sample (init time, horizon, pollutant) counts if the external forecast has a score for it.
    ``rmse`` is the root of the mean over init times of the domain's mean squared error; it equals
    the one in ``scores.csv`` where every sample has the same cells. ``own_samples`` says how many a
    forecast has by itself.

    Args:
        files: ``scores.nc`` of the external forecasts and of everything to be set beside them.
        output: Where the CSV goes.
    """
    scored = [_errors(path) for path in files]
    rows: list[dict[str, object]] = []
    for external in (scores for scores in scored if scores.attrs["kind"] == "external"):
        others = [s for s in scored if s is external or s.attrs["kind"] != "external"]
        rows += [row for other in others for row in _rows(external, other)]
    with atomic_path(output) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)


def _errors(path: Path) -> xr.Dataset:
    with opened_scores(path) as scores:
        return init_mse(scores).to_dataset().assign_attrs(scores.attrs).load()


def _rows(external: xr.Dataset, other: xr.Dataset) -> list[dict[str, object]]:
    own = other["init_mse"].notnull()
    both = external["init_mse"].notnull() & own
    mse = other["init_mse"].where(both).mean("init_time")
    attrs = other.attrs
    return [
        {
            "external": external.attrs["name"],
            "name": attrs["name"],
            "seed": "" if attrs["seed"] == -1 else attrs["seed"],
            "pollutant": pollutant,
            "horizon_h": int(horizon),
            "samples": int(both.sel(pollutant=pollutant, horizon_h=horizon).sum()),
            "own_samples": int(own.sel(pollutant=pollutant, horizon_h=horizon).sum()),
            "rmse": float(np.sqrt(mse.sel(pollutant=pollutant, horizon_h=horizon))),
            "units": str(other["units"].sel(pollutant=pollutant).item()),
        }
        for pollutant in other["pollutant"].values
        for horizon in other["horizon_h"].values
        if both.sel(pollutant=pollutant, horizon_h=horizon).any()
    ]
