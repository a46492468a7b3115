"""Wind roses against hand-derived directions and a plain count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from airshed.config import Study
from airshed.data.prepared import Prepared
from airshed.data.stores import open_hourly, open_static, open_wind_roses
from airshed.evaluation.roses import PARTS, SECTORS, sector_of, wind_roses

EDGES_MS = (2.0, 5.0)


@pytest.mark.parametrize(
    ("u_ms", "v_ms", "from_deg"),
    [(0, -3, 0), (-3, 0, 90), (0, 3, 180), (3, 0, 270), (-1, -1, 45), (0.2, -3, 0), (1, -3, 337.5)],
)
def test_a_sector_is_where_the_wind_comes_from(u_ms: float, v_ms: float, from_deg: float) -> None:
    sector = sector_of(np.array([u_ms]), np.array([v_ms]))
    assert sector.tolist() == [from_deg / 360 * SECTORS]


def test_frequencies_are_shares_of_hours_and_cells(
    study: Study, prepared: Prepared, tmp_path: Path
) -> None:
    """Grid of 8 x 16: part (1, 2) has rows 3 to 5 and columns 8 to 11."""
    output = tmp_path / "roses.nc"
    test = study.splits.test
    wind_roses(prepared.hourly, prepared.static, test, EDGES_MS, output)
    roses = open_wind_roses(output)
    inside = open_static(prepared.static)["domain_mask"].values[3:6, 8:12] > 0
    hours = open_hourly(prepared.hourly).sel(time=slice(str(test.start), str(test.end)))
    u, v = (hours[name].values[:, 3:6, 8:12][:, inside].ravel().astype(float) for name in "uv")
    assert len(u) == 24 * len(test.days) * inside.sum()
    turned = (270 - np.degrees(np.arctan2(v, u)) + 180 / SECTORS) % 360
    speeds = (0, *EDGES_MS, np.inf)
    counts, _, _ = np.histogram2d(
        turned, np.hypot(u, v), bins=(np.arange(SECTORS + 1) * 360 / SECTORS, speeds)
    )
    found = roses["frequency"].isel(region_row=1, region_column=2).values
    assert found == pytest.approx(counts / len(u), abs=2 / len(u))  # a wind on an edge may differ
    totals = roses["frequency"].sum(("sector", "speed_class")).values
    assert totals.shape == PARTS
    assert totals == pytest.approx(1)
    assert list(roses["speed_class"].values) == ["below 2 m s-1", "2 to 5 m s-1", "from 5 m s-1"]
