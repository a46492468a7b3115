"""Maps of change: what is masked and what is stippled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.collections import QuadMesh

from airshed.comparison.maps import BLOCKS
from airshed.report.figures import maps
from airshed.report.loading import load_results

Made = Any  # see conftest.py


def drawn_cells(mesh: QuadMesh) -> np.ndarray:
    """Where a map has a colour."""
    return ~np.ma.getmaskarray(mesh.get_array())


def test_cells_with_hardly_any_of_a_pollutant_are_masked_and_not_stippled(finished: Made) -> None:
    """There is none of the first target in the west, where its errors are those of the east."""
    results = load_results(finished.study, finished.results, finished.data)
    rows, columns = results.static["lon2d"].shape
    squares = [index.ravel() for index in np.indices((rows // 2, columns // 2)) * 2]
    noise = np.random.default_rng(0).random(
        (2, BLOCKS, len(results.study.targets), len(squares[0]))
    )
    coordinates = {
        "pollutant": list(results.study.targets),
        "coarse_row": ("coarse", squares[0]),
        "coarse_column": ("coarse", squares[1]),
    }
    errors = xr.DataArray(noise, coordinates, ("seed", "block", "pollutant", "coarse"))
    blocks = {"physics_mask": 50 + errors, "wind_baseline": 100 + errors}
    results = replace(results, block_mse=blocks)
    drawing = maps.change_maps(results, "physics_mask", folded=False)
    assert maps.SHOWN in drawing.note
    west = np.arange(columns) < columns // 2
    for number, panel in enumerate(drawing.figure.axes[: len(results.study.targets)]):
        grey, change = [drawn_cells(mesh) for mesh in panel.collections[:2]]
        expected = np.broadcast_to(west & (number == 0), (rows, columns))
        assert np.array_equal(grey, expected)
        assert np.array_equal(change, ~expected)
        dots = max((line.get_xdata() for line in panel.lines), key=len)
        shown = results.static["lon2d"].values[squares[0], squares[1]]
        assert sorted(dots) == sorted(shown[~expected[squares[0], squares[1]]])
    plt.close(drawing.figure)
