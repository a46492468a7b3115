"""Opening a file of elevation or population: what is common to its forms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyproj import CRS
from pyproj.exceptions import CRSError

from airshed.errors import AirshedError

if TYPE_CHECKING:
    from airshed.data.static.curvilinear import Curvilinear
    from airshed.data.static.raster import Raster

NETCDF_STARTS = (b"\x89HDF", b"CDF\x01", b"CDF\x02", b"CDF\x05")


@dataclass(frozen=True)
class Wanted:
    """What to take from a file.

    Attributes:
        name: ``elevation`` or ``population``.
        path: The file.
        variable: Name of a NetCDF variable, where the configuration gives one.
        band: Number of a layer from 1, where the configuration gives one.
        crs: Coordinate reference system that the configuration states for files without one.
    """

    name: str
    path: Path
    variable: str | None = None
    band: int | None = None
    crs: str | None = None

    def stated_crs(self) -> CRS | None:
        """The system that the configuration states."""
        try:
            return None if self.crs is None else CRS.from_user_input(self.crs)
        except CRSError as error:
            raise AirshedError(
                "a coordinate reference system is unknown",
                where="dataset.static_crs",
                expected="a name such as EPSG:4326",
                found=f"{self.crs} ({error})",
            ) from error

    def layer(self, count: int) -> int:
        """Position from 0 of the layer to read, of so many."""
        if self.band is None and count == 1:
            return 0
        if self.band is None or self.band > count:
            raise AirshedError(
                f"which layer of a file holds {self.name} is unknown",
                where=self.path,
                expected=f"dataset.{self.name}_band between 1 and {count}",
                found=self.band,
                hint="look the layers up in the file's documentation, and set the key",
            )
        return self.band - 1


def open_field(wanted: Wanted) -> Raster | Curvilinear:
    """The field, ready to be read.

    Raises:
        AirshedError: The file is missing or unreadable, or what it holds is not clear.
    """
    from airshed.data.static.geotiff import open_geotiff
    from airshed.data.static.netcdf import open_netcdf
    from airshed.data.static.yearly_store import open_yearly

    if wanted.path.is_dir():
        return open_yearly(wanted)
    if not wanted.path.is_file():
        raise AirshedError(
            f"the file with {wanted.name} is missing",
            where=wanted.path,
            hint=f"set dataset.{wanted.name}_file to a NetCDF or GeoTIFF file;"
            " docs/static-fields.md says where to get one",
        )
    with wanted.path.open("rb") as stream:
        start = stream.read(4)
    return open_netcdf(wanted) if start in NETCDF_STARTS else open_geotiff(wanted)
