"""Raw files in CAQRA's form; the same fields give the same bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from scipy.io import netcdf_file

from airshed.arrays import Floats
from airshed.variables import Variable

DIMENSIONS = ("south_north", "west_east")
TITLE = "SIMULATED by Airshed; not an observation and not a reanalysis"


def netcdf_bytes(fields: Mapping[str, Floats], known: Mapping[str, Variable]) -> bytes:
    """A NetCDF file (classic) of two-dimensional float32 fields, with canonical units."""
    stream = io.BytesIO()
    with netcdf_file(stream, "w") as file:
        file.title = TITLE
        file.data_source = "simulated"
        for name, size in zip(DIMENSIONS, next(iter(fields.values())).shape, strict=True):
            file.createDimension(name, size)
        for name, values in fields.items():
            variable = file.createVariable(name, np.dtype(">f4"), DIMENSIONS)
            variable.units = known[name].units
            variable.long_name = known[name].long_name
            variable[:] = values
        file.flush()
        return stream.getvalue()


def write_day(folder: Path, hours: Sequence[tuple[datetime, bytes]]) -> None:
    """Write the hourly files of one day as ``YYYYMM/CN-ReanalysisYYYYMMDD.tar.gz``."""
    day = hours[0][0]
    path = folder / f"{day:%Y%m}" / f"CN-Reanalysis{day:%Y%m%d}.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("wb") as stream,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for time, content in hours:
            member = tarfile.TarInfo(f"CN-Reanalysis{time:%Y%m%d%H}.nc")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
