"""Gridded scores against plain numpy, scipy and the verification package ``scores``."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scores.categorical import BasicContingencyManager
from scores.continuous import additive_bias, mae, rmse
from scores.continuous.correlation import pearsonr
from scoring import COLUMNS, HORIZONS, INITS, ROWS, Case

from airshed.errors import AirshedError
from airshed.evaluation.binning import Classes, ruggedness_m, season_of
from airshed.evaluation.metrics.exceedance import LIMITS
from airshed.evaluation.metrics.moments import MOMENTS
from airshed.evaluation.rescoring import init_mse, rescored
from airshed.evaluation.scores import METRICS, Subject
from airshed.variables import TARGETS

PLACES = [(h, p) for h in range(len(HORIZONS)) for p in range(len(TARGETS))]


def pairs_of(case: Case, horizon: int, pollutant: int) -> tuple[xr.DataArray, ...]:
    """Forecast, truth, persistence and climatology [sample, y, x]; NaN where no pair counts."""
    rows = np.flatnonzero(case.samples["horizon_h"] == HORIZONS[horizon])
    batch = case.batch(rows)
    expected = case.climatology.at(batch.samples.valid_times)
    fields = (batch.forecast, batch.observed, batch.initial, expected)
    truth = fields[1][:, pollutant]
    counts = np.isfinite(truth) & case.domain.mask
    return tuple(
        xr.DataArray(
            np.where(counts, field[:, pollutant], np.nan).astype(np.float64),
            dims=("sample", "y", "x"),
        )
        for field in fields
    )


def test_pooled_scores_are_those_of_a_verification_package(case: Case, subject: Subject) -> None:
    found = case.scored().dataset(subject)
    for h, p in PLACES:
        forecast, truth, *_ = pairs_of(case, h, p)
        one = found.isel(horizon_h=h, pollutant=p)
        np.testing.assert_allclose(one["rmse"], rmse(forecast, truth), rtol=1e-5)
        np.testing.assert_allclose(one["mae"], mae(forecast, truth), rtol=1e-5)
        np.testing.assert_allclose(one["bias"], additive_bias(forecast, truth), rtol=1e-4)
        np.testing.assert_allclose(one["correlation"], pearsonr(forecast, truth), atol=1e-5)


def test_maps_are_those_of_a_verification_package(case: Case, subject: Subject) -> None:
    found = case.scored().dataset(subject)
    for h, p in PLACES:
        forecast, truth, *_ = pairs_of(case, h, p)
        one = found.isel(horizon_h=h, pollutant=p)
        for name, expected in (
            ("map_mse", rmse(forecast, truth, preserve_dims=("y", "x")) ** 2),
            ("map_mae", mae(forecast, truth, preserve_dims=("y", "x"))),
            ("map_bias", additive_bias(forecast, truth, preserve_dims=("y", "x"))),
            ("map_correlation", pearsonr(forecast, truth, preserve_dims=("y", "x"))),
        ):
            assert one[name].dtype == np.float32
            np.testing.assert_allclose(one[name], expected, rtol=1e-3, atol=1e-4)


def test_anomaly_correlation_and_skill_equal_plain_numpy(case: Case, subject: Subject) -> None:
    found = case.scored().dataset(subject)
    for h, p in PLACES:
        f, o, start, c = (field.values for field in pairs_of(case, h, p))
        one = found.isel(horizon_h=h, pollutant=p)
        cross, squares = np.nansum((f - c) * (o - c)), np.nansum((f - c) ** 2)
        anomalies = np.nansum((o - c) ** 2)
        acc = cross / np.sqrt(squares * anomalies)
        np.testing.assert_allclose(one["anomaly_correlation"], acc, rtol=1e-5)
        skill = 1 - np.nansum((f - o) ** 2) / anomalies
        np.testing.assert_allclose(one["skill_climatology"], skill, rtol=1e-4, atol=1e-6)
        both = np.isfinite(start)
        assert both.sum() < np.isfinite(o).sum()  # persistence is missing at some pairs
        skill = 1 - np.nansum((f - o)[both] ** 2) / np.nansum((start - o)[both] ** 2)
        np.testing.assert_allclose(one["skill_persistence"], skill, rtol=1e-4, atol=1e-6)


def test_exceedances_are_those_of_a_verification_package(case: Case, subject: Subject) -> None:
    found = case.scored().dataset(subject)
    seen = 0
    for h, p in PLACES:
        forecast, truth, *_ = pairs_of(case, h, p)
        known = truth.notnull()
        for limit, values in LIMITS.items():
            one = found.isel(horizon_h=h, pollutant=p)
            names = [f"{name}_{limit}" for name in ("hits", "misses", "false_alarms")]
            if TARGETS[p] not in values:
                assert all(np.isnan(one[name]) for name in names)
                continue
            above = values[TARGETS[p]]
            f, o = (field > above for field in (forecast, truth))
            counts = {
                "tp_count": (f & o & known).sum(),
                "fn_count": (~f & o & known).sum(),
                "fp_count": (f & ~o & known).sum(),
                "tn_count": (~f & ~o & known).sum(),
            }
            table = BasicContingencyManager(counts | {"total_count": known.sum()})
            keys = ("tp_count", "fn_count", "fp_count")
            assert [int(one[name]) for name in names] == [int(counts[key]) for key in keys]
            for name, expected in (
                ("hit_rate", table.hit_rate()),
                ("false_alarm_ratio", table.false_alarm_ratio()),
                ("critical_success_index", table.critical_success_index()),
            ):
                np.testing.assert_allclose(one[f"{name}_{limit}"], expected)
            seen += int(counts["tp_count"])
    assert seen > 50


def test_scores_without_events_are_undefined_and_not_zero(case: Case, subject: Subject) -> None:
    low = case.change(forecast=case.forecast * 0 + 1, truth=case.truth * 0 + 1)
    found = low.scored().dataset(subject)
    for name in ("hit_rate", "false_alarm_ratio", "critical_success_index"):
        assert found[f"{name}_daily"].isnull().all()
    assert (found["misses_daily"] == 0).all()
    assert found["correlation"].isnull().all()


def test_per_init_errors_equal_plain_numpy(case: Case, subject: Subject) -> None:
    found = init_mse(case.scored().dataset(subject))
    error = np.where(case.domain.mask, case.forecast - case.truth, np.nan).astype(np.float64)
    for row, sample in case.samples.iterrows():
        one = found.sel(init_time=sample["init_time"], horizon_h=sample["horizon_h"])
        np.testing.assert_allclose(one, np.nanmean(error[row] ** 2, axis=(1, 2)), rtol=1e-5)
    assert int(found.isnull().any("pollutant").sum()) == 1  # the missing sample


def test_strata_equal_plain_numpy(case: Case, subject: Subject) -> None:
    found = rescored(case.scored().dataset(subject))
    elevation, rugged = case.domain.elevation_m, ruggedness_m(case.domain.elevation_m)
    seen = set()
    for number, kind in enumerate(found["bin_kind"].values):
        one = found.isel(bin=number)
        name = str(one["bin"].item())
        seen.add(str(kind))
        for h, p in PLACES:
            rows = np.flatnonzero(case.samples["horizon_h"] == HORIZONS[h])
            forecast, truth, *_ = pairs_of(case, h, p)
            valid = case.batch(rows).samples.valid_times
            if kind == "domain":
                inside = np.True_
            elif kind == "season":
                inside = (seasons(valid) == name)[:, None, None]
            else:
                values = {"elevation": elevation, "ruggedness": rugged}.get(kind, case.wind[rows])
                inside = in_class(values, name)
            part = truth.where(np.broadcast_to(inside, truth.shape))
            place = {"horizon_h": h, "pollutant": p}
            assert int(one["pairs"].isel(place)) == int(part.notnull().sum())
            score = one["value"].isel(place)
            np.testing.assert_allclose(score.sel(metric="rmse"), rmse(forecast, part), rtol=1e-5)
            above = LIMITS["daily"][TARGETS[p]]
            missed = (part > above) & ~(forecast > above)
            assert int(score.sel(metric="misses_daily")) == int(missed.sum())
    assert seen == {"domain", "season", "elevation", "ruggedness", "wind_speed"}
    assert list(found["metric"].values) == list(METRICS)


def seasons(times: pd.DatetimeIndex) -> np.ndarray:
    """For times in February and March only."""
    return np.where(times.month == 2, "DJF", "MAM")


def in_class(values: np.ndarray, name: str) -> np.ndarray:
    """Whether values lie in a class, read from its name."""
    words = name.split()
    if words[0] == "below":
        return values < float(words[1])
    if words[0] == "from":
        return values >= float(words[1])
    return (values >= float(words[0])) & (values < float(words[2]))


def test_classes_are_half_open_and_leave_out_the_unknown() -> None:
    classes = Classes("wind_speed", (2.0, 5.0), "m s-1")
    assert classes.names == ("below 2 m s-1", "2 to 5 m s-1", "from 5 m s-1")
    assert classes.of(np.array([-1, 1.99, 2, 4.99, 5, 99, np.nan])).tolist() == [
        *(0, 0, 1, 1, 2, 2, 3)
    ]


def test_ruggedness_is_the_spread_of_the_neighbourhood() -> None:
    field = np.array([[0.0, 0, 0, 0], [0, 9, 0, 0], [0, 0, 0, np.nan]])
    found = ruggedness_m(field)
    assert found[1, 1] == pytest.approx(np.std([9, 0, 0, 0, 0, 0, 0, 0, 0]))
    assert found[0, 0] == pytest.approx(np.std([9, 0, 0, 0]))
    assert found[0, 3] == 0
    assert np.isnan(ruggedness_m(np.full((2, 2), np.nan))).all()


def test_seasons_begin_with_december() -> None:
    months = pd.date_range("2018-01-15", periods=12, freq="MS")
    assert season_of(months).tolist() == [0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0, 0]


@pytest.mark.parametrize("size", [1, 4, 6, 100])
def test_any_cut_into_batches_gives_the_same_bits(case: Case, subject: Subject, size: int) -> None:
    xr.testing.assert_identical(case.scored(size).dataset(subject), case.scored(2).dataset(subject))


def test_a_saved_state_goes_on_to_the_same_bits(case: Case, subject: Subject) -> None:
    batches = case.batches()
    first, second = case.scorer(), case.scorer()
    first.add(batches[0])
    second.restore({name: array.copy() for name, array in first.state().items()})
    first.add(batches[1])  # the state that was given away must not change with it
    for batch in batches[1:]:
        second.add(batch)
    xr.testing.assert_identical(second.dataset(subject), case.scored().dataset(subject))


def test_correlation_survives_a_large_offset(case: Case, subject: Subject) -> None:
    """Sums of raw squares in float32 would lose a spread of 60 at a level of 30,000."""
    far = case.change(
        forecast=case.forecast + np.float32(30_000),
        truth=case.truth + np.float32(30_000),
        initial=case.initial + np.float32(30_000),
    )
    far.climatology.fields += np.float32(30_000)
    found = far.scored().dataset(subject)["correlation"]
    far.climatology.fields -= np.float32(30_000)
    np.testing.assert_allclose(found, case.scored().dataset(subject)["correlation"], atol=2e-3)


def test_missing_forecasts_are_counted_for_a_baseline_and_refused_for_a_network(
    case: Case, subject: Subject
) -> None:
    forecast, truth = case.forecast.copy(), case.truth.copy()
    truth[0, 0, 1, 1:3] = 50.0, np.nan
    forecast[0, 0, 1, 1:3] = np.nan
    forecast[0, 0, 0, 0] = np.nan  # outside the domain
    scorer = case.change(forecast=forecast, truth=truth).scored()
    baseline = Subject("baseline", "x", -1, "d", "simulated", "abc")
    assert scorer.dataset(baseline).attrs["cells_skipped"] == 1
    with pytest.raises(AirshedError, match="1 cells in 11 samples"):
        scorer.dataset(subject)


def test_samples_come_once_and_in_shape(case: Case) -> None:
    scorer = case.scored()
    with pytest.raises(ValueError, match="came twice"):
        scorer.add(case.batch([0]))
    with pytest.raises(ValueError, match="came twice"):
        case.scorer().add(case.batch([0, 0]))
    turned = case.change(forecast=case.forecast.swapaxes(2, 3))
    with pytest.raises(ValueError, match="shape"):
        turned.scorer().add(turned.batch([0]))


@pytest.mark.parametrize(
    ("init", "horizon"), [("2018-02-27 01:00", 12), ("2018-01-01", 12), ("2018-02-27", 13)]
)
def test_samples_of_another_split_or_horizon_are_refused(
    case: Case, init: str, horizon: int
) -> None:
    wrong = case.samples.assign(init_time=pd.Timestamp(init), horizon_h=horizon)
    with pytest.raises(AirshedError, match=f"horizon {horizon} h"):
        case.scorer().add(case.change(samples=wrong).batch([0]))


def test_a_climatology_that_does_not_know_the_domain_is_refused(case: Case) -> None:
    case.climatology.fields[:, 2, 3, 3] = np.nan
    with pytest.raises(AirshedError, match="1 unknown cell"):
        case.scorer()


def test_the_form_is_the_agreed_one(case: Case, subject: Subject) -> None:
    found = case.scored().dataset(subject)
    assert dict(found.sizes) == {
        "horizon_h": 2, "pollutant": 6, "init_time": len(INITS), "y": ROWS, "x": COLUMNS,
        "bin": 1 + 3 + 4 + 3, "statistic": len(MOMENTS), "event": 6, "block": 1,
        "block_statistic": 3, "coarse": int(case.domain.mask.sum()), "band": 2,
        "ruggedness": 3, "wind_speed": 3,
    }  # fmt: skip
    assert found["init_time"].dtype == "datetime64[ns]"
    assert found["sums"].dims == ("init_time", "horizon_h", "bin", "statistic", "pollutant")
    assert found["units"].sel(pollutant="co").item() == "mg m-3"
    assert (found.attrs["seed"], found.attrs["data_source"]) == (3, "simulated")
    assert found.attrs["samples"] == len(case.samples)
