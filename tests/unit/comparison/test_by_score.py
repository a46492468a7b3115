from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scoring import TARGET_VARIABLES

from airshed.comparison.by_score import COLUMNS, compare_scores
from airshed.comparison.other_scores import (
    MIN_EVENTS,
    OTHER_SCORES,
    SUMMED,
    compared,
    on_scale,
    score_sums,
)
from airshed.data.climatology import Climatology
from airshed.evaluation.aggregation import Period
from airshed.evaluation.batch import Batch, Domain, Samples
from airshed.evaluation.gridded import GriddedScores
from airshed.evaluation.scores import Subject
from airshed.variables import TARGETS

RNG = np.random.default_rng
HOURS = (12, 24)
VARIANT, REFERENCE = "physics_mask", "wind_baseline"
PLACE = ("pm25", 24)
"""The pollutant and horizon that is computed again from all its pairs."""


def verdicts(**changed: object) -> pd.DataFrame:
    row = {"variant": VARIANT, "reference": REFERENCE, "pollutant": "all", "horizon_h": "all"}
    judged = {"family": "primary", "block_length": 4, "limit": "", "seeds_paired": False}
    return pd.DataFrame([row | judged | changed])


def forecasts(seed: int, spread: float, times: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts and truth [init, horizon, pollutant, y, x]; parts of the truth are missing."""
    shape = (times, len(HOURS), len(TARGETS), 3, 4)
    truth = RNG(0).gamma(4, 20, size=shape)
    truth[RNG(1).random(shape) < 0.1] = np.nan
    return truth + spread * RNG(seed).normal(size=shape) - 2, truth


def scored(forecast: np.ndarray, truth: np.ndarray) -> xr.Dataset:
    """As the evaluation scores them."""
    inits = pd.date_range("2016-03-05", periods=len(truth), freq="6h", unit="ns")
    samples = pd.DataFrame(
        [(init, hour) for init in inits for hour in HOURS], columns=["init_time", "horizon_h"]
    )
    lat, lon = np.mgrid[30.0:33.0, 100.0:104.0]
    domain = Domain(np.ones(lat.shape, dtype=bool), lat, lon, np.zeros(lat.shape))
    climatology = Climatology(np.full((1, 24, len(TARGETS), *lat.shape), 75, dtype=np.float32))
    gridded = GriddedScores(Period(inits, HOURS, TARGET_VARIABLES), domain, climatology)
    fields = [
        np.ascontiguousarray(each.reshape(-1, *each.shape[2:]), dtype=np.float32)
        for each in (forecast, truth, truth)
    ]
    batch = Samples.of(samples.assign(input_index=0, target_index=0))
    gridded.add(Batch(batch, *fields, fields[0][:, 0]))
    return gridded.dataset(Subject("variant", "made", 0, "made", "simulated", "abc"))


def models(spreads: dict[str, float]) -> dict[str, xr.DataArray]:
    """Two seeds of each."""
    found = {}
    for number, (name, spread) in enumerate(spreads.items()):
        parts = [score_sums(scored(*forecasts(10 * number + seed, spread))) for seed in (2, 3)]
        found[name] = xr.concat(parts, dim="seed").assign_coords(seed=[0, 1])
    return found


@pytest.fixture(scope="module")
def pair() -> dict[str, xr.DataArray]:
    return models({VARIANT: 8.0, REFERENCE: 20.0})


def test_scores_are_those_of_all_pairs(pair: dict[str, xr.DataArray]) -> None:
    """Every value of one pollutant and horizon, from the pairs themselves, by other formulas."""
    table = compare_scores(pair, verdicts(), 0.05, 200, 0)
    rows = table[(table["pollutant"] == PLACE[0]) & (table["horizon_h"] == PLACE[1])]
    place = (slice(None), HOURS.index(PLACE[1]), TARGETS.index(PLACE[0]))
    both = [[each[place].reshape(60, -1) for each in forecasts(seed, 8.0)] for seed in (2, 3)]
    forecast, truth = (np.concatenate([one[part] for one in both]) for part in (0, 1))
    known = np.isfinite(truth)
    pairs = forecast[known], truth[known]
    error = pairs[0] - pairs[1]
    foreseen, happened = (values > 75 for values in pairs)
    hits = (foreseen & happened).sum()
    anomalies = [values - 75 for values in pairs]
    variances = [
        [np.var(values[init, known[init]]) for init in range(len(values))]
        for values in (forecast, truth)
    ]
    expected = {
        "mae": np.abs(error).mean(),
        "bias": abs(error.mean()) / pairs[1].std(),
        "correlation": np.corrcoef(*pairs)[0, 1],
        "anomaly_correlation": (anomalies[0] * anomalies[1]).sum()
        / np.sqrt(np.square(anomalies[0]).sum() * np.square(anomalies[1]).sum()),
        "hit_rate": hits / happened.sum(),
        "false_alarm_ratio": 1 - hits / foreseen.sum(),
        "critical_success_index": hits / (foreseen | happened).sum(),
        "variance_ratio": np.mean(variances[0]) / np.mean(variances[1]),
    }
    found = dict(zip(rows["score"], rows["variant_value"], strict=True))
    assert found == pytest.approx(expected, rel=1e-4)


def test_changes_go_the_right_way_and_overall_rows_are_means(
    pair: dict[str, xr.DataArray],
) -> None:
    table = compare_scores(pair, verdicts(), 0.05, 500, 0)
    assert tuple(table.columns) == COLUMNS
    overall = table[table["pollutant"] == "all"].set_index("score")
    better = overall.index.map(lambda name: OTHER_SCORES[name].better)
    improved = overall["change"] * better > 0
    assert improved.drop(["bias", "variance_ratio"]).all()
    assert set(overall["finding"][["mae", "correlation", "anomaly_correlation"]]) == {"better"}
    assert overall.loc["variance_ratio", "finding"] == "lower"
    assert (table["ci_low"] <= table["change"]).all()
    assert (table["change"] <= table["ci_high"]).all()
    assert set(overall["family_size"]) == {len(overall)}
    for name, row in overall.iterrows():
        cells = table[(table["score"] == name) & (table["pollutant"] != "all")]
        change = cells["change"]
        relative = OTHER_SCORES[str(name)].relative
        mean = np.expm1(np.log1p(change).mean()) if relative else change.mean()
        assert row["change"] == pytest.approx(mean)
        assert set(cells["family_size"]) == {len(cells)}


def test_swapped_models_swap_what_is_found(pair: dict[str, xr.DataArray]) -> None:
    forward = compare_scores(pair, verdicts(), 0.05, 500, 0)
    backward = compare_scores(pair, verdicts(variant=REFERENCE, reference=VARIANT), 0.05, 500, 0)
    swapped = {"better": "worse", "worse": "better", "higher": "lower", "lower": "higher"}
    assert forward["finding"].replace(swapped).tolist() == backward["finding"].tolist()
    assert forward["variant_value"].equals(backward["reference_value"])


def test_without_a_verdict_nothing_is_found(pair: dict[str, xr.DataArray]) -> None:
    table = compare_scores(pair, verdicts(limit="one seed"), 0.05, 100, 0)
    assert set(table["finding"]) == {"undecided"}
    assert (table["p_value"] == 1).all()


def test_seeds_with_the_same_start_are_paired_in_every_score(
    pair: dict[str, xr.DataArray],
) -> None:
    """Both sides the same trainings: nothing is left between them once seeds are paired."""
    twice = dict.fromkeys((VARIANT, REFERENCE), pair[REFERENCE])
    apart, paired = (
        compare_scores(twice, verdicts(seeds_paired=paired), 0.05, 100, 0)
        for paired in (False, True)
    )
    assert (apart["change"] == 0).all()
    assert (apart["ci_high"] > 0).mean() > 0.9  # in the rest no training differs from another
    assert (paired["ci_high"] == 0).all()


def test_what_is_too_rare_or_undefined_is_not_compared() -> None:
    sums = np.ones((4, len(SUMMED), 2))
    where = [SUMMED.index(f"{name}_daily") for name in ("hits", "misses")]
    sums[:, where] = [[MIN_EVENTS / 2, 1], [MIN_EVENTS / 2, 1]]
    sums[:, SUMMED.index("station_count")] = 0
    found = dict(zip(OTHER_SCORES, compared(sums).tolist(), strict=True))
    assert found["critical_success_index"] == [True, False]
    assert found["mae"] == [True, True]
    assert found["station_rmse"] == [False, False]
    assert np.isnan(on_scale(sums)[0, list(OTHER_SCORES).index("station_rmse")]).all()


def test_intervals_cover_the_true_change() -> None:
    """Of 200 studies of equal models, each with trainings and weather of its own."""
    names = ("mae", "critical_success_index", "correlation")
    rng = RNG(5)
    covered = []
    for _ in range(200):
        made = {name: simulated(rng) for name in (VARIANT, REFERENCE)}
        table = compare_scores(made, verdicts(block_length=3), 0.05, 200, 0)
        rows = table[(table["pollutant"] == "all")].set_index("score").loc[list(names)]
        covered.append((rows["ci_low"] <= 0) & (rows["ci_high"] >= 0))
    rates = np.mean(covered, axis=0)
    assert (rates > 0.91).all()
    assert (rates < 1).any()


def simulated(rng: np.random.Generator) -> xr.DataArray:
    """Sums of two trainings whose errors have a size of their own, over independent init times."""
    times, cells, dims = 60, 40, ("seed", "summed", "init_time", "pollutant", "horizon_h")
    truth = rng.gamma(4, 20, size=(times, 1, 2, cells))
    sums = np.zeros((2, len(SUMMED), times, 1, 2))
    for seed in (0, 1):
        size = 20 * np.exp(0.1 * rng.normal(size=(1, 1, 2, 1)))
        error = size * rng.normal(size=truth.shape)
        foreseen, happened = truth + error > 75, truth > 75
        parts = {
            "count": np.ones_like(truth),
            "error": error,
            "absolute": np.abs(error),
            "squared": error**2,
            "truth": truth,
            "truth_truth": truth**2,
            "truth_error": truth * error,
            "anomaly_anomaly": (truth - 75) ** 2,
            "anomaly_error": (truth - 75) * error,
            "hits_daily": foreseen & happened,
            "misses_daily": happened & ~foreseen,
            "false_alarms_daily": foreseen & ~happened,
        }
        for name, values in parts.items():
            sums[seed, SUMMED.index(name)] = values.sum(axis=-1)
    coords = {
        "summed": list(SUMMED),
        "init_time": pd.date_range("2016-03-05", periods=times, freq="6h"),
        "pollutant": ["pm25"],
        "horizon_h": list(HOURS),
        "units": ("pollutant", ["ug m-3"]),
    }
    return xr.DataArray(sums, dims=dims, coords=coords)
