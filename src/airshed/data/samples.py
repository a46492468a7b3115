"""Samples: pairs of init time and horizon, found by time stamp."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from airshed.config.data import Split
from airshed.errors import AirshedError


def hours_of(times: pd.DatetimeIndex, split: Split) -> npt.NDArray[np.bool_]:
    """Which times lie in a split."""
    start, stop = bounds(split)
    inside: npt.NDArray[np.bool_] = np.asarray((times >= start) & (times < stop))
    return inside


def bounds(split: Split) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First hour of a split, and the hour after its last."""
    return pd.Timestamp(split.start), pd.Timestamp(split.end) + pd.Timedelta(days=1)


def sample_index(
    times: pd.DatetimeIndex,
    present: npt.NDArray[np.bool_],
    split: Split,
    horizons_h: Sequence[int],
) -> pd.DataFrame:
    """All samples of a split, ordered by init time and horizon.

    Init times are the split's start plus multiples of ``init_every_h``, up to the last one whose
    longest horizon lies in the split. A missing hour removes the pairs that need it and no other.

    Args:
        times: Time of each hour of the store, UTC.
        present: Whether that hour is usable.
        split: Period of inputs and targets.
        horizons_h: Lead times, h.

    Returns:
        Columns ``init_time``, ``horizon_h``, ``input_index``, ``target_index``; indices count hours
        of ``times``.

    Raises:
        AirshedError: There is no sample.
    """
    start, stop = bounds(split)
    longest = pd.Timedelta(hours=max(horizons_h))
    step = pd.Timedelta(hours=split.init_every_h)
    init = pd.date_range(start, stop - longest, freq=step, inclusive="left")
    position = pd.Series(np.arange(len(times)), index=times)[present]
    parts = []
    for horizon in horizons_h:
        valid = init + pd.Timedelta(hours=horizon)
        parts.append(
            pd.DataFrame(
                {
                    "init_time": init,
                    "horizon_h": horizon,
                    "input_index": position.reindex(init).to_numpy(),
                    "target_index": position.reindex(valid).to_numpy(),
                }
            )
        )
    samples = pd.concat(parts).dropna().sort_values(["init_time", "horizon_h"], ignore_index=True)
    if samples.empty:
        raise AirshedError(
            "a split has no sample",
            where=f"{split}",
            expected=f"hours that are present together with those {list(horizons_h)} h later",
            found=f"{(hours_of(times, split) & present).sum()} hours present in the split",
            hint="see the gaps in ingest.json, or choose other splits",
        )
    return samples.astype({"input_index": np.int64, "target_index": np.int64})
