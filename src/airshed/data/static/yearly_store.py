"""Elevation and population inside a yearly Zarr store of the founding project's form."""

from __future__ import annotations

from airshed.data.problems import STOP
from airshed.data.static.curvilinear import Curvilinear
from airshed.data.static.files import Wanted
from airshed.data.yearly import open_store
from airshed.variables import VARIABLES


def open_yearly(wanted: Wanted) -> Curvilinear:
    """The field of a store, in canonical units.

    Raises:
        AirshedError: The folder is no such store, or lacks a variable.
    """
    names = (wanted.name, "lat2d", "lon2d")
    fields = open_store(wanted.path).read(slice(0, 1), {}, STOP, names).fields
    return Curvilinear(
        f"{wanted.path}, variable {wanted.name}",
        VARIABLES[wanted.name].units,
        *(fields[name] for name in names),
    )
