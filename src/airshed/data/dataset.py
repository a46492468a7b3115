"""Samples as batches of normalised tensors."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from airshed.arrays import Floats32, Integers
from airshed.config import Study
from airshed.config.data import Split
from airshed.config.preprocessing import LoaderConfig
from airshed.data.mapped import MappedHours
from airshed.data.normalisation import Normaliser
from airshed.data.prepared import Prepared
from airshed.data.reference import Reference
from airshed.data.samples import bounds, sample_index
from airshed.data.shards import HourReader
from airshed.data.stores import hourly_fields, open_hourly, open_static
from airshed.integrity.atomic import DiskError
from airshed.integrity.formats import NORMALISED
from airshed.integrity.provenance import processor
from airshed.variables import STATIC

log = logging.getLogger(__name__)

BATCHES_AHEAD = 4  # that each reader process prepares
FOLDER = "normalised"  # beside the hourly store
SHARE = 0.5  # of the disk's free room: what a file of hours may take if it need not be there


class Hours(Protocol):
    """Normalised hourly fields, by position on the store's time axis."""

    def fields(self, hours: Sequence[int]) -> list[Tensor]:
        """Fields [H, Y, X] of all that is read; NaN where missing and outside the domain."""


class StreamedHours:
    """Reads and normalises hours when they are asked for, each once a call."""

    def __init__(self, reader: HourReader, normaliser: Normaliser, outside: npt.NDArray[np.bool_]):
        self.reader, self.normaliser, self.outside = reader, normaliser, outside

    def fields(self, hours: Sequence[int]) -> list[Tensor]:
        """Fields [H, Y, X] of positions on the store's time axis; NaN where missing."""
        read = {hour: self._normalised(self.reader.read(hour)) for hour in sorted(set(hours))}
        return [torch.from_numpy(read[hour]) for hour in hours]

    def each(self, hours: Iterable[int]) -> Iterator[Floats32]:
        """The same of one hour after the other, in rising order."""
        return (self._normalised(self.reader.read(hour)) for hour in hours)

    def _normalised(self, fields: Floats32) -> Floats32:
        self.normaliser.forward_(fields)
        fields[:, self.outside] = np.nan
        return fields


class Batch(NamedTuple):
    """Some samples as a network and its loss take them; a single one has no B.

    Attributes:
        x: Inputs [B, V, Y, X] in the study's order, normalised, 0 (the mean) where missing and
            outside the domain.
        y: Targets [B, T, Y, X] in the study's order, normalised, NaN where missing and outside it;
            what they depart from a reference forecast, if there is one.
        lead_hours: Horizon [B] of each sample, hours.
        init_hours: Init time [B] of each sample, int64 hours since 1970.
    """

    x: Tensor
    y: Tensor
    lead_hours: Tensor
    init_hours: Tensor


class Readable(Protocol):
    """Samples by their numbers."""

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Some of them as one batch."""


class Channels:
    """Where the fields that are read of an hour, and those that do not change, go in a sample.

    Args:
        stored: The hourly fields that the store holds, in its order.
        inputs: What a network sees, in its order.
        targets: What it forecasts, in its order.

    Attributes:
        hourly: The fields to read of each hour, in the store's order.
        still: The static ones among the inputs.
        inputs: From the hourly fields to inputs.
        static: From the static fields to inputs.
        targets: From the hourly fields to targets.
    """

    def __init__(
        self, stored: Sequence[str], inputs: Sequence[str], targets: Sequence[str]
    ) -> None:
        self.count = len(inputs), len(targets)
        self.hourly = tuple(name for name in stored if name in (*inputs, *targets))
        self.still = tuple(name for name in STATIC if name in inputs)
        self.inputs = _copies(inputs, self.hourly)
        self.static = _copies(inputs, self.still)
        self.targets = _copies(targets, self.hourly)


def _copies(wanted: Sequence[str], there: Sequence[str]) -> list[tuple[slice, slice]]:
    """Slices that copy fields that are there to their places among those that are wanted."""
    targets = [place for place, name in enumerate(wanted) if name in there]
    return _runs(targets, [there.index(wanted[place]) for place in targets])


class ForecastDataset(Dataset[Batch]):
    """One item per sample (init time, horizon) of a split.

    Args:
        hourly: The hourly store.
        static: ``static.nc``.
        statistics: Normalisation of the training split.
        split: From which samples are drawn.
        horizons_h: Lead times, h.
        inputs: What a network sees, in its order.
        targets: What it forecasts, in its order.
        hold: Whether the split's hours are mapped from a file of normalised fields beside the
            store, which is written if it is not there; ``auto``: if the disk has room for it.
        reference: The forecast from which networks predict the departure.

    Attributes:
        samples: Table of the samples, see :func:`airshed.data.samples.sample_index`.
        mask: bool [Y, X], True inside the domain.

    Raises:
        AirshedError: The data do not fit the split, or must be held and cannot be written.
    """

    def __init__(
        self,
        hourly: Path,
        static: Path,
        statistics: Path,
        split: Split,
        horizons_h: Sequence[int],
        inputs: Sequence[str],
        targets: Sequence[str],
        hold: Literal["auto", "always", "never"] = "auto",
        reference: Reference | None = None,
    ) -> None:
        changing = [name for name in (*inputs, *targets) if name not in STATIC]
        store = open_hourly(hourly, hours_per_task=None, needed=changing)
        grid = open_static(static)
        times = pd.DatetimeIndex(store["time"].values)
        self.samples = sample_index(times, store["present"].values, split, horizons_h)
        inside = grid["domain_mask"].values.astype(bool)
        self.mask = torch.from_numpy(inside)
        self._channels = Channels(hourly_fields(store), inputs, targets)
        names, still = self._channels.hourly, self._channels.still
        values = [grid[name].values for name in still]
        normalised = Normaliser.read(statistics, still).forward(
            np.reshape(values, (len(still), *inside.shape))
        )
        self._static = torch.from_numpy(np.where(inside, normalised, np.float32(0)))
        hours = range(*times.searchsorted(pd.DatetimeIndex(bounds(split))).tolist())
        normaliser = Normaliser.read(statistics, names)
        streamed = StreamedHours(HourReader(hourly, names), normaliser, ~inside)
        self._hours = streamed if hold == "never" else _held(streamed, hours, split, hold)
        self._inputs = self.samples["input_index"].to_numpy()
        self._targets = self.samples["target_index"].to_numpy()
        self._lead_hours = torch.from_numpy(self.samples["horizon_h"].to_numpy(np.float32))
        self._reference = reference
        self._of_targets = Normaliser.read(statistics, targets)
        init_hours = self.samples["init_time"].to_numpy("datetime64[h]").astype(np.int64)
        self._init_hours = torch.from_numpy(init_hours)

    @classmethod
    def of(
        cls,
        study: Study,
        prepared: Prepared,
        split: Split,
        hold: Literal["auto", "always", "never"] = "auto",
        reference: Reference | None = None,
    ) -> ForecastDataset:
        """The samples of a study's split, from its prepared data."""
        files = prepared.hourly, prepared.static, prepared.statistics
        return cls(*files, split, study.horizons_h, study.inputs, study.targets, hold, reference)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Batch:
        """The sample at a position of ``samples``."""
        return Batch(*(values[0] for values in self.__getitems__([index])))

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Samples at positions of ``samples``, as one batch.

        An hour that several samples share, as input or as target, is read once.
        """
        chosen = np.asarray(indices)
        hours = np.concatenate([self._inputs[chosen], self._targets[chosen]])
        fields = self._hours.fields(hours.tolist())
        count, grid, channels = len(chosen), self.mask.shape, self._channels
        x, y = (torch.empty(count, variables, *grid) for variables in channels.count)
        for here, there in channels.static:
            x[:, here] = self._static[there]
        for number in range(count):
            for here, there in channels.inputs:
                torch.nan_to_num(fields[number][there], nan=0.0, out=x[number, here])
            for here, there in channels.targets:
                y[number, here] = fields[count + number][there]
        if self._reference is not None:
            y -= self._expected(self._reference, chosen, fields[:count])
        which = torch.from_numpy(chosen)
        return Batch(x, y, self._lead_hours[which], self._init_hours[which])

    def _expected(self, reference: Reference, chosen: Integers, at_init: list[Tensor]) -> Tensor:
        """The reference forecast of some samples, normalised, from their init times' hours."""
        latest = torch.empty(len(chosen), self._channels.count[1], *self.mask.shape)
        for number, fields in enumerate(at_init):
            for here, there in self._channels.targets:
                latest[number, here] = fields[there]
        table, normaliser = self.samples.iloc[chosen], self._of_targets
        when = pd.DatetimeIndex(table["init_time"]), table["horizon_h"].to_numpy()
        expected = reference(normaliser.inverse(latest.numpy()), *when)
        return torch.from_numpy(normaliser.forward(expected))


def loader_options(settings: LoaderConfig, workers: int) -> dict[str, Any]:
    """How a ``DataLoader`` reads this dataset: batches as they come, made ahead by processes."""
    options: dict[str, Any] = {"collate_fn": _as_it_is, "num_workers": workers}
    if workers:
        options |= {"multiprocessing_context": settings.start_method}
        options |= {"prefetch_factor": BATCHES_AHEAD}
    return options


def _as_it_is(batch: Batch) -> Batch:
    return batch


def _held(streamed: StreamedHours, hours: range, split: Split, hold: str) -> Hours:
    """The hours in a file beside the store; read from the store if they need not be held."""
    store, outside = streamed.reader.path, streamed.outside
    data = _key((store / "zarr.json").stat().st_mtime_ns, outside.tobytes().hex())
    logarithms = processor(), np.__version__  # decide their last bit
    stretch = hours.start, hours.stop
    key = _key(NORMALISED.version, streamed.normaliser.parameters(), stretch, logarithms)
    path = store.with_name(FOLDER) / data / f"{split}_{key}.f32"
    shape, share = (len(streamed.reader.names), *outside.shape), SHARE if hold == "auto" else 1.0
    try:
        return MappedHours(path, hours, shape, streamed.each, share)
    except DiskError as error:
        if hold == "always":
            raise
        log.warning("hours are read from the store: slower, and train.workers helps. %s", error)
        return streamed


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _runs(targets: Sequence[int], sources: Sequence[int]) -> list[tuple[slice, slice]]:
    """Slices that copy sources to targets, as few as possible."""
    runs: list[tuple[slice, slice]] = []
    for target, source in sorted(zip(targets, sources, strict=True)):
        if runs and (target, source) == (runs[-1][0].stop, runs[-1][1].stop):
            runs[-1] = (slice(runs[-1][0].start, target + 1), slice(runs[-1][1].start, source + 1))
        else:
            runs.append((slice(target, target + 1), slice(source, source + 1)))
    return runs
