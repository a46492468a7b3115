"""What a yearly Zarr store of the founding project holds: ``data_YYYY_china_masked.zarr``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from airshed.config.preprocessing import QualityConfig
from airshed.data.day_notes import gaps
from airshed.data.inspect.findings import Findings
from airshed.data.inspect.grid import describe_grid
from airshed.data.inspect.tally import Seen, converted
from airshed.data.units import to_canonical
from airshed.data.yearly import STORE_NAME
from airshed.errors import AirshedError
from airshed.variables import HOURLY, INPUTS, STATIC, VARIABLES, canonical_name


def look_at_store(
    path: Path,
    units: Mapping[str, str],
    quality: QualityConfig,
    count: int | None,
    findings: Findings,
) -> dict[str, Any]:
    """Describe one store; ``count`` hours of it are read, or every one if None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # how its metadata are stored is no concern here
            store = xr.open_zarr(path, chunks=None)
    except (OSError, ValueError, KeyError) as error:
        findings.add(
            AirshedError(
                "a yearly store cannot be opened",
                where=path,
                found=f"{type(error).__name__}: {error}",
                hint="fetch it again, or move it away",
            )
        )
        return {"path": str(path)}
    names = {canonical_name(str(stored_as)): str(stored_as) for stored_as in store.variables}
    lacking = [name for name in INPUTS if name not in names]
    if lacking:
        findings.add(
            AirshedError(
                "a yearly store lacks a variable",
                where=path,
                expected=", ".join(lacking),
                found=", ".join(map(str, store.variables)),
                hint="aliases of names are listed in src/airshed/variables.py",
            )
        )
    described: dict[str, Any] = {"path": str(path), "hours": _hours(store, path, findings)}
    seen = [
        _look_at_variable(store[str(stored_as)], units, quality, count, path, findings)
        for stored_as in store.variables
    ]
    described["variables"] = [each.as_dict() for each in seen]
    lat, lon = (store.get(names.get(name, name)) for name in ("lat2d", "lon2d"))
    if lat is not None and lon is not None and lat.ndim == lon.ndim == 2:
        described["grid"] = describe_grid(lat.values, lon.values)
    return described


def _hours(store: xr.Dataset, path: Path, findings: Findings) -> dict[str, Any] | None:
    """What its time axis says; without one, every hour of its year. None if neither is there."""
    index = store.indexes.get("time")
    if not isinstance(index, pd.DatetimeIndex) or not len(index):
        index = _whole_year(store, path, findings)
    if index is None:
        return None
    if not index.is_unique or not index.is_monotonic_increasing:
        findings.add(
            AirshedError(
                "the hours of a yearly store are out of order or there twice",
                where=path,
                expected="increasing time stamps",
                found=f"{int(index.duplicated().sum())} there twice",
                hint="sort it and drop what is there twice",
            )
        )
    expected = pd.date_range(index.min(), index.max(), freq="h")
    present = expected.isin(index)
    listed = [
        (hour.to_pydatetime(), None if there else "not in the store")
        for hour, there in zip(expected, present, strict=True)
    ]
    return {
        "clock": "the store's time axis",
        "first": expected[0].isoformat(),
        "last": expected[-1].isoformat(),
        "expected": len(expected),
        "found": int(present.sum()),
        "missing": int((~present).sum()),
        "gaps": gaps(listed),
    }


def _whole_year(store: xr.Dataset, path: Path, findings: Findings) -> pd.DatetimeIndex | None:
    match = STORE_NAME.fullmatch(path.name)
    hours = max((field.shape[0] for field in store.values() if field.ndim == 3), default=0)
    if match:
        year = pd.date_range(f"{match[1]}-01-01", f"{int(match[1]) + 1}-01-01", freq="h")[:-1]
        if len(year) == hours:
            return year
    findings.add(
        AirshedError(
            "a yearly store has no time stamps, and not every hour of its year",
            where=path,
            expected="every hour of the year in its name, or a time coordinate",
            found=f"{hours} hours",
            hint="add a CF time coordinate to the store",
        )
    )
    return None


def _look_at_variable(
    stored: xr.DataArray,
    units: Mapping[str, str],
    quality: QualityConfig,
    count: int | None,
    path: Path,
    findings: Findings,
) -> Seen:
    stored_as = str(stored.name)
    name, attribute = canonical_name(stored_as), stored.attrs.get("units")
    dimensions = ", ".join(f"{axis}={size}" for axis, size in stored.sizes.items()) or "none"
    seen = Seen(name, stored_as, dimensions, str(stored.dtype), [attribute])
    if name is None:
        return seen
    if attribute is None and name in STATIC:
        attribute = VARIABLES[name].units  # the names say it
    where = f"{path}, variable {name}"
    for field in _sampled(stored, count):
        values = field.values.astype(np.float64)
        in_units, unit = converted(values, name, attribute, dict(units), where)
        seen.add(in_units, unit)
    try:
        to_canonical(np.zeros(0), name, attribute, units, where)
        _check_plausible(seen, quality, where, findings)
    except AirshedError as problem:
        findings.add(problem)
    return seen


def _sampled(stored: xr.DataArray, count: int | None) -> list[xr.DataArray]:
    if "time" not in stored.dims:
        return [stored]
    size = stored.sizes["time"]
    chosen = np.unique(np.linspace(0, size - 1, count or size).round().astype(int))
    return [stored.isel(time=position) for position in chosen.tolist()]


def _check_plausible(seen: Seen, quality: QualityConfig, where: str, findings: Findings) -> None:
    known = VARIABLES[str(seen.name)]
    low, high = quality.bounds(known.name)
    found = seen.ranges.get(known.units)
    if found is None or not found.known or (low <= found.low and found.high <= high):
        return
    if quality.implausible_values == "mask" and known.name in HOURLY:
        findings.remark("implausible values are masked", where)
        return
    raise AirshedError(
        "a value is physically impossible",
        where=where,
        expected=f"{low:g} to {high:g} {known.units}",
        found=f"{found.low:g} to {found.high:g} {known.units}",
        hint="is the unit right? see dataset.units in the configuration",
    )
