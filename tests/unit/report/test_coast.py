"""The coast on maps against what anyone can look up in an atlas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from airshed.report.figures import coast, maps
from airshed.report.loading import load_results
from airshed.report.results import Results

Made = Any  # see conftest.py
WORLD = (-180, 180, -90, 90)
LAND = {
    "Beijing": (116.4, 39.9),
    "Lhasa": (91.1, 29.7),
    "Urumqi": (87.6, 43.8),
    "inner Hainan": (109.7, 19.2),
    "inner Taiwan": (121.0, 23.8),
    "Madrid": (-3.7, 40.4),
    "Kansas": (-98.3, 38.5),
    "Alice Springs": (133.9, -23.7),
    "Chukotka, beyond the date line": (-175.0, 66.6),
    "Vanua Levu in Fiji": (179.2, -16.6),
    "Antarctica": (10.0, -80.0),
}
SEA = {
    "East China Sea": (125.0, 30.0),
    "Bohai": (119.8, 38.8),
    "strait of Taiwan": (119.5, 24.3),
    "strait of Hainan": (110.1, 20.17),
    "Caspian Sea": (51.0, 42.0),
    "South Pacific": (-150.0, -30.0),
    "Arctic Ocean": (180.0, 80.0),
}


def crossings(lon: float, lat: float) -> int:
    """How often a meridian northwards from a place meets the coast; at the pole there is sea."""
    line = coast.coast(*WORLD)
    start, end = line[:-1], line[1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        meets = (start[:, 0] <= lon) != (end[:, 0] <= lon)
        meets &= ~np.isnan(start).any(axis=1) & ~np.isnan(end).any(axis=1)
        share = (lon - start[:, 0]) / (end[:, 0] - start[:, 0])
        return int((meets & (start[:, 1] + share * (end[:, 1] - start[:, 1]) > lat)).sum())


@pytest.mark.parametrize("place", [*LAND, *SEA])
def test_places_lie_on_the_right_side_of_the_coast(place: str) -> None:
    lon, lat = (LAND | SEA)[place]
    assert crossings(lon, lat) % 2 == (place in LAND)


@pytest.mark.parametrize(
    ("lon", "lat", "name"),
    [(121.9, 31.2, "Shanghai"), (114.2, 22.3, "Hong Kong"), (-122.5, 37.8, "San Francisco")],
)
def test_the_coast_passes_near_ports(lon: float, lat: float, name: str) -> None:
    line = coast.coast(lon - 1, lon + 1, lat - 1, lat + 1)
    assert np.nanmin(np.hypot(line[:, 0] - lon, line[:, 1] - lat)) < 0.25, name


def test_no_coast_runs_along_the_date_line_and_none_ends_at_it() -> None:
    across, east = coast.coast(175, 185, 60, 75), coast.coast(-185, -175, 60, 75)
    for line in (across, coast.coast(175, 185, -20, -15), coast.coast(*WORLD)):
        steps = np.abs(np.diff(line, axis=0))
        assert np.nanmax(steps[:, 0]) < 10
        along = (np.abs(line[:-1, 0]) == 180) & (np.abs(line[1:, 0]) == 180)
        assert not along.any()
    for side in (across[:, 0] < 180, across[:, 0] > 180):
        assert side.sum() > 20
    west = across[across[:, 0] > 181] - (360, 0)
    assert set(map(tuple, west.round(6))) <= set(map(tuple, east.round(6)))


def on_land(results: Results, source: str) -> Results:
    """The results of a study whose data come from ``source``, in the seas of China."""
    dataset = results.study.dataset.model_copy(update={"source": source})
    return replace(results, study=results.study.model_copy(update={"dataset": dataset}))


def coasts(panel: Any) -> list[Any]:
    return [line for line in panel.lines if line.get_color() == coast.COLOUR]


def test_real_land_has_a_coast_on_its_maps_and_simulated_land_none(finished: Made) -> None:
    results = load_results(finished.study, finished.results, finished.data)
    limits = []
    for source, words in (("simulator", coast.NONE), ("caqra", coast.KEY)):
        of = on_land(results, source)
        drawn = [maps.terrain_and_wind(of), maps.change_maps(of, "physics_mask", folded=False)]
        real = source == "caqra"
        assert words in drawn[0].note
        assert (coast.KEY in drawn[1].note) == real
        panels = [drawn[0].figure.axes[0], *drawn[1].figure.axes[: len(of.study.targets)]]
        assert [len(coasts(panel)) for panel in panels] == [int(real)] * len(panels)
        limits.append([(panel.get_xlim(), panel.get_ylim()) for panel in panels])
        for one in drawn:
            plt.close(one.figure)
    assert limits[0] == limits[1]  # the coast does not widen a map
