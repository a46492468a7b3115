from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scoring import write_hourly

from airshed.config import Study
from airshed.data.climatology import Climatology
from airshed.data.samples import sample_index
from airshed.errors import AirshedError
from airshed.evaluation.baselines import baseline
from airshed.evaluation.baselines.known import Known
from airshed.evaluation.baselines.ridge import ridge, solve
from airshed.evaluation.batch import Samples
from airshed.variables import HOURLY, TARGETS

TIMES = pd.date_range("2016-02-26", "2016-03-08 23:00", freq="h")
ROWS, COLUMNS = 2, 3
MASK = np.array([[True, True, False], [True, True, True]])


def known_of(
    study: Study, folder: Path, fields: dict[str, np.ndarray], absent: tuple[str, ...] = ()
) -> Known:
    present = ~TIMES.isin(pd.DatetimeIndex(absent))
    hourly = write_hourly(folder / "hourly.zarr", TIMES, present, fields)
    constant = np.zeros((1, 24, len(TARGETS), ROWS, COLUMNS), dtype=np.float32)
    return Known(study, hourly, MASK, Climatology(constant))


def rows(*samples: tuple[str, int]) -> pd.DataFrame:
    table = pd.DataFrame(samples, columns=["init_time", "horizon_h"])
    table["init_time"] = pd.to_datetime(table["init_time"])
    table["input_index"] = TIMES.get_indexer(pd.DatetimeIndex(table["init_time"]))
    return table.assign(target_index=table["input_index"] + table["horizon_h"])


def counted() -> dict[str, np.ndarray]:
    """Pollutant p at hour t of the store is 1000 p + t."""
    hours = np.arange(len(TIMES), dtype=np.float32)[:, None, None]
    return {
        name: np.broadcast_to(1000 * number + hours, (len(TIMES), ROWS, COLUMNS))
        for number, name in enumerate(TARGETS)
    }


def one(known: Known, name: str, samples: pd.DataFrame) -> np.ndarray:
    return next(baseline(name)(known)([Samples.of(samples)]))


def test_the_names_of_baselines_are_read_without_what_computes_them() -> None:
    heavy = "{'numpy', 'torch', 'xarray'} & set(sys.modules)"
    program = f"import sys, airshed.evaluation.baselines; sys.exit(bool({heavy}))"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_persistence_is_the_field_at_the_init_time(tiny_study: Study, tmp_path: Path) -> None:
    known = known_of(tiny_study, tmp_path, counted())
    found = one(known, "persistence", rows(("2016-02-27 05:00", 12), ("2016-02-26 23:00", 1)))
    assert found.shape == (2, 6, ROWS, COLUMNS)
    np.testing.assert_array_equal(found[:, 1, 1, 2], [1000 + 29, 1000 + 23])


def test_same_hour_persistence_has_the_hour_of_the_valid_time(
    tiny_study: Study, tmp_path: Path
) -> None:
    """Hour 53 is 5 h of the third day; 12 h later it is 17 h, last seen 12 h before, at hour 41."""
    known = known_of(tiny_study, tmp_path, counted(), absent=("2016-02-27 06:00",))
    init = "2016-02-28 05:00"
    found = one(known, "same_hour_persistence", rows(*((init, h) for h in (12, 24, 48, 1, 30))))
    # 6 h of the second day (hour 30) is absent: the one of the first day, hour 6, stands for it
    np.testing.assert_array_equal(found[:, 0, 0, 0], [41, 53, 53, 6, 35])


def test_same_hour_persistence_looks_back_by_days_whatever_the_step(
    tiny_study: Study, tmp_path: Path
) -> None:
    """Every third hour: position 20 is 12 h of the third day; 6 h later is 18 h, last at 14."""
    times = TIMES[::3]
    fields = {name: values[: len(times)] for name, values in counted().items()}
    hourly = write_hourly(tmp_path / "hourly.zarr", times, np.arange(len(times)) != 14, fields)
    known = Known(tiny_study, hourly, MASK, Climatology(np.zeros((1, 8, 6, ROWS, COLUMNS), "f4")))
    table = pd.DataFrame({"init_time": times[20], "horizon_h": [12, 24, 6]})
    samples = table.assign(input_index=20, target_index=20 + table["horizon_h"] // 3)
    found = one(known, "same_hour_persistence", samples)
    # 12 h later is 0 h of the next day, seen 12 h before (16); of 18 h the day before yesterday's
    np.testing.assert_array_equal(found[:, 0, 0, 0], [16, 20, 6])


def test_same_hour_persistence_without_an_earlier_day_is_refused(
    tiny_study: Study, tmp_path: Path
) -> None:
    known = known_of(tiny_study, tmp_path, counted())
    with pytest.raises(AirshedError, match="2016-02-26 05:00"):
        one(known, "same_hour_persistence", rows(("2016-02-26 05:00", 12)))


def weather(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        name: rng.normal(50, 10, (len(TIMES), ROWS, COLUMNS)).astype(np.float32) for name in HOURLY
    }


def test_ridge_finds_a_linear_law(tiny_study: Study, tmp_path: Path) -> None:
    """SO2 follows the wind and CO of 12 h before, in each cell in its own way."""
    fields = weather(np.random.default_rng(0))
    factor = np.arange(1, 7).reshape(ROWS, COLUMNS)
    later = factor * fields["u"] - 0.5 * fields["co"] + 7
    fields["so2"] = np.concatenate([fields["so2"][:12], later[:-12]]).astype(np.float32)
    study = with_penalty(tiny_study, 1e-9, every_h=1)
    known = known_of(study, tmp_path, fields)
    samples = rows(("2016-03-05 03:00", 12), ("2016-03-06 20:00", 12))
    found = next(ridge(known)([Samples.of(samples)]))
    at = samples["target_index"]
    expected = fields["so2"][at][:, MASK]
    np.testing.assert_allclose(found[:, TARGETS.index("so2")][:, MASK], expected, atol=0.02)
    assert np.isnan(found[:, :, ~MASK]).all()
    assert np.abs(found[:, 0][:, MASK] - fields["pm25"][at][:, MASK]).max() > 1  # that is noise


def with_penalty(study: Study, penalty: float, every_h: int) -> Study:
    train = study.splits.train.model_copy(update={"init_every_h": every_h})
    return study.model_copy(
        update={
            "evaluation": study.evaluation.model_copy(update={"ridge_penalty": penalty}),
            "splits": study.splits.model_copy(update={"train": train}),
        }
    )


def test_ridge_is_the_plain_regression_of_every_cell(tiny_study: Study, tmp_path: Path) -> None:
    """By numpy, one cell at a time; missing values and absent hours leave out their samples."""
    rng = np.random.default_rng(1)
    fields = weather(rng)
    fields["temp"][30:40, 0, 0] = np.nan
    fields["o3"][50, 1, 1] = np.nan
    penalty = 0.05
    study = with_penalty(tiny_study, penalty, every_h=1)
    known = known_of(study, tmp_path, fields, absent=("2016-02-28 11:00",))
    samples = rows(("2016-03-05 03:00", 24), ("2016-03-06 20:00", 12))
    found = next(ridge(known)([Samples.of(samples)]))
    train = sample_index(
        TIMES, known.hourly["present"].values, study.splits.train, study.horizons_h
    )
    pairs = train.pivot_table(index="input_index", columns="horizon_h", values="target_index")
    pairs = pairs.dropna().astype(int)
    store = {name: known.hourly[name].values.astype(np.float64) for name in HOURLY}
    for y, x in ((0, 0), (1, 1), (1, 2)):
        inits = np.concatenate([pairs.index, samples["input_index"]])
        predictors = plain_predictors(store, inits, y, x)
        learnt = predictors[: len(pairs)]
        later = [store[name][pairs[h], y, x] for h in (12, 24) for name in TARGETS]
        usable = np.isfinite(learnt).all(axis=1) & np.isfinite(later).all(axis=0)
        z = learnt[usable]
        centre, scale = z.mean(axis=0), z.std(axis=0)
        z = (z - centre) / np.where(scale > 1e-6, scale, np.inf)
        for number, (horizon, row) in enumerate(((24, -2), (12, -1))):
            for p, name in enumerate(TARGETS):
                target = store[name][pairs[horizon], y, x][usable]
                level = target.mean()
                gram = z.T @ z / len(z) + penalty * np.eye(z.shape[1])
                slope = np.linalg.solve(gram, z.T @ (target - level) / len(z))
                new = (predictors[row] - centre) / np.where(scale > 1e-6, scale, np.inf)
                expected = level + new @ slope
                assert found[number, p, y, x] == pytest.approx(expected, rel=1e-3)


def plain_predictors(store: dict[str, np.ndarray], inits: np.ndarray, y: int, x: int) -> np.ndarray:
    angle = 2 * np.pi * TIMES.hour.to_numpy()[inits] / 24
    waves = [np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)]
    return np.stack([*(store[name][inits, y, x] for name in HOURLY), *waves], axis=1)


def test_a_cell_without_samples_has_no_regression() -> None:
    nothing = solve(np.zeros((1, 3, 3)), np.zeros((1, 3, 2)), 0.1)
    assert np.isnan(nothing).all()
    constant = solve(4 * np.ones((1, 3, 3)), 8 * np.ones((1, 3, 2)), 0.1)
    np.testing.assert_allclose(constant[0], [[0, 0], [0, 0], [2, 2]])  # no predictor varies


def test_ridge_forecasts_from_hours_of_the_day_that_it_never_saw(
    tiny_study: Study, tmp_path: Path
) -> None:
    """Learned every 6 h, where a wave of the hour is zero but for rounding; asked at 3 h."""
    fields = weather(np.random.default_rng(2))
    known = known_of(with_penalty(tiny_study, 0.01, every_h=6), tmp_path, fields)
    found = next(ridge(known)([Samples.of(rows(("2016-03-05 03:00", 12)))]))
    learnt = np.stack([fields[name] for name in TARGETS])
    spread = np.abs(learnt).max()
    assert np.abs(found[:, :, MASK]).max() < 10 * spread


def test_ridge_without_complete_training_samples_is_refused(
    tiny_study: Study, tmp_path: Path
) -> None:
    inits = pd.date_range("2016-02-26", "2016-03-01 23:00", freq="6h")
    absent = tuple(map(str, inits[inits.hour == 0].union(inits[inits.hour == 12])))
    study = with_penalty(tiny_study, 0.1, every_h=12)
    known = known_of(study, tmp_path, counted(), absent=absent[1:])
    with pytest.raises(AirshedError, match=r"every horizon|no sample"):
        ridge(known)
