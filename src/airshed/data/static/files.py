"""Opening a file of elevation or population, whatever its form."""

from __future__ import annotations

from airshed.data.problems import STOP
from airshed.data.static.array import START, BareArray, open_array
from airshed.data.static.curvilinear import Curvilinear
from airshed.data.static.geotiff import open_geotiff
from airshed.data.static.netcdf import open_netcdf
from airshed.data.static.raster import Raster
from airshed.data.static.wanted import Wanted
from airshed.data.yearly import open_store
from airshed.errors import AirshedError

NETCDF_STARTS = (b"\x89HDF", b"CDF\x01", b"CDF\x02", b"CDF\x05")


def open_field(wanted: Wanted) -> Raster | Curvilinear | BareArray:
    """The field, ready to be read.

    Raises:
        AirshedError: The file is missing or unreadable, or what it holds is not clear.
    """
    if wanted.path.is_dir():
        return _open_yearly(wanted)
    if not wanted.path.is_file():
        raise AirshedError(
            f"the file with {wanted.name} is missing",
            where=wanted.path,
            hint=f"set dataset.{wanted.name}_file to a NetCDF or GeoTIFF file;"
            " docs/static-fields.md says where to get one",
        )
    with wanted.path.open("rb") as stream:
        start = stream.read(4)
    if start == START:
        return open_array(wanted)
    return open_netcdf(wanted) if start in NETCDF_STARTS else open_geotiff(wanted)


def _open_yearly(wanted: Wanted) -> Curvilinear:
    """The field inside a yearly store, in canonical units."""
    names = (wanted.name, "lat2d", "lon2d")
    fields = open_store(wanted.path, wanted.quantities).read(slice(0, 1), STOP, names).fields
    return Curvilinear(
        f"{wanted.path}, variable {wanted.name}",
        wanted.quantities[wanted.name].units,
        *(fields[name] for name in names),
    )
