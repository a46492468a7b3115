"""Files of a series: when each of them is, and which quantities it has."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from airshed.config.data import DatasetConfig
from airshed.data.gridded.opening import Place, opened
from airshed.data.gridded.recipes import quantity_of
from airshed.data.gridded.times import times_of
from airshed.errors import AirshedError


@dataclass(frozen=True)
class Part:
    """A file of a series, or what it has of some time.

    Attributes:
        place: Where it is.
        axis: Its dimension of time, None if it has one time without a dimension.
        times: UTC, in the order of the file.
        numbers: Position of each on the time axis.
        stored: Name of its variable for each quantity that it has.
        units: The unit attribute of each, None without one.
        axes: Dimensions and coordinates of these variables.
    """

    place: Place
    axis: str | None
    times: pd.DatetimeIndex
    numbers: tuple[int, ...]
    stored: dict[str, str]
    units: dict[str, Any]
    axes: frozenset[str]

    def only(self, names: set[str]) -> Part | None:
        """The part with some quantities only; None if it has none of them."""
        found = {name: self.stored[name] for name in sorted(names & self.stored.keys())}
        return replace(self, stored=found) if found else None

    def during(self, start: datetime, stop: datetime) -> Part | None:
        """The part with the times from one on and before another; None if it has none."""
        first, last = pd.Timestamp(start), pd.Timestamp(stop)
        inside = np.flatnonzero((self.times >= first) & (self.times < last))
        if not inside.size:
            return None
        numbers = tuple(self.numbers[place] for place in inside.tolist())
        return replace(self, times=self.times[inside], numbers=numbers)


def part_of(dataset: DatasetConfig, place: Place) -> list[Part]:
    """A file's times and quantities; nothing if it has no quantity that could be of use.

    Raises:
        AirshedError: It cannot be read, or its names or times are not clear.
    """
    content = opened(place)
    stored = _stored_names(dataset, content, place)
    if not stored:
        return []
    axis, clock = times_of(content, place)
    times = clock.round("min") - pd.Timedelta(hours=dataset.utc_offset_h)
    _check_steps(times, dataset.time_step_h, place)
    units = {name: content.variables[each].attrs.get("units") for name, each in stored.items()}
    axes = {
        str(axis)
        for each in stored.values()
        for axis in (*content[each].dims, *content[each].coords)
    }
    return [Part(place, axis, times, tuple(range(len(times))), stored, units, frozenset(axes))]


def _stored_names(dataset: DatasetConfig, content: xr.Dataset, place: Place) -> dict[str, str]:
    """The variable of each quantity, by ``dataset.gridded.names``, else by name and aliases."""
    given, quantities = dataset.gridded.names, dataset.quantities
    found = {name: stored for name, stored in given.items() if stored in content.data_vars}
    by_name: dict[str, list[str]] = defaultdict(list)
    for stored in map(str, content.data_vars):
        name = quantity_of(quantities, stored)
        if name is not None and name not in given:
            by_name[name].append(stored)
    for name, several in by_name.items():
        exact = [stored for stored in several if stored == name] or several
        if len(exact) > 1:
            raise AirshedError(
                "two variables of a series stand for the same quantity",
                where=place,
                expected=f"one variable for {name}",
                found=", ".join(several),
                hint=f"name the right one: dataset.gridded.names: {{{name}: {several[0]}}}",
            )
        found[name] = exact[0]
    return found


def _check_steps(times: pd.DatetimeIndex, step_h: int, place: Place) -> None:
    """Times lie on the steps of the dataset, counted from midnight UTC."""
    off = times[(times - times.normalize()) % pd.Timedelta(hours=step_h) != pd.Timedelta(0)]
    if len(off):
        raise AirshedError(
            "a time of a series lies between the dataset's steps",
            where=place,
            expected=f"every {step_h} h from 00:00 UTC (dataset.time_step_h)",
            found=f"{off[0]}, {len(off)} of {len(times)} such times",
            hint="set dataset.time_step_h to the step of the files; of means whose time is the"
            " middle, set dataset.utc_offset_h to half a step to count them from their start",
        )
