"""Samples as batches of normalised tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from airshed.config.data import Split
from airshed.config.preprocessing import LoaderConfig
from airshed.data.held import HeldHours, fits
from airshed.data.normalisation import Normaliser
from airshed.data.samples import bounds, sample_index
from airshed.data.shards import HourReader
from airshed.data.stores import open_hourly, open_static
from airshed.variables import HOURLY, INPUTS, STATIC, TARGETS

Floats = npt.NDArray[np.float32]
Batch = dict[str, Tensor]

BATCHES_AHEAD = 4  # that each reader process prepares
HOURLY_CHANNELS = [INPUTS.index(name) for name in HOURLY]
STATIC_CHANNELS = [INPUTS.index(name) for name in STATIC]
TARGET_FIELDS = [HOURLY.index(name) for name in TARGETS]


class Hours(Protocol):
    """Normalised hourly fields, by position on the store's time axis."""

    def fields(self, hours: Sequence[int]) -> list[Floats]:
        """Fields [11, Y, X] in HOURLY order; NaN where missing and outside the domain."""


class StreamedHours:
    """Reads and normalises hours when they are asked for, each once a call."""

    def __init__(self, reader: HourReader, normaliser: Normaliser, outside: npt.NDArray[Any]):
        self.reader, self.normaliser, self.outside = reader, normaliser, outside

    def fill(self, hour: int, out: Floats) -> None:
        """Fill [11, Y, X] with the normalised fields of one hour."""
        self.reader.read(hour, out)
        self.normaliser.forward_(out)
        out[:, self.outside] = np.nan

    def fields(self, hours: Sequence[int]) -> list[Floats]:
        """Fields [11, Y, X] of positions on the store's time axis; NaN where missing."""
        distinct = sorted(set(hours))
        shape = (len(distinct), len(self.reader.names), *self.reader.shape)
        read = np.empty(shape, dtype=np.float32)
        for hour, out in zip(distinct, read, strict=True):
            self.fill(hour, out)
        position = {hour: number for number, hour in enumerate(distinct)}
        return [read[position[hour]] for hour in hours]

    def identity(self) -> list[Any]:
        """Everything that the fields depend on, as plain values."""
        store = self.reader.path.resolve()
        outside = hashlib.sha256(self.outside.tobytes()).hexdigest()
        changed = (store / "zarr.json").stat().st_mtime_ns
        return [str(store), changed, list(self.reader.names), self.normaliser.parameters(), outside]


class ForecastDataset(Dataset[Batch]):
    """One item per sample (init time, horizon) of a split.

    Items hold ``x`` [15, Y, X], normalised, 0 (the mean) where missing and outside the domain;
    ``y`` [6, Y, X], normalised, NaN where missing and outside the domain; ``lead_hours``.

    Args:
        hourly: The hourly store.
        static: ``static.nc``.
        statistics: Normalisation of the training split.
        split: From which samples are drawn.
        horizons_h: Lead times, h.
        hold: Whether the split's hours are held in memory that processes share; ``auto`` holds
            them if they fit.

    Attributes:
        samples: Table of the samples, see :func:`airshed.data.samples.sample_index`.
        mask: bool [Y, X], True inside the domain.

    Raises:
        AirshedError: The data do not fit the split, or do not fit into memory that must hold them.
    """

    def __init__(
        self,
        hourly: Path,
        static: Path,
        statistics: Path,
        split: Split,
        horizons_h: Sequence[int],
        hold: Literal["auto", "always", "never"] = "auto",
    ) -> None:
        store, grid = open_hourly(hourly), open_static(static)
        times = pd.DatetimeIndex(store["time"].values)
        self.samples = sample_index(times, store["present"].values, split, horizons_h)
        inside = grid["domain_mask"].values.astype(bool)
        self.mask = torch.from_numpy(inside)
        still = np.stack([grid[name].values for name in STATIC])
        normalised = Normaliser.read(statistics, STATIC).forward(still)
        self._static = torch.from_numpy(np.where(inside, normalised, np.float32(0)))
        stretch = slice(*times.searchsorted(pd.DatetimeIndex(bounds(split))).tolist())
        self._hours = _hours(hourly, statistics, ~inside, stretch, hold)
        self._inputs = self.samples["input_index"].to_numpy()
        self._targets = self.samples["target_index"].to_numpy()
        self._lead_hours = torch.from_numpy(self.samples["horizon_h"].to_numpy(np.float32))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Batch:
        """The sample at a position of ``samples``."""
        return {name: values[0] for name, values in self.__getitems__([index]).items()}

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Samples at positions of ``samples``, as one batch.

        An hour that several samples share, as input or as target, is read once.
        """
        chosen = np.asarray(indices)
        hours = np.concatenate([self._inputs[chosen], self._targets[chosen]])
        fields = [torch.from_numpy(field) for field in self._hours.fields(hours.tolist())]
        count, grid = len(chosen), self.mask.shape
        x = torch.empty(count, len(INPUTS), *grid)
        y = torch.empty(count, len(TARGETS), *grid)
        for here, there in STATIC_RUNS:
            x[:, here] = self._static[there]
        for number in range(count):
            for here, there in INPUT_RUNS:
                torch.nan_to_num(fields[number][there], nan=0.0, out=x[number, here])
            for here, there in TARGET_RUNS:
                y[number, here] = fields[count + number][there]
        return {"x": x, "y": y, "lead_hours": self._lead_hours[torch.from_numpy(chosen)]}


def loader_options(settings: LoaderConfig, workers: int) -> dict[str, Any]:
    """How a ``DataLoader`` reads this dataset: batches as they come, made ahead by processes."""
    options: dict[str, Any] = {"collate_fn": _as_it_is, "num_workers": workers}
    if workers:
        options |= {"multiprocessing_context": settings.start_method}
        options |= {"prefetch_factor": BATCHES_AHEAD}
    return options


def _as_it_is(batch: Batch) -> Batch:
    return batch


def _hours(
    hourly: Path, statistics: Path, outside: npt.NDArray[np.bool_], stretch: slice, hold: str
) -> Hours:
    normaliser = Normaliser.read(statistics, HOURLY)
    streamed = StreamedHours(HourReader(hourly, HOURLY), normaliser, outside)
    shape = (len(HOURLY), *outside.shape)
    if hold == "never" or (hold == "auto" and not fits(stretch.stop - stretch.start, shape)):
        return streamed
    return HeldHours(streamed.fill, streamed.identity(), stretch, shape)


def _runs(targets: Sequence[int], sources: Sequence[int]) -> list[tuple[slice, slice]]:
    """Slices that copy sources to targets, as few as possible."""
    runs: list[tuple[slice, slice]] = []
    for target, source in sorted(zip(targets, sources, strict=True)):
        if runs and (target, source) == (runs[-1][0].stop, runs[-1][1].stop):
            runs[-1] = (slice(runs[-1][0].start, target + 1), slice(runs[-1][1].start, source + 1))
        else:
            runs.append((slice(target, target + 1), slice(source, source + 1)))
    return runs


INPUT_RUNS = _runs(HOURLY_CHANNELS, range(len(HOURLY)))
STATIC_RUNS = _runs(STATIC_CHANNELS, range(len(STATIC)))
TARGET_RUNS = _runs(range(len(TARGETS)), TARGET_FIELDS)
