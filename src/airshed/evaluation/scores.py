"""``scores.nc``: the scores of one set of forecasts, their names and units, writing and reading.

The file holds sums from which every score is computed again
(:mod:`airshed.evaluation.rescoring`), and beside them, for those who open it with other programs,
the scores of the whole period. It says whose forecasts it is about, and nothing of the study that
asked for it, so that scores can be used by another one. Readers take the variables that they know:
further kinds of sums are variables with dimensions of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from airshed.config import Study
from airshed.errors import AirshedError
from airshed.evaluation.aggregation import BLOCK_STATISTICS, Bins, Period, Sums
from airshed.evaluation.binning import RuggednessByWind
from airshed.evaluation.metrics.exceedance import EVENTS, EXCEEDANCE_METRICS
from airshed.evaluation.metrics.moments import MOMENTS, POOLED_METRICS
from airshed.integrity import sealed
from airshed.integrity.formats import SCORES, VERSION
from airshed.integrity.provenance import code_commit

METRICS: tuple[str, ...] = (*POOLED_METRICS, *EXCEEDANCE_METRICS)
IN_UNITS_OF_POLLUTANT = ("rmse", "mae", "bias")
SCORED_MAPS = ("mse", *METRICS[1:])
"""Maps in ``scores.nc``, named ``map_<name>``: the mean squared error and every other metric."""

SMALL = 10_000  # values; what has fewer is not compressed
COMPRESSION = {"zlib": True, "complevel": 1}


@dataclass(frozen=True)
class Support:
    """What the places are at which forecasts are scored, and how the file names their sums.

    Attributes:
        prefix: Before the names of variables and dimensions that belong to it.
        statistics: What is summed; the first are MOMENTS.
        place: Dimension of the sums by block of days.
    """

    prefix: str
    statistics: tuple[str, ...]
    place: str

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Its variables and their dimensions."""
        by_init = ("init_time", "horizon_h", f"{self.prefix}bin")
        by_block = ("block", "horizon_h", "block_statistic", "pollutant", self.place)
        return {
            f"{self.prefix}sums": (*by_init, f"{self.prefix}statistic", "pollutant"),
            f"{self.prefix}events": (*by_init, "event", "pollutant"),
            f"{self.prefix}block_sums": by_block,
            f"{self.prefix}bin": (f"{self.prefix}bin",),
            f"{self.prefix}bin_kind": (f"{self.prefix}bin",),
            f"{self.prefix}statistic": (f"{self.prefix}statistic",),
        }

    def variables(self, bins: Bins, sums: Sums) -> dict[str, Any]:
        """Its sums as they stand in the file, by name."""
        values = (
            sums.by_init,
            sums.events_by_init,
            sums.by_block.astype(np.float32),
            bins.names,
            bins.kinds,
            list(self.statistics),
        )
        return {
            name: (dims, value)
            for (name, dims), value in zip(self.dims.items(), values, strict=True)
        }


CELLS = Support("", MOMENTS, "coarse")
STATIONS = Support("station_", (*MOMENTS, "reanalysis_error", "reanalysis_squared"), "station")

_SCORE = ("horizon_h", "pollutant")
_PLANE = ("y", "x")
_JOINT = ("init_time", "horizon_h", *RuggednessByWind.dims, "pollutant")
SCHEMA: dict[str, tuple[str, ...]] = {
    **CELLS.dims,
    **dict.fromkeys(("joint_count", "joint_squared"), _JOINT),
    **{name: (name,) for name in RuggednessByWind.dims},
    **dict.fromkeys(METRICS, _SCORE),
    **dict.fromkeys((f"map_{name}" for name in SCORED_MAPS), (*_SCORE, *_PLANE)),
    **dict.fromkeys(("lat2d", "lon2d"), _PLANE),
    **dict.fromkeys(("units", "origin"), ("pollutant",)),
    **dict.fromkeys(("coarse_row", "coarse_column"), ("coarse",)),
    "scored": ("init_time", "horizon_h"),
    **dict.fromkeys(("forecast_power", "truth_power"), ("horizon_h", "band", "pollutant")),
    "spectrum_samples": _SCORE,
    "wavelength_km": ("band",),
}
"""What every reader may rely on. Scores at stations stand beside it where a study has stations."""

Kind = Literal["variant", "baseline", "external", "intervention", "ensemble"]
TRAINED: frozenset[Kind] = frozenset({"variant", "intervention", "ensemble"})


@dataclass(frozen=True)
class Subject:
    """Whose forecasts are scored.

    Attributes:
        kind: A ``variant``'s training; a ``baseline`` without one; an ``external`` forecast; an
            ``intervention``, a training scored with some of its fields changed; an ``ensemble`` of
            all seeds of a variant.
        name: Its own name.
        seed: Of the training; -1 for what has none, or several.
        dataset: Name of the dataset.
        data_source: What the data are.
        commit: The code that made the forecasts.
        made_from: Variant whose networks an intervention or ensemble uses, else nothing.
        members: Forecasts that are taken together, 1 but for ensembles.
        fingerprint: Checksum of what makes the forecasts: the weights, or the settings of an
            external forecast; nothing for baselines.
    """

    kind: Kind
    name: str
    seed: int
    dataset: str
    data_source: str
    commit: str
    made_from: str = ""
    members: int = 1
    fingerprint: str = ""

    @classmethod
    def of(cls, study: Study, kind: Kind, name: str, seed: int, fingerprint: str = "") -> Subject:
        """A subject that is forecast by the code as it is, on a study's data."""
        dataset = study.dataset
        commit = code_commit().sha or "unknown"
        source = dataset.data_source
        return cls(kind, name, seed, dataset.name, source, commit, fingerprint=fingerprint)

    def __str__(self) -> str:
        of = f" of {self.made_from}" if self.made_from else ""
        return f"{self.name}{of}" + (f", seed {self.seed}" if self.seed >= 0 else "")

    @property
    def trained(self) -> bool:
        """Whether networks make the forecasts."""
        return self.kind in TRAINED


ATTRIBUTES = (*(field.name for field in fields(Subject)), "samples", "cells_skipped")


def metric_units(metric: str, pollutant_units: str) -> str:
    """The unit of a metric's value."""
    return pollutant_units if metric in IN_UNITS_OF_POLLUTANT else "1"


def domain_metrics(scores: xr.Dataset) -> list[str]:
    """The metrics over the whole domain that these scores hold, in the order of METRICS."""
    return [name for name in METRICS if name in scores]


def scores_dataset(
    subject: Subject,
    period: Period,
    counts: Mapping[str, int],
    values: Mapping[str, Any],
    sums: Mapping[str, Any],
) -> xr.Dataset:
    """Scores in the form of ``scores.nc``.

    Args:
        subject: Whose scores they are.
        period: Init times, horizons and targets.
        counts: ``samples`` and ``cells_skipped``.
        values: Arrays by name, with the dimensions of SCHEMA.
        sums: Variables of a :class:`Support`, with their dimensions.
    """
    found = xr.Dataset(
        {name: (SCHEMA[name], value) for name, value in values.items()} | dict(sums),
        coords={
            "init_time": period.init_times,
            "horizon_h": np.array(period.horizons_h, dtype=np.int64),
            "block": period.block_starts,
            "block_statistic": list(BLOCK_STATISTICS),
            "event": list(EVENTS),
            "pollutant": period.names,
            "units": ("pollutant", [target.units for target in period.targets]),
        },
        attrs={VERSION: SCORES.version} | vars(subject) | dict(counts),
    )
    places = {"lat2d", "lon2d", "coarse_row", "coarse_column", "bin_kind", "wavelength_km"}
    return found.set_coords([name for name in found if name in places])


def write_scores(scores: xr.Dataset, path: Path) -> None:
    """Write ``scores.nc`` atomically, with a checksum.

    Sums are laid out bin by bin, but for the joint classes: a reader of one bin reads no other.
    """
    encoding: dict[str, dict[str, Any]] = {
        str(name): dict(COMPRESSION) for name in scores if scores[name].size > SMALL
    }
    for support in (CELLS, STATIONS):
        for name in (f"{support.prefix}sums", f"{support.prefix}events"):
            if name in encoding:
                sizes = scores[name].shape
                encoding[name]["chunksizes"] = (*sizes[:2], 1, *sizes[3:])
    sealed.write_netcdf(scores, path, encoding)


@contextmanager
def opened_scores(path: Path) -> Iterator[xr.Dataset]:
    """``scores.nc``, checked as a whole and read where it is used.

    Raises:
        AirshedError: The file cannot be read, is damaged, or is of another version or form.
    """
    with sealed.opened_netcdf(path, SCORES) as scores:
        _check(scores, path)
        yield scores


def read_scores(path: Path) -> xr.Dataset:
    """``scores.nc`` in memory.

    Raises:
        AirshedError: As :func:`opened_scores`.
    """
    with opened_scores(path) as scores:
        return scores.load()


def _check(scores: xr.Dataset, path: Path) -> None:
    problems = [f"attribute {name}" for name in ATTRIBUTES if name not in scores.attrs]
    for name, dims in SCHEMA.items():
        if name not in scores.variables or scores[name].dims != dims:
            problems.append(f"{name}{dims}")
    if problems:
        raise AirshedError("scores lack a part", where=path, expected="; ".join(problems))
