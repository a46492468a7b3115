"""Change of RMSE by class of terrain, wind and season, and of ruggedness and wind together.

Everything follows from the sums by init time that files of scores hold, so that each class has an
interval of the same kind as the verdict: from the variance between trainings and that over init
times. Nothing is adjusted: classes say where a change is, not whether there is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from airshed.arrays import Flags, Floats
from airshed.comparison.inference import Estimate, estimate
from airshed.comparison.pairing import PairedErrors, even_positions, with_overall
from airshed.comparison.trainings import Part
from airshed.comparison.verdict import Limit
from airshed.evaluation.binning import DOMAIN, SEASONS, RuggednessByWind, season_of
from airshed.evaluation.rescoring import joint_sums

KINDS = ("elevation", "ruggedness", "wind_speed", RuggednessByWind.kind)
COLUMNS = (
    "variant",
    "reference",
    "stratum_kind",
    "stratum",
    "change_percent",
    "ci_low_percent",
    "ci_high_percent",
)
RESAMPLES = 1000  # for each of two block lengths


class Class(NamedTuple):
    """Pairs of forecast and observation that are taken together.

    Attributes:
        kind: Of the class.
        name: Of the class.
        bin: Its place among the bins of the sums.
        there: [T, H], which init times and horizons belong to it.
    """

    kind: str
    name: str
    bin: int
    there: Flags


def class_sums(scores: xr.Dataset) -> xr.DataArray:
    """What RMSE by class is made of: ``count`` and ``squared`` of every bin and init time."""
    order = ("statistic", "init_time", "bin", "pollutant", "horizon_h")
    single = scores["sums"].sel(statistic=["count", "squared"]).astype(np.float32)
    joint = joint_sums(scores).drop_vars(RuggednessByWind.dims)
    return xr.concat([single, joint], "bin").transpose(*order).load()


def changes_by_class(
    variant: Sequence[xr.DataArray],
    reference: Sequence[xr.DataArray],
    verdict: pd.Series[Any],
    rng: int,
) -> pd.DataFrame:
    """Change of RMSE, mean over pollutants and horizons of its logarithm, with 95 % intervals.

    Args:
        variant: :func:`class_sums` of each seed.
        reference: The same of what it is compared with.
        verdict: Its overall row of ``comparisons.csv``, whose block length and limit hold here too.
        rng: Seed of the resamples.

    Returns:
        A row a class (COLUMNS); classes without a pair have none.
    """
    models = [np.stack([one.values for one in seeds]) for seeds in (variant, reference)]
    positions, _ = even_positions(variant[0].indexes["init_time"])
    rows = []
    for one in _classes(variant[0]):
        parts = [_sums_of(model, one, positions) for model in models]
        known = np.logical_and.reduce([part[:, 0].sum(axis=1).all(axis=0) for part in parts])
        if not known.any():
            continue
        found = _estimated([part[..., known] for part in parts], verdict, rng)
        numbers = (100 * float(values[0]) for values in (found.change, *found.interval()))
        rows.append((verdict["variant"], verdict["reference"], one.kind, one.name, *numbers))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _classes(sums: xr.DataArray) -> Iterator[Class]:
    kinds, names = sums["bin_kind"].values.tolist(), sums["bin"].values.tolist()
    times = pd.DatetimeIndex(sums["init_time"].values)
    horizons = sums["horizon_h"].values.tolist()
    always = np.ones((len(times), len(horizons)), dtype=bool)
    for place, (kind, name) in enumerate(zip(kinds, names, strict=True)):
        if kind in KINDS:
            yield Class(kind, name, place, always)
    valid = [season_of(times + pd.Timedelta(hours=hours)) for hours in horizons]
    for number, name in enumerate(SEASONS):
        there = np.stack(valid, axis=1) == number
        yield Class("season", name, kinds.index(DOMAIN), there)


def _sums_of(model: Floats, one: Class, positions: Floats) -> Floats:
    """[S, 2, T, K] of a class, on an even axis of init times."""
    chosen = np.where(one.there[:, None, :], model[:, :, :, one.bin], 0)
    flat = chosen.reshape(*chosen.shape[:3], -1)
    even = np.zeros((*flat.shape[:2], int(positions[-1]) + 1, flat.shape[-1]))
    even[:, :, positions.astype(int)] = flat
    return even


def _log_rmse(sums: Floats) -> Floats:
    """[..., 2, K] counts and squared errors to [..., 1 + K] log RMSE."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return with_overall(np.log(sums[..., 1, :] / sums[..., 0, :]) / 2)


def _estimated(parts: list[Floats], verdict: pd.Series[Any], rng: int) -> Estimate:
    """The change in a class; its degrees of freedom over time are those of its init times alone."""
    there = parts[0][0, 0] > 0
    errors = PairedErrors(parts[0], parts[1], np.ones(there.shape, dtype=bool), _log_rmse)
    block, generator = int(verdict["block_length"]), np.random.default_rng(rng)
    found = estimate(errors, block, RESAMPLES, generator)
    *between_seeds, over_time = found.parts
    if verdict["limit"] == Limit.these_days:
        return replace(found, parts=tuple(between_seeds))
    degrees = np.maximum(1.0, over_time.degrees * there.mean(axis=0).min())
    return replace(found, parts=(*between_seeds, Part(over_time.variance, degrees)))
