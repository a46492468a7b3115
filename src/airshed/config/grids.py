"""Configuration of grids, and of the parts of them that are kept."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from airshed.config.base import Count, Section


class GridShape(Section):
    """Rows and columns of a grid or of a division of it."""

    rows: Count
    """Number of rows."""
    columns: Count
    """Number of columns."""

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}"


class Crop(Section):
    """Rows and columns of the native grid that are kept: from the first to before the second."""

    rows: tuple[int, int]
    """From the first row to before the second, counted from 0."""
    columns: tuple[int, int]
    """From the first column to before the second, counted from 0."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("rows", "columns"):
            start, stop = getattr(self, name)
            if not 0 <= start < stop:
                raise ValueError(f"{name} [{start}, {stop}] is no range of a grid")
        return self


class Box(Section):
    """Latitudes and longitudes, degrees; the smallest block of cells that holds it is kept."""

    south: Annotated[float, Field(ge=-90, le=90)]
    """Degrees north."""
    north: Annotated[float, Field(ge=-90, le=90)]
    """Degrees north."""
    west: Annotated[float, Field(ge=-180, le=360)]
    """Degrees east."""
    east: Annotated[float, Field(ge=-180, le=360)]
    """Degrees east."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not (self.south < self.north and self.west < self.east):
            raise ValueError(
                f"the box is empty: south {self.south} to north {self.north},"
                f" west {self.west} to east {self.east}"
            )
        return self
