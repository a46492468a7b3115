"""The loop: order, threads, savepoints; and reading in bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scoring import write_hourly

from airshed.data.days import DayReader, days_spanned
from airshed.evaluation.batch import Batch, Floats, State
from airshed.evaluation.loop import Savepoint, ahead, batches_of, score_forecasts
from airshed.evaluation.reading import SampleReader
from airshed.variables import TARGETS

TIMES = pd.date_range("2018-01-01", periods=10 * 24, freq="h")
SHAPE = (len(TIMES), 2, 3)


@pytest.fixture
def hourly(tmp_path: Path) -> xr.Dataset:
    """Pollutant p at hour t is 1000 p + t; the wind is (3, 4) everywhere."""
    hours = np.arange(len(TIMES))[:, None, None]
    fields = {
        name: np.broadcast_to(1000 * number + hours, SHAPE) for number, name in enumerate(TARGETS)
    }
    fields |= {"u": np.full(SHAPE, 3), "v": np.full(SHAPE, -4)}
    return write_hourly(tmp_path / "hourly.zarr", TIMES, np.ones(len(TIMES), dtype=bool), fields)


@pytest.fixture
def samples() -> pd.DataFrame:
    pairs = [(init, horizon) for init in range(0, 48, 6) for horizon in (12, 24, 96)]
    table = pd.DataFrame(pairs, columns=["input_index", "horizon_h"]).drop(index=[4, 5])
    return table.assign(
        init_time=TIMES[table["input_index"]],
        target_index=table["input_index"] + table["horizon_h"],
    )


class Sum:
    """A scorer that depends on the order of batches, and may fail once."""

    def __init__(self, fail_at: int = -1) -> None:
        self.total, self.seen, self.fail_at = np.zeros(()), [], fail_at
        self.threads: set[str] = set()

    def add(self, batch: Batch) -> None:
        if len(self.seen) == self.fail_at:
            raise RuntimeError("stopped")
        self.seen.append(batch)
        self.threads.add(threading.current_thread().name)
        self.total = self.total / 3 + batch.forecast.sum() + batch.observed[:, 0].sum()

    def state(self) -> State:
        return {"total": self.total}

    def restore(self, state: State) -> None:
        self.total = state["total"]


def constant(batches: Iterable[pd.DataFrame]) -> Iterator[Floats]:
    for rows in batches:
        yield np.full((len(rows), len(TARGETS), *SHAPE[1:]), float(rows.input_index[0]))


def score(
    hourly: xr.Dataset, samples: pd.DataFrame, scorer: Sum, savepoint: Savepoint | None = None
) -> None:
    batches = batches_of(samples, 3)
    reader = SampleReader(hourly, TARGETS, 96)
    score_forecasts(batches, constant, reader, {"sum": scorer}, "test", savepoint)


def test_batches_are_whole_init_times(samples: pd.DataFrame) -> None:
    for size, expected in ((1, [3, 1, 3, 3, 3, 3, 3, 3]), (6, [4, 6, 6, 6]), (100, [22])):
        batches = batches_of(samples, size)
        assert [len(rows) for rows in batches] == expected
        for name in ("horizon_h", "input_index", "target_index"):
            column = {"horizon_h": "horizons_h"}.get(name, name)
            joined = np.concatenate([getattr(rows, column) for rows in batches])
            assert joined.tolist() == samples[name].tolist()
        assert np.concatenate([rows.numbers for rows in batches]).tolist() == list(samples.index)
        joined = np.concatenate([rows.init_times for rows in batches])
        assert (joined == samples["init_time"].to_numpy()).all()


def test_batches_carry_what_came_true_and_what_was_known(
    hourly: xr.Dataset, samples: pd.DataFrame
) -> None:
    scorer = Sum()
    score(hourly, samples, scorer)
    found = scorer.seen[2]
    rows = found.samples
    assert rows.input_index.tolist() == [12, 12, 12]
    np.testing.assert_array_equal(found.observed[:, 2, 1, 1], 2012 + np.array([12, 24, 96]))
    np.testing.assert_array_equal(found.initial[:, 5, 0, 0], [5012] * 3)
    assert (found.wind_speed_ms == 5).all()
    assert found.forecast.dtype == found.observed.dtype == np.float32
    assert rows.valid_times.equals(TIMES[rows.target_index])
    assert scorer.threads == {"scoring_0"}


def test_an_interrupted_evaluation_goes_on_where_it_was(
    hourly: xr.Dataset, samples: pd.DataFrame, tmp_path: Path
) -> None:
    whole = Sum()
    score(hourly, samples, whole)

    def savepoint(identity: str = "a") -> Savepoint:
        return Savepoint(tmp_path / "savepoint.npz", identity, every_s=0)

    with pytest.raises(RuntimeError, match="stopped"):
        score(hourly, samples, Sum(fail_at=5), savepoint())
    resumed = Sum()
    score(hourly, samples, resumed, savepoint())
    assert 0 < len(resumed.seen) < len(whole.seen)
    assert resumed.total == whole.total
    other = Sum()
    score(hourly, samples, other, savepoint("b"))
    assert len(other.seen) == len(whole.seen)  # of another evaluation: not taken up


def test_a_damaged_savepoint_is_not_taken_up(
    hourly: xr.Dataset, samples: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "savepoint.npz"
    for content in (b"", b"PK\x03\x04 no archive", b"nothing of the kind"):
        path.write_bytes(content)
        scorer = Sum()
        score(hourly, samples, scorer, Savepoint(path, "a", every_s=1e9))
        assert len(scorer.seen) == 8
    assert caplog.text.count("starting anew") == 3
    Savepoint(path, "a", 0).remove()
    assert not path.exists()


def test_an_error_of_the_forecaster_is_not_lost(hourly: xr.Dataset, samples: pd.DataFrame) -> None:
    def broken(batches: Iterable[pd.DataFrame]) -> Iterator[Floats]:
        yield next(constant(batches))
        raise ValueError("no forecast")

    with pytest.raises(ValueError, match="no forecast"):
        score_forecasts(
            batches_of(samples, 3), broken, SampleReader(hourly, TARGETS, 96), {}, "test"
        )


def test_a_forecaster_that_stops_early_is_an_error(
    hourly: xr.Dataset, samples: pd.DataFrame
) -> None:
    def short(batches: Iterable[pd.DataFrame]) -> Iterator[Floats]:
        yield next(constant(batches))

    with pytest.raises(ValueError, match="shorter"):
        score_forecasts(
            batches_of(samples, 3), short, SampleReader(hourly, TARGETS, 96), {}, "test"
        )


def test_reading_ahead_keeps_order_and_errors() -> None:
    def numbers() -> Iterator[int]:
        yield from range(3)
        raise KeyError("end")

    found = []
    with pytest.raises(KeyError):
        found.extend(ahead(numbers()))
    assert list(ahead(range(4))) == [0, 1, 2, 3]
    assert list(ahead([])) == []


def test_every_day_is_read_once_and_few_are_kept(hourly: xr.Dataset) -> None:
    reader = DayReader(hourly, TARGETS, days_spanned(96))
    reads: list[int] = []
    read = reader._read

    def counting(number: int) -> np.ndarray:
        reads.append(number)
        return read(number)

    reader._read = counting  # type: ignore[method-assign]
    for init in range(0, 144, 3):
        fields = reader.fields(np.array([init, init + 12, init + 24, init + 48, init + 96, init]))
        np.testing.assert_array_equal(
            fields[:, 1, 0, 0], 1000 + init + np.array([0, 12, 24, 48, 96, 0])
        )
        assert len(reader._cache) <= days_spanned(96)
    assert sorted(reads) == list(range(10))
