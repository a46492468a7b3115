"""Init times: as users write them, and as fields have them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd
import xarray as xr

from airshed.errors import AirshedError, refusing

TIME = "time"
Time = str | datetime | np.datetime64
"""An init time; UTC unless it says otherwise."""


def parsed(time: Time) -> pd.Timestamp:
    """A full hour, UTC.

    Raises:
        AirshedError: It is no time, or no full hour.
    """
    expected = "a full hour in UTC, such as 2016-03-08T12"
    with refusing(
        ValueError, TypeError, what="an init time is not understood", where=time, expected=expected
    ):
        stamp = pd.Timestamp(time)
        stamp = stamp.tz_convert(None) if stamp.tz is not None else stamp
        if pd.isna(stamp) or stamp != stamp.floor("h"):
            raise ValueError(f"{stamp}")
    return stamp.as_unit("ns")


def written(texts: Sequence[str]) -> pd.DatetimeIndex:
    """Init times in rising order, from times and stretches ``FIRST/LAST/HOURSh``.

    Raises:
        AirshedError: A text is neither.
    """
    times = [time for text in texts for time in _stretch(text)]
    return pd.DatetimeIndex(sorted(set(times)))


def _stretch(text: str) -> list[pd.Timestamp]:
    first, *others = text.split("/")
    if not others:
        return [parsed(first)]
    expected = "FIRST/LAST/STEP, such as 2016-03-01/2016-03-08T12/6h"
    with refusing(
        ValueError, what="a stretch of init times is not understood", where=text, expected=expected
    ):
        last, step = others
        times = pd.date_range(parsed(first), parsed(last), freq=pd.Timedelta(step))
        if times.empty:
            raise ValueError("it ends before it begins")
        return [parsed(time) for time in times]


def hours_of(
    fields: xr.Dataset, init_time: Time | Sequence[Time] | None
) -> list[tuple[pd.Timestamp, xr.Dataset]]:
    """Each init time and the fields of its hour.

    Args:
        fields: With a dimension ``time``, or of one hour.
        init_time: Those that are wanted; None: all that the fields have.

    Raises:
        AirshedError: A wanted time is not there, or it is not known which hour it is.
    """
    wanted = None if init_time is None else _several(init_time)
    own = np.atleast_1d(fields[TIME].values) if TIME in fields.coords else np.array([])
    there = [parsed(time) for time in own]
    if TIME in fields.dims:
        times = there if wanted is None else wanted
        if not times:
            raise AirshedError(
                "there is no hour to forecast from", expected="one init time or more"
            )
        if missing := [time for time in times if time not in there]:
            raise _not_there(missing[0], there)
        return [(time, fields.isel({TIME: there.index(time)})) for time in times]
    times = there if wanted is None else wanted
    if len(times) != 1:
        raise AirshedError(
            "it is not clear which hour the fields are of",
            expected="one init_time, or fields with a coordinate 'time'",
            found=f"{len(times)} init times, and fields of one hour",
        )
    if there and there != times:
        raise _not_there(times[0], there)
    return [(times[0], fields)]


def _several(init_time: Time | Sequence[Time]) -> list[pd.Timestamp]:
    if isinstance(init_time, (str, datetime, np.datetime64)):
        return [parsed(init_time)]
    return [parsed(time) for time in init_time]


def _not_there(time: pd.Timestamp, there: Sequence[pd.Timestamp]) -> AirshedError:
    return AirshedError(
        "the fields lack an init time",
        where=f"{time} UTC",
        expected="one of the fields' times",
        found=f"{min(there)} to {max(there)}, {len(there)} of them" if there else "no time at all",
    )
