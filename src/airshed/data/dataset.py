"""Samples as batches of normalised tensors."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from airshed.arrays import Floats32, Integers
from airshed.config import Study
from airshed.config.data import Split
from airshed.config.preprocessing import LoaderConfig
from airshed.data.inputs import Inputs
from airshed.data.mapped import MappedHours
from airshed.data.normalisation import Normaliser
from airshed.data.prepared import CACHED_HOURS, Prepared
from airshed.data.reference import Reference
from airshed.data.samples import bounds, sample_index
from airshed.data.shards import HourReader
from airshed.data.stores import hourly_fields, open_hourly
from airshed.integrity.atomic import DiskError
from airshed.integrity.formats import NORMALISED
from airshed.integrity.provenance import processor
from airshed.variables import STATIC

log = logging.getLogger(__name__)

BATCHES_AHEAD = 4  # that each reader process prepares
SHARE = 0.5  # of the disk's free room that an optional file of hours may take


class Hours(Protocol):
    """Normalised hourly fields, by position on the store's time axis."""

    def fields(self, hours: Sequence[int]) -> list[Tensor]:
        """Fields [H, Y, X] of all that is read; NaN where missing and outside the domain."""


class StreamedHours:
    """Reads and normalises hours when they are asked for, each once a call."""

    def __init__(self, reader: HourReader, inputs: Inputs) -> None:
        self.reader, self.inputs = reader, inputs

    def fields(self, hours: Sequence[int]) -> list[Tensor]:
        """Fields [H, Y, X] of positions on the store's time axis; NaN where missing."""
        read = {hour: self._read(hour) for hour in sorted(set(hours))}
        return [torch.from_numpy(read[hour]) for hour in hours]

    def each(self, hours: Iterable[int]) -> Iterator[Floats32]:
        """The same of one hour after the other, in rising order."""
        return map(self._read, hours)

    def _read(self, hour: int) -> Floats32:
        return self.inputs.normalise_(self.reader.read(hour))


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
        hold: Whether the split's hours are cached as normalised fields in a file beside the store,
            which is mapped; ``auto``: if the disk has room for it.
        reference: The forecast from which networks predict the departure.

    Attributes:
        samples: Table of the samples, see :func:`airshed.data.samples.sample_index`.
        mask: bool [Y, X], True inside the domain.

    Raises:
        AirshedError: The data do not fit the split, or must be cached and cannot be written.
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
        times = pd.DatetimeIndex(store["time"].values)
        self.samples = sample_index(times, store["present"].values, split, horizons_h)
        self._fields = Inputs(static, statistics, hourly_fields(store), inputs, targets)
        self.mask = torch.from_numpy(self._fields.inside)
        hours = range(*times.searchsorted(pd.DatetimeIndex(bounds(split))).tolist())
        streamed = StreamedHours(HourReader(hourly, self._fields.hourly), self._fields)
        self._hours = streamed if hold == "never" else _cached(streamed, hours, split, hold)
        self._inputs = self.samples["input_index"].to_numpy()
        self._targets = self.samples["target_index"].to_numpy()
        self._lead_hours = torch.from_numpy(self.samples["horizon_h"].to_numpy(np.float32))
        self._reference = reference
        self._normaliser = Normaliser.read(statistics, targets)
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
        at_init, at_valid = fields[: len(chosen)], fields[len(chosen) :]
        x, y = self._fields.seen(at_init), self._fields.of_targets(at_valid)
        if self._reference is not None:
            y -= self._expected(self._reference, chosen, at_init)
        which = torch.from_numpy(chosen)
        return Batch(x, y, self._lead_hours[which], self._init_hours[which])

    def _expected(self, reference: Reference, chosen: Integers, at_init: list[Tensor]) -> Tensor:
        """The reference forecast of some samples, normalised, from their init times' hours."""
        latest = self._fields.of_targets(at_init)
        table, normaliser = self.samples.iloc[chosen], self._normaliser
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


def _cached(streamed: StreamedHours, hours: range, split: Split, hold: str) -> Hours:
    """The hours cached in a file beside the store; streamed if ``auto`` finds no room for it."""
    store, inputs = streamed.reader.path, streamed.inputs
    outside = ~inputs.inside
    data = _key((store / "zarr.json").stat().st_mtime_ns, outside.tobytes().hex())
    logarithms = processor(), np.__version__  # decide their last bit
    stretch = hours.start, hours.stop
    key = _key(NORMALISED.version, inputs.normaliser.parameters(), stretch, logarithms)
    path = store.with_name(CACHED_HOURS) / data / f"{split}_{key}.f32"
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
