"""``scores_by_stratum.csv``: the scores of every run in every stratum, as one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from airshed.errors import AirshedError
from airshed.evaluation.scores import metric_units, read_scores
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
FLOAT_FORMAT = "%.10g"


def write_stratum_table(files: Sequence[Path], output: Path) -> None:
    """Write the scores of all strata, one row per run, pollutant, horizon, stratum and metric.

    ``samples`` is the number of pairs of forecast and truth, init times times cells, behind the
    row. A value is empty where it is undefined: in a stratum without pairs, for an exceedance score
    without the events that it is a share of (the counts of hits, misses and false alarms are rows
    of their own), and for limits that the standard does not have.

    Args:
        files: ``scores.nc`` of every run, in the order of the table.
        output: The table.

    Raises:
        AirshedError: A file holds no strata.
    """
    parts = [_rows(path) for path in progress(files, "scores by stratum")]
    table = pd.concat(parts, ignore_index=True)
    write_text(output, table.to_csv(index=False, float_format=FLOAT_FORMAT, lineterminator="\n"))


def _rows(path: Path) -> pd.DataFrame:
    scores = read_scores(path)
    if "strata_score" not in scores:
        raise AirshedError(
            "scores hold no strata", where=path, expected="strata_score", hint="evaluate again"
        )
    order = ("pollutant", "horizon_h", "stratum", "metric")
    values = scores["strata_score"].transpose(*order)
    pairs = scores["strata_pairs"].expand_dims(metric=values["metric"]).transpose(*order)
    named = dict(zip(order, np.indices(values.shape).reshape(len(order), -1), strict=True))
    label = {name: scores[name].values[place] for name, place in named.items()}
    units = [
        metric_units(metric, unit)
        for metric, unit in zip(
            label["metric"], scores["units"].values[named["pollutant"]], strict=True
        )
    ]
    seed = int(scores.attrs["seed"])
    columns = label | {
        "variant": scores.attrs["name"],
        "seed": "" if seed < 0 else str(seed),
        "stratum_kind": scores["stratum_kind"].values[named["stratum"]],
        "value": values.values.ravel(),
        "units": units,
        "samples": pairs.values.ravel(),
    }
    return pd.DataFrame(columns)[list(COLUMNS)]
