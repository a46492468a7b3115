"""``scores_by_stratum.csv``: the scores of every run in every stratum, as one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from airshed.evaluation.rescoring import rescored, rescored_jointly
from airshed.evaluation.scores import metric_units, opened_scores
from airshed.integrity.atomic import write_text
from airshed.progress import progress

COLUMNS = (
    "variant",
    "seed",
    "pollutant",
    "horizon_h",
    "stratum_kind",
    "stratum",
    "metric",
    "value",
    "units",
    "samples",
)
STRATA = ("season", "wind_speed", "elevation", "ruggedness")
FLOAT_FORMAT = "%.10g"


def write_stratum_table(files: Sequence[Path], output: Path) -> None:
    """Write the scores of all strata, one row per run, pollutant, horizon, stratum and metric.

    Joint strata of ruggedness and wind come after the others of a run, with RMSE alone.

    ``samples`` is the number of pairs of forecast and observation, init times times cells, behind
    the row. A value is empty where it is undefined: in a stratum without pairs, for an exceedance
    score without the events that it is a share of (the counts of hits, misses and false alarms are
    rows of their own), and for limits that the standard does not have.
    """
    parts = [_rows(path) for path in progress(files, "scores by stratum")]
    write_table(pd.concat(parts, ignore_index=True), output)


def write_table(table: pd.DataFrame, output: Path) -> None:
    """Write a CSV whose bytes depend on the table alone."""
    write_text(output, table.to_csv(index=False, float_format=FLOAT_FORMAT, lineterminator="\n"))


def _rows(path: Path) -> pd.DataFrame:
    with opened_scores(path) as opened:
        scores = rescored(opened)
        single = scores.isel(bin=np.isin(scores["bin_kind"].values, STRATA))
        parts = [_columns(one) for one in (single, rescored_jointly(opened))]
        name, seed = opened.attrs["name"], int(opened.attrs["seed"])
    table = pd.concat(parts, ignore_index=True)
    return table.assign(variant=name, seed="" if seed < 0 else str(seed))[list(COLUMNS)]


def _columns(strata: xr.Dataset) -> pd.DataFrame:
    order = ("pollutant", "horizon_h", "bin", "metric")
    values = strata["value"].transpose(*order)
    pairs = strata["pairs"].expand_dims(metric=values["metric"]).transpose(*order)
    named = dict(zip(order, np.indices(values.shape).reshape(len(order), -1), strict=True))
    label = {key: strata[key].values[place] for key, place in named.items()}
    units = strata["units"].values[named["pollutant"]]
    columns = label | {
        "stratum": label["bin"],
        "stratum_kind": strata["bin_kind"].values[named["bin"]],
        "value": values.values.ravel(),
        "units": [metric_units(*pair) for pair in zip(label["metric"], units, strict=True)],
        "samples": pairs.values.ravel(),
    }
    return pd.DataFrame(columns)
