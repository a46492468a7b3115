"""The hourly store: layout on disk, creation, writing of one day.

Zarr v3, one array per variable as CF wants them, cut so that one time is read without its
neighbours: a chunk is one time of the whole grid (more times on small grids), a shard one day: 24
times, or as many as the dataset's time step leaves.
Days are written by different processes, each into shards of its own. Compression and layout were
chosen by measurement, see docs/data-format.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from airshed.arrays import Floats
from airshed.config.data import DatasetConfig
from airshed.data.stores import (
    HOURLY_FIELDS,
    HOURS_A_BLOCK,
    attributes,
    describe,
    hourly_fields,
)
from airshed.graph.identity import DAYS
from airshed.variables import Variable

DIGITS = 16  # of the checksum of a day
CHUNK_CELLS = 2**15  # read at once; smaller chunks cost more than they contain
PACKING = (("scale_factor", 1.0), ("add_offset", 0.0))
COMPRESSION = (BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"), Crc32cCodec())


def create(path: Path, dataset: DatasetConfig, lat_deg: Floats, lon_deg: Floats) -> None:
    """Create an empty hourly store for the period and grid of a dataset."""
    shape = (dataset.grid.rows, dataset.grid.columns)
    days, quantities, steps = dataset.period.days, dataset.quantities, dataset.steps_a_day
    times = pd.date_range(days[0], periods=len(days) * steps, freq=f"{dataset.time_step_h}h")
    frame = xr.Dataset(
        {"present": ("time", np.zeros(len(times), dtype=bool))},
        coords={
            "time": times,
            "y": np.arange(shape[0]),
            "x": np.arange(shape[1]),
            "lat2d": (("y", "x"), lat_deg),
            "lon2d": (("y", "x"), lon_deg),
        },
        attrs={
            "title": f"hourly fields of {dataset.name} ({dataset.data_source})",
            "source": dataset.data_source,
            "wind_frame": dataset.wind_frame,
            HOURLY_FIELDS: list(quantities.hourly),
        },
    )
    encoding: dict[str, Any] = {str(name): {"compressors": COMPRESSION} for name in frame.variables}
    encoding["present"]["chunks"] = (HOURS_A_BLOCK,)
    describe(frame).to_zarr(path, mode="w", zarr_format=3, consolidated=False, encoding=encoding)
    group = zarr.open_group(path, mode="r+")
    chunk = chunk_steps(shape, steps)
    for name in quantities.hourly:
        array = group.create_array(
            name,
            shape=(len(times), *shape),
            chunks=(chunk, *shape),
            shards=(steps, *shape),
            dtype=dataset.precision,
            compressors=COMPRESSION,
            fill_value=np.nan,
            dimension_names=("time", "y", "x"),
        )
        known = quantities[name]
        array.attrs.update(
            attributes(known) | packing(known, dataset.precision) | {"coordinates": "lat2d lon2d"}
        )


def packing(known: Variable, precision: str) -> dict[str, float]:
    """CF attributes of packed numbers; none in single precision."""
    if precision == "float32":
        return {}
    return {"scale_factor": known.scale_factor, "add_offset": known.add_offset}


def chunk_steps(shape: tuple[int, int], steps_a_day: int) -> int:
    """Times in a chunk: the divisor of a day's that comes closest to CHUNK_CELLS from below."""
    limit = max(1, CHUNK_CELLS // (shape[0] * shape[1]))
    divisors = (number for number in range(1, steps_a_day + 1) if steps_a_day % number == 0)
    return max(number for number in divisors if number <= limit)


def write_day(path: Path, position: int, fields: Floats, hourly: Sequence[str]) -> str:
    """Write one day.

    Args:
        path: The store.
        position: Number of the day since the start of the period.
        fields: [steps of a day, V, Y, X]; NaN where missing.
        hourly: Names of the V variables.

    Returns:
        The checksum of what is stored, as :func:`computed_content` finds it again.
    """
    group, digest = zarr.open_group(path, mode="r+"), hashlib.sha256()
    rows = slice(position * len(fields), (position + 1) * len(fields))
    for index, name in enumerate(hourly):
        array = _array(group, name)
        scale, offset = (array.attrs.get(key, default) for key, default in PACKING)
        stored = ((fields[:, index] - offset) / scale).astype(array.dtype)
        array[rows] = stored
        digest.update(np.ascontiguousarray(stored).data)
    return digest.hexdigest()[:DIGITS]


def shards(path: Path, position: int) -> Iterator[tuple[str, Path]]:
    """Of a day by its number, the shard of each variable; one without any value has no file."""
    fields = zarr.open_group(path, mode="r").attrs[HOURLY_FIELDS]
    for name in cast(Sequence[str], fields):
        yield name, path / name / "c" / str(position) / "0" / "0"


def write_present(
    path: Path, present: npt.NDArray[np.bool_], content: Mapping[str, str] | None = None
) -> None:
    """Write which hours of the time axis are usable, and the checksums of days by their dates."""
    array = _array(zarr.open_group(path, mode="r+"), "present")
    array[:] = present
    if content is not None:
        array.attrs[DAYS] = dict(content)


def computed_content(path: Path) -> dict[str, str]:
    """The checksum of each day, by its date, computed for a store that has none noted."""
    group = zarr.open_group(path, mode="r")
    stored = xr.open_zarr(path, consolidated=False)
    days = pd.DatetimeIndex(stored["time"].values).normalize()
    arrays, found = [_array(group, name) for name in hourly_fields(stored)], {}
    for day in days.unique():
        digest, here = hashlib.sha256(), np.flatnonzero(days == day)
        for array in arrays:
            digest.update(np.ascontiguousarray(array[here[0] : here[-1] + 1]).data)
        found[f"{day:%Y-%m-%d}"] = digest.hexdigest()[:DIGITS]
    return found


def _array(group: zarr.Group, name: str) -> Any:
    return group[name]
