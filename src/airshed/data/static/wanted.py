"""Which variable and layer of a file of elevation or population to read, in any format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyproj import CRS
from pyproj.exceptions import CRSError

from airshed.config.data import DatasetConfig
from airshed.errors import AirshedError
from airshed.variables import CAQRA, Quantities


@dataclass(frozen=True)
class Wanted:
    """What to read from a file.

    Attributes:
        name: ``elevation`` or ``population``.
        path: The file.
        variable: Name of a NetCDF variable, where the configuration gives one.
        band: Number of a layer from 1, where the configuration gives one.
        crs: Coordinate reference system that the configuration states for files without one.
        quantities: What the dataset knows.
        rows: Row order of a bare array, if configured.
    """

    name: str
    path: Path
    variable: str | None = None
    band: int | None = None
    crs: str | None = None
    quantities: Quantities = CAQRA
    rows: str | None = None

    @classmethod
    def of(cls, dataset: DatasetConfig, name: str, path: Path) -> Wanted:
        """By the study's settings for the file with elevation or population."""
        return cls(
            *(name, path, getattr(dataset, f"{name}_variable")),
            dataset.population_band if name == "population" else None,
            *(dataset.static_crs, dataset.quantities, dataset.static_rows),
        )

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

    def unreadable(self, error: BaseException) -> AirshedError:
        """The problem of a file that a library cannot read."""
        return AirshedError(
            f"the file with {self.name} cannot be read",
            where=self.path,
            expected="NetCDF, GeoTIFF, or an array of numpy (.npy) on the study grid",
            found=f"{type(error).__name__}: {error}",
            hint=self.fetch_again,
        )

    @property
    def fetch_again(self) -> str:
        """What to do with a damaged file."""
        return f"correct dataset.{self.name}_file, or fetch the file again"
