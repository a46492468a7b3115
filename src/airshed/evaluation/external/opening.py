"""Opening the files of a forecast: one dataset, with init times from the files or their names."""

from __future__ import annotations

import glob
import re
from functools import partial
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

from airshed.config.supplement import ExternalConfig
from airshed.data.netcdf_library import within_limit
from airshed.errors import AirshedError, refusing
from airshed.evaluation.external.axes import find_axis, no_axis

INIT = "forecast_reference_time"
VALID_TIMES = ("time", "valid_time")


def opened_dataset(name: str, settings: ExternalConfig) -> xr.Dataset:
    """The files of a forecast as one dataset with an axis of init times and one of lead times.

    Raises:
        AirshedError: It cannot be opened, or its init times are not known.
    """
    return _with_one_init_axis(_open(name, settings), settings.path, name)


def _open(name: str, settings: ExternalConfig) -> xr.Dataset:
    paths = sorted(glob.glob(settings.path))  # noqa: PTH207  (the pattern may be absolute)
    if not paths:
        raise AirshedError(
            "an external forecast is missing",
            where=settings.path,
            hint=f"correct external.{name}.path: a NetCDF file, a Zarr store, or a pattern such as"
            " 'cams/*.nc'",
        )
    errors, what = (OSError, ValueError, KeyError), "an external forecast cannot be opened"
    with refusing(*errors, what=what, where=settings.path, found=str):
        if Path(paths[0]).is_dir():
            store = xr.open_zarr(paths[0], chunks=None, decode_timedelta=False)
            return _named(store, Path(paths[0]), name, settings)
        for path in paths:  # one after the other, so that the message can name the endless one
            within_limit(partial(_open_and_close, path), path, "fetch it again")
        if len(paths) == 1:
            dataset = xr.open_dataset(paths[0], decode_timedelta=False)
            return _named(dataset, Path(paths[0]), name, settings)
        return xr.open_mfdataset(
            paths,
            combine="by_coords",
            decode_timedelta=False,
            preprocess=partial(_expanded, name=name, settings=settings),
            data_vars="all",
            coords="different",
            compat="no_conflicts",
            join="outer",
        )


def _open_and_close(path: str) -> None:
    netCDF4.Dataset(path).close()


def _expanded(dataset: xr.Dataset, name: str, settings: ExternalConfig) -> xr.Dataset:
    """A file of one init time gets an axis for it, so that files can be put side by side."""
    path = dataset.encoding.get("source", "")
    return _with_one_init_axis(_named(dataset, Path(path), name, settings), path, name)


def _named(dataset: xr.Dataset, path: Path, name: str, settings: ExternalConfig) -> xr.Dataset:
    """The dataset with the init time in its file's name, if the configuration has a pattern."""
    if settings.init_time_pattern is None:
        return dataset
    start = init_time_of(path.name, settings.init_time_pattern)
    if start is None:
        raise AirshedError(
            "the name of a forecast's file holds no init time",
            where=path,
            expected=f"{settings.init_time_pattern} (external.{name}.init_time_pattern)",
            found=path.name,
        )
    own = find_axis(dataset, "init time")
    if own is not None and own not in VALID_TIMES:
        stated = np.atleast_1d(dataset[own].values)
        if len(stated) != 1 or stated[0] != start:
            raise AirshedError(
                "a forecast's init time contradicts the name of its file",
                where=f"{path}, {own}",
                expected=start,
                found=", ".join(map(str, stated[:3])),
                hint=f"correct external.{name}.init_time_pattern, or leave it out",
            )
        dataset = dataset.squeeze(dataset[own].dims, drop=True).drop_vars(own, errors="ignore")
    return dataset.assign_coords({INIT: start})


def init_time_of(name: str, pattern: str) -> np.datetime64 | None:
    """The init time in the name of a file; None if the name is another one.

    Args:
        name: As it is, without folders.
        pattern: The name with ``%Y``, ``%m``, ``%d`` and maybe ``%H``; ``*`` is any text.
    """
    form = re.escape(pattern).replace(r"\*", ".*")
    for code, digits in (("Y", 4), ("m", 2), ("d", 2), ("H", 2)):
        form = form.replace(f"%{code}", rf"(?P<{code}>\d{{{digits}}})")
    found = re.fullmatch(form, name)
    if found is None:
        return None
    part = {"H": "00"} | found.groupdict()
    try:
        return np.datetime64(f"{part['Y']}-{part['m']}-{part['d']}T{part['H']}:00", "ns")
    except ValueError:
        return None


def _with_one_init_axis(dataset: xr.Dataset, where: str, name: str) -> xr.Dataset:
    """The dataset with an axis of init times and one of lead times.

    A single init time given as a scalar becomes an axis. If there are valid times in place of lead
    times, these are the differences.
    """
    init, lead = (find_axis(dataset, meaning) for meaning in ("init time", "lead time"))
    if init in VALID_TIMES and lead is None and dataset[init].ndim == 1:
        raise no_axis(
            "lead time",
            dataset,
            where,
            f"if {init} holds the times for which it is valid (the older form of CAMS), set"
            f" external.{name}.init_time_pattern to how the files are called, such as"
            " 'cams_%Y%m%d%H.nc', one init time a file; or give each file a scalar coordinate"
            f" {INIT}",
        )
    if init is None or dataset[init].ndim:
        return dataset
    start = dataset[init].values
    if lead is None:
        valid = next((str(n) for n in dataset.dims if n in VALID_TIMES), None)
        if valid is None:
            raise no_axis("lead time", dataset, where)
        hours = (dataset[valid].values - start) / np.timedelta64(1, "h")
        dataset = dataset.assign_coords(lead_hours=(valid, hours)).swap_dims({valid: "lead_hours"})
        dataset = dataset.drop_vars(valid)
    return dataset.expand_dims({init: [start]})
