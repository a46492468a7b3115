"""Samples as normalised tensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import zarr
from torch import Tensor
from torch.utils.data import Dataset

from airshed.config.data import Split
from airshed.data.samples import bounds, sample_index
from airshed.data.stores import open_hourly, open_static, open_statistics
from airshed.variables import HOURLY, INPUTS, STATIC, TARGETS

Floats = npt.NDArray[np.floating[Any]]
HELD_BYTES = 2**30  # splits up to this size are kept in memory

HOURLY_CHANNELS = [INPUTS.index(name) for name in HOURLY]
STATIC_CHANNELS = [INPUTS.index(name) for name in STATIC]
TARGET_FIELDS = [HOURLY.index(name) for name in TARGETS]


class Hours:
    """Normalised hourly fields of a stretch of time: held in memory if small, else read on demand.

    Args:
        path: The hourly store.
        stretch: Positions on its time axis.
        mean: [11] in HOURLY order.
        std: [11] in HOURLY order.
    """

    def __init__(self, path: Path, stretch: slice, mean: Floats, std: Floats) -> None:
        self.path, self.stretch = path, stretch
        self.shift, self.scale = (values[:, None, None] for values in (mean, 1 / std))
        self._arrays: list[Any] | None = None
        rows, columns = self._stored()[0].shape[1:]
        hours = stretch.stop - stretch.start
        small = 4 * hours * len(HOURLY) * rows * columns <= HELD_BYTES
        self._held = self._read(stretch) if small else None
        self._arrays = None  # worker processes open the store for themselves

    def __getitem__(self, index: int) -> Floats:
        """Fields [11, Y, X] of one position on the store's time axis; NaN where missing."""
        if self._held is not None:
            held: Floats = self._held[index - self.stretch.start]
            return held
        return self._read(slice(index, index + 1))[0]

    def _read(self, rows: slice) -> Floats:
        fields = np.stack([array[rows] for array in self._stored()], axis=1)
        return ((fields - self.shift) * self.scale).astype(np.float32)

    def _stored(self) -> list[Any]:
        if self._arrays is None:
            group = zarr.open_group(self.path, mode="r")
            self._arrays = [group[name] for name in HOURLY]
        return self._arrays


class ForecastDataset(Dataset[dict[str, Tensor]]):
    """One item per sample (init time, horizon) of a split.

    Items hold ``x`` [15, Y, X], normalised, 0 (the mean) where missing and outside the domain;
    ``y`` [6, Y, X], normalised, NaN where missing and outside the domain; ``lead_hours``.

    Args:
        hourly: The hourly store.
        static: ``static.nc``.
        statistics: Mean and standard deviation of the training split.
        split: From which samples are drawn.
        horizons_h: Lead times, h.

    Attributes:
        samples: Table of the samples, see :func:`airshed.data.samples.sample_index`.
        mask: bool [Y, X], True inside the domain.
    """

    def __init__(
        self,
        hourly: Path,
        static: Path,
        statistics: Path,
        split: Split,
        horizons_h: Sequence[int],
    ) -> None:
        store, grid = open_hourly(hourly), open_static(static)
        moments = open_statistics(statistics).sel(variable=list(INPUTS))
        mean, std = moments["mean"].values, moments["std"].values
        times = pd.DatetimeIndex(store["time"].values)
        self.samples = sample_index(times, store["present"].values, split, horizons_h)
        self.mask = torch.from_numpy(grid["domain_mask"].values.astype(bool))
        still = np.stack([grid[name].values for name in STATIC])
        normalised = (still - mean[STATIC_CHANNELS, None, None]) / std[STATIC_CHANNELS, None, None]
        self._static = np.where(self.mask.numpy(), normalised, 0).astype(np.float32)
        start, stop = bounds(split)
        stretch = slice(*times.searchsorted(pd.DatetimeIndex([start, stop])).tolist())
        self._hours = Hours(hourly, stretch, mean[HOURLY_CHANNELS], std[HOURLY_CHANNELS])
        self._inputs = self.samples["input_index"].to_numpy()
        self._targets = self.samples["target_index"].to_numpy()
        self._lead_hours = self.samples["horizon_h"].to_numpy(np.float32)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """The sample at a position of ``samples``."""
        inside = self.mask.numpy()
        x = np.empty((len(INPUTS), *inside.shape), dtype=np.float32)
        x[HOURLY_CHANNELS] = np.nan_to_num(np.where(inside, self._hours[self._inputs[index]], 0))
        x[STATIC_CHANNELS] = self._static
        y = np.where(inside, self._hours[self._targets[index]][TARGET_FIELDS], np.float32(np.nan))
        return {
            "x": torch.from_numpy(x),
            "y": torch.from_numpy(y),
            "lead_hours": torch.tensor(self._lead_hours[index]),
        }
