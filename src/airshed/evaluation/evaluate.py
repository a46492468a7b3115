"""Scoring forecasts on the samples of the test split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd
import xarray as xr

from airshed.config import Study
from airshed.data.samples import sample_index
from airshed.data.stores import open_hourly, open_static
from airshed.errors import AirshedError
from airshed.evaluation.baselines import BASELINES, Floats, Forecaster, read_targets
from airshed.evaluation.scores import ScoreAccumulator, write_scores
from airshed.progress import progress
from airshed.provenance import code_commit

ScoredBatch = tuple[pd.DataFrame, Floats, Floats]
"""Rows of samples (init_time, horizon_h), forecast and truth [B, 6, Y, X] in physical units."""


def evaluate_baseline(study: Study, name: str, hourly: Path, static: Path, output: Path) -> None:
    """Score a baseline on the samples on which the trained runs are scored.

    Args:
        study: The resolved study.
        name: ``persistence`` or ``climatology``.
        hourly: The hourly store.
        static: The static fields, with the domain mask.
        output: Where ``scores.nc`` goes.

    Raises:
        AirshedError: The baseline is unknown, or the data do not fit the study.
    """
    if name not in BASELINES:
        raise AirshedError("unknown baseline", expected=", ".join(BASELINES), found=name)
    store = open_hourly(hourly, hours_per_task=None)
    samples = sample_index(
        pd.DatetimeIndex(store["time"].values),
        store["present"].values,
        study.splits.test,
        study.horizons_h,
    )
    forecaster = BASELINES[name](store, study.splits.train)
    accumulator = score_accumulator(study, open_static(static))
    batch_size = study.evaluation.batch_size
    batches = _baseline_batches(store, samples, forecaster, batch_size)
    total = -(-len(samples) // batch_size)
    evaluate_forecasts(accumulator, progress(batches, name, total))
    scores = accumulator.dataset(
        "baseline",
        name,
        seed=-1,
        study=study.study,
        dataset_name=study.dataset.name,
        data_source=study.dataset.data_source,
        commit=code_commit().sha or "unknown",
    )
    write_scores(scores, output)


def score_accumulator(study: Study, static: xr.Dataset) -> ScoreAccumulator:
    """An empty accumulator for the test split of a study.

    Its init times are all that the split can have, so that a missing one leaves a gap instead of
    bringing its neighbours together.
    """
    test = study.splits.test
    init_times = pd.date_range(
        test.start,
        test.end + timedelta(days=1),
        freq=pd.Timedelta(hours=test.init_every_h),
        inclusive="left",
        unit="ns",
    )
    return ScoreAccumulator(
        study.horizons_h,
        init_times,
        static["domain_mask"].values.astype(bool),
        static["lat2d"].values,
        static["lon2d"].values,
    )


def evaluate_forecasts(accumulator: ScoreAccumulator, batches: Iterable[ScoredBatch]) -> None:
    """Add batches of forecasts to an accumulator.

    Raises:
        AirshedError: A sample's init time or horizon is none of the accumulator's.
    """
    horizons = pd.Index(accumulator.horizons_h)
    for samples, forecast, truth in batches:
        init_index = accumulator.init_times.get_indexer(pd.DatetimeIndex(samples["init_time"]))
        horizon_index = horizons.get_indexer(pd.Index(samples["horizon_h"]))
        unknown = samples[(init_index < 0) | (horizon_index < 0)]
        if len(unknown):
            first = unknown.iloc[0]
            raise AirshedError(
                "a sample does not belong to the test split of the study",
                where=f"init time {first['init_time']}, horizon {first['horizon_h']} h",
                expected=f"init times {accumulator.init_times[0]} to {accumulator.init_times[-1]},"
                f" horizons {', '.join(map(str, accumulator.horizons_h))} h",
            )
        accumulator.add(init_index, horizon_index, forecast, truth)


def _baseline_batches(
    hourly: xr.Dataset, samples: pd.DataFrame, forecaster: Forecaster, batch_size: int
) -> Iterator[ScoredBatch]:
    for start in range(0, len(samples), batch_size):
        rows = samples.iloc[start : start + batch_size]
        yield rows, forecaster(rows), read_targets(hourly, rows["target_index"].to_numpy())
