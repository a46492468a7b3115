"""The forecast archive: every forecast of an evaluation as one Zarr store with CF attributes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
import zarr

from airshed.errors import AirshedError
from airshed.evaluation.batch import Batch, Domain, State
from airshed.evaluation.scores import Subject
from airshed.integrity.atomic import flush, publish, remove
from airshed.variables import VARIABLES, Variable

CHUNK_BYTES = 2**23  # of one variable; what is held until it is full, for each variable
DIMENSIONS = ("init_time", "horizon", "y", "x")
CONVENTIONS = "CF-1.11"


class ForecastArchive:
    """A scorer that keeps the forecasts themselves, and what came true if asked to.

    The store has the dimensions (init_time, horizon, y, x) and a variable per pollutant, in the
    pollutant's units, NaN outside the domain and where there is no forecast. ``init_time`` is the
    forecast reference time, ``horizon`` the forecast period in hours, ``valid_time`` their sum; the
    truth, if wanted, is in ``<pollutant>_truth``. It appears under its name when it is complete.

    Memory: one chunk of every variable, 50 MB at 128 x 256 (twice that with the truth).

    Args:
        path: Where the store goes.
        targets: What is forecast.
        horizons_h: Lead times, hours.
        init_times: The init times that samples have.
        domain: The grid.
        subject: Whose forecasts these are.
        truth: Whether to keep the truth as well.
    """

    def __init__(
        self,
        path: Path,
        targets: Sequence[Variable],
        horizons_h: Sequence[int],
        init_times: pd.DatetimeIndex,
        domain: Domain,
        subject: Subject,
        truth: bool,
    ) -> None:
        self._path, self._domain, self._truth = path, domain, truth
        self._partial = path.with_name(f".{path.name}.partial")
        self._horizons_h, self._init_times = tuple(horizons_h), init_times
        self._fields = {target.name: _field(target, "forecast") for target in targets}
        if truth:
            self._fields |= {f"{each.name}_truth": _field(each, "truth") for each in targets}
        plane = (len(horizons_h), *domain.mask.shape)
        fitting = max(1, CHUNK_BYTES // (4 * int(np.prod(plane))))
        self._inits_a_chunk = min(fitting, len(init_times))
        self._chunk = np.array(0)
        self._held = np.full((len(self._fields), self._inits_a_chunk, *plane), np.nan, np.float32)
        self._subject, self._created = subject, False

    def add(self, batch: Batch) -> None:
        """Keep the forecasts of a batch; full chunks are written out."""
        self._create()
        fields = np.concatenate([batch.forecast, batch.truth][: 1 + self._truth], axis=1)
        fields = np.where(self._domain.mask, fields, np.float32(np.nan))
        inits = self._init_times.get_indexer(batch.samples.init_times)
        horizons = pd.Index(self._horizons_h).get_indexer(pd.Index(batch.samples.horizons_h))
        for init, horizon, field in zip(inits, horizons, fields, strict=True):
            chunk, row = divmod(int(init), self._inits_a_chunk)
            if chunk != self._chunk:
                self._write()
                self._chunk, self._held[:] = np.array(chunk), np.nan
            self._held[:, row, horizon] = field

    def state(self) -> State:
        """The chunk that is being filled; those before it are in the store, on the disk."""
        flush(self._partial)
        return {"chunk": self._chunk, "held": self._held}

    def restore(self, state: State) -> None:
        """Go on with the store that an interrupted evaluation left.

        Raises:
            AirshedError: That store is gone.
        """
        if not self._partial.is_dir():
            raise AirshedError(
                "the unfinished forecast archive of an interrupted evaluation is gone",
                where=self._partial,
                hint="delete the savepoint beside the scores and evaluate again",
            )
        self._created = True
        self._chunk, self._held = np.array(state["chunk"]), np.array(state["held"])

    def publish(self) -> None:
        """Write the last chunk and give the complete store its name."""
        self._create()
        self._write()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Consolidated metadata")  # xarray wants it
            zarr.consolidate_metadata(self._partial)
        publish(self._partial, self._path)

    def _write(self) -> None:
        start = int(self._chunk) * self._inits_a_chunk
        stop = min(start + self._inits_a_chunk, len(self._init_times))
        group = zarr.open_group(self._partial, mode="r+")
        for name, held in zip(self._fields, self._held, strict=True):
            array: Any = group[name]
            array[start:stop] = held[: stop - start]

    def _create(self) -> None:
        if self._created:
            return
        self._created = True
        self._partial.parent.mkdir(parents=True, exist_ok=True)
        remove(self._partial)
        coordinates(self._init_times, self._horizons_h, self._domain, self._subject).to_zarr(
            self._partial, mode="w", zarr_format=3, consolidated=False
        )
        group = zarr.open_group(self._partial, mode="r+")
        plane = (len(self._horizons_h), *self._domain.mask.shape)
        for name, attributes in self._fields.items():
            array = group.create_array(
                name,
                shape=(len(self._init_times), *plane),
                chunks=(self._inits_a_chunk, *plane),
                dtype="float32",
                fill_value=np.nan,
                dimension_names=DIMENSIONS,
            )
            array.attrs.update(attributes)


def coordinates(
    init_times: pd.DatetimeIndex, horizons_h: Sequence[int], domain: Domain, subject: Subject
) -> xr.Dataset:
    """Everything but the fields, with CF attributes."""
    horizons: npt.NDArray[np.int64] = np.asarray(horizons_h, dtype=np.int64)
    valid = init_times.to_numpy()[:, None] + horizons.astype("timedelta64[h]")
    plane = ("y", "x")
    frame = xr.Dataset(
        coords={
            "init_time": ("init_time", init_times, {"standard_name": "forecast_reference_time"}),
            "horizon": (
                "horizon",
                horizons,
                {"standard_name": "forecast_period", "units": "hours"},
            ),
            "valid_time": (("init_time", "horizon"), valid, {"standard_name": "time"}),
            "y": ("y", np.arange(domain.mask.shape[0]), {"long_name": "row"}),
            "x": ("x", np.arange(domain.mask.shape[1]), {"long_name": "column"}),
            "lat2d": (plane, domain.lat2d, _attributes(VARIABLES["lat2d"])),
            "lon2d": (plane, domain.lon2d, _attributes(VARIABLES["lon2d"])),
            "domain_mask": (
                plane,
                domain.mask.astype(np.int8),
                {"long_name": "1 inside the domain", "units": "1"},
            ),
        },
        attrs={
            "Conventions": CONVENTIONS,
            "title": f"forecasts of {subject.name} ({subject.data_source} data)",
            **vars(subject),
        },
    )
    for name in ("init_time", "valid_time"):
        frame[name].encoding = {"units": "hours since 1970-01-01", "dtype": "int64"}
    return frame


def _attributes(known: Variable) -> dict[str, str]:
    """CF attributes of a variable of the archive."""
    return {"standard_name": known.standard_name, "units": known.units}


def _field(known: Variable, what: str) -> dict[str, str]:
    """CF attributes of the forecast or the truth of a target."""
    return _attributes(known) | {
        "long_name": f"{known.long_name}, {what}",
        "coordinates": "valid_time lat2d lon2d domain_mask",
    }
