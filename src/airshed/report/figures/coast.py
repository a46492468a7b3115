"""Coast lines on maps of the earth: Natural Earth's land at 1:50 million, in the public domain.

The package holds them (``coastline.npz``, 0.2 MB, made by ``benchmarks/coastline.py``), so that
nothing is fetched and nothing more is installed. They lie within some kilometres of the true coast
and leave out islands that are smaller.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from airshed.arrays import Floats
from airshed.report.results import Results

BREAK = -32768  # in place of a position: between two lines
STEPS_A_DEGREE = 100
COLOUR = "#0b5f8a"
KEY = "Thick blue line: coast (Natural Earth, 1:50\u00a0million)."
NONE = "The land is simulated, so that no coast is drawn."


def draw(panel: Axes, results: Results) -> None:
    """Draw the coast into a map of longitude and latitude whose limits are set.

    Simulated land has no coast: the real one would mislead.
    """
    if not results.simulated:
        line = coast(*panel.get_xlim(), *panel.get_ylim())
        panel.add_artist(Line2D(*line.T, color=COLOUR, linewidth=0.9))  # which widens no map


def key(results: Results) -> str:
    """What a caption says of the coast; nothing where there is none."""
    return "" if results.simulated else KEY


def coast(west: float, east: float, south: float, north: float) -> Floats:
    """The coast in a window and just beyond its edges.

    Args:
        west: Degrees, -180 or more.
        east: Degrees, beyond 180 for a window across the date line; 540 or less.
        south: Degrees.
        north: Degrees.

    Returns:
        [N, 2], longitude and latitude; NaN between lines.
    """
    parts = []
    for turn in (0, 360):
        points = _world() + np.array([turn, 0])
        low, high = np.minimum(points[:-1], points[1:]), np.maximum(points[:-1], points[1:])
        near = ((low <= (east, north)) & (high >= (west, south))).all(axis=1)
        kept = np.append(near, False) | np.append(False, near)
        line = np.where(kept[:, None], points, np.nan)
        parts.append(line[kept | np.append(False, kept[:-1])])
    return np.concatenate(parts)


@cache
def _world() -> Floats:
    with files("airshed.report").joinpath("coastline.npz").open("rb") as stream:
        points = np.load(stream)["points"]
    return np.where(points == BREAK, np.nan, points / STEPS_A_DEGREE)
