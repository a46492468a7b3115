"""``scores.nc``: the scores of one set of forecasts, their names and units, writing and reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from airshed.config import Study
from airshed.errors import AirshedError
from airshed.evaluation.metrics.exceedance import EXCEEDANCE_METRICS
from airshed.evaluation.metrics.moments import POOLED_METRICS
from airshed.integrity import sealed
from airshed.integrity.formats import SCORES, VERSION
from airshed.integrity.provenance import code_commit
from airshed.variables import TARGETS, VARIABLES

METRICS: tuple[str, ...] = (*POOLED_METRICS, *EXCEEDANCE_METRICS)
IN_UNITS_OF_POLLUTANT = ("rmse", "mae", "bias")
SCORED_MAPS = ("mse", *METRICS[1:])
"""Maps in ``scores.nc``, named ``map_<name>``: the mean squared error and every other metric."""

_PLANE = ("horizon_h", "pollutant", "y", "x")
SCHEMA: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("rmse", "mae", "bias", "correlation"), ("horizon_h", "pollutant")),
    "init_mse": ("init_time", "horizon_h", "pollutant"),
    **dict.fromkeys(("map_mse", "map_bias"), _PLANE),
    **dict.fromkeys(("lat2d", "lon2d"), ("y", "x")),
    "units": ("pollutant",),
}
"""What every reader may rely on."""
DETAILS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(METRICS, ("horizon_h", "pollutant")),
    **dict.fromkeys((f"map_{name}" for name in SCORED_MAPS), _PLANE),
    "strata_score": ("metric", "stratum", "horizon_h", "pollutant"),
    "strata_pairs": ("stratum", "horizon_h", "pollutant"),
}
ATTRIBUTES = (
    "kind",
    "name",
    "seed",
    "study",
    "dataset",
    "data_source",
    "commit",
    "samples",
    "cells_skipped",
)
COMPRESSION = {"zlib": True, "complevel": 1}


Kind = Literal["variant", "baseline", "external"]


@dataclass(frozen=True)
class Subject:
    """Whose forecasts are scored; ``seed`` is -1 for what has no training."""

    kind: Kind
    name: str
    seed: int
    study: str
    dataset: str
    data_source: Literal["simulated", "CAQRA"]
    commit: str

    @classmethod
    def of(cls, study: Study, kind: Kind, name: str, seed: int) -> Subject:
        """A subject of a study, forecast by the code as it is."""
        dataset = study.dataset
        commit = code_commit().sha or "unknown"
        return cls(kind, name, seed, study.study, dataset.name, dataset.data_source, commit)


def metric_units(metric: str, pollutant_units: str) -> str:
    """The unit of a metric's value."""
    return pollutant_units if metric in IN_UNITS_OF_POLLUTANT else "1"


def domain_metrics(scores: xr.Dataset) -> list[str]:
    """The metrics over the whole domain that these scores hold, in the order of METRICS."""
    return [name for name in METRICS if name in scores]


def scores_dataset(
    subject: Subject,
    counts: Mapping[str, int],
    coordinates: Mapping[str, Any],
    values: Mapping[str, Any],
) -> xr.Dataset:
    """Scores in the form of ``scores.nc``.

    Args:
        subject: Whose scores they are.
        counts: ``samples`` and ``cells_skipped``.
        coordinates: Horizons, init times, positions and strata.
        values: Arrays by name, with the dimensions of SCHEMA and DETAILS.
    """
    dims = SCHEMA | DETAILS
    return xr.Dataset(
        {name: (dims[name], value) for name, value in values.items()},
        coords={
            **coordinates,
            "pollutant": list(TARGETS),
            "metric": list(METRICS),
            "units": ("pollutant", [VARIABLES[target].units for target in TARGETS]),
        },
        attrs={VERSION: SCORES.version} | vars(subject) | dict(counts),
    )


def write_scores(scores: xr.Dataset, path: Path) -> None:
    """Write ``scores.nc`` atomically, with a checksum."""
    encoding = {str(name): COMPRESSION for name in scores if str(name).startswith("map_")}
    sealed.write_netcdf(scores, path, encoding)


def read_scores(path: Path) -> xr.Dataset:
    """Read ``scores.nc`` into memory.

    Raises:
        AirshedError: The file cannot be read, is damaged, or is of another version or form.
    """
    scores = sealed.read_netcdf(path, SCORES)
    problems = [f"attribute {name}" for name in ATTRIBUTES if name not in scores.attrs]
    for name, dims in SCHEMA.items():
        if name not in scores.variables or scores[name].dims != dims:
            problems.append(f"{name}{dims}")
    if not problems and tuple(scores["pollutant"].values) != TARGETS:
        problems.append(f"pollutants {', '.join(TARGETS)} in this order")
    if problems:
        raise AirshedError("scores lack a part", where=path, expected="; ".join(problems))
    return scores
