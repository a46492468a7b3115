"""Quality control of observations, by hand-made series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scoring import TARGET_VARIABLES

from airshed.config.supplement import StationQuality
from airshed.evaluation.stations.quality import Series, checks, flat_line, spike
from airshed.variables import TARGETS, VARIABLES

TIMES = pd.date_range("2016-03-05", periods=48, freq="h")
NAN = float("nan")


def frame(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["station", "time", "pollutant", "value"])
    return table.assign(time=pd.to_datetime(table["time"], format="ISO8601"))


def test_flat_lines_are_runs_of_equal_values() -> None:
    values = np.array([1, 2, 2, 2, NAN, 2, 2, 3, 3, 3, 3], dtype=float)
    assert flat_line(values, 3).astype(int).tolist() == [0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1]
    assert not flat_line(values, 5).any()
    assert not flat_line(np.full(9, NAN), 3).any()


def test_a_spike_stands_out_from_both_neighbours() -> None:
    steady = 10 + np.arange(20) % 2.0  # changes of 1
    for at, value, expected in (
        (5, 60.0, True),
        (5, -60.0, True),
        (5, 20.0, False),
        (0, 60, False),
    ):
        values = steady.copy()
        values[at] = value
        assert spike(values, 20)[at] == expected
        assert spike(values, 20).sum() == expected
    step = steady + np.where(np.arange(20) > 8, 100, 0)  # a front comes and stays
    assert not spike(step, 20).any()
    gap = steady.copy()
    gap[4:7] = [NAN, 60, NAN]
    assert not spike(gap, 20).any()  # no neighbours to tell
    assert not spike(np.full(5, 3.0), 20).any()


def test_physical_limits() -> None:
    values = np.array([-1, 0, 149, 151, NAN])
    found = checks(values, VARIABLES["co"], StationQuality())
    assert found["negative"].tolist() == [True, False, False, False, False]
    assert found["implausible"].tolist() == [False, False, False, True, False]


def test_duplicates_are_taken_once_and_contradictions_not_at_all() -> None:
    series = Series(TIMES, TARGET_VARIABLES)
    first, second, third = (str(time) for time in TIMES[:3])
    series.add(
        frame(
            ("a", first, "o3", 5.0),
            ("a", first, "o3", 5.0),
            ("a", second, "o3", 6.0),
            ("a", second, "o3", 7.0),
            ("a", third, "o3", 8.0),
            ("b", third, "pm25", 80.0),
        )
    )
    series.add(frame(("a", third, "o3", 8.0), ("a", second, "o3", 6.0), ("b", third, "pm25", 81.0)))
    controlled = series.quality_controlled(["a", "b"], StationQuality())
    o3, pm25 = TARGETS.index("o3"), TARGETS.index("pm25")
    np.testing.assert_array_equal(controlled[0, o3, :4], [5, NAN, 8, NAN])
    assert np.isnan(controlled[1, pm25]).all()
    assert series.counts["duplicate"] == {"o3": 2}
    assert series.counts["contradiction"] == {"o3": 3, "pm25": 2}


def test_rows_between_hours_and_outside_the_period() -> None:
    series = Series(TIMES, TARGET_VARIABLES)
    series.add(frame(("a", "2016-03-05 00:30", "o3", 5.0), ("a", "2017-03-05", "o3", 5.0)))
    assert series.counts == {"not_on_the_hour": {"o3": 1}}


def test_every_reason_counts_an_hour_once() -> None:
    values = 50 + np.arange(48) % 3.0
    values[3], values[10:40] = -9999, 7.0
    table = frame(
        *(("a", str(time), "so2", value) for time, value in zip(TIMES, values, strict=True))
    )
    series = Series(TIMES, TARGET_VARIABLES)
    series.add(table)
    controlled = series.quality_controlled(["a"], StationQuality())[0, TARGETS.index("so2")]
    assert series.counts == {"negative": {"so2": 1}, "flat_line": {"so2": 30}}
    assert np.isnan(controlled).sum() == 31


@pytest.mark.parametrize("order", [1, -1])
def test_many_stations_in_any_order(order: int) -> None:
    names = [f"s{number:03}" for number in range(130)][::order]
    series = Series(TIMES, TARGET_VARIABLES)
    for start in range(0, 130, 13):
        series.add(
            frame(
                *(
                    (name, str(TIMES[2]), "no2", float(name[1:]))
                    for name in names[start : start + 13]
                )
            )
        )
    assert series.stations() == sorted(names)
    values = series.quality_controlled(series.stations(), StationQuality())
    np.testing.assert_array_equal(values[:, TARGETS.index("no2"), 2], np.arange(130))
