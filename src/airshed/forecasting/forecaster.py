"""Forecasts of the trained networks of a variant, from fields to fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
import xarray as xr

from airshed.arrays import Floats32, Integers
from airshed.config import Study
from airshed.data.inputs import Inputs
from airshed.data.prepared import Prepared
from airshed.data.reference import Reference
from airshed.data.stores import open_static
from airshed.errors import AirshedError
from airshed.evaluation.batch import Domain
from airshed.evaluation.forecast_file import coordinates, dimensions, field_attributes
from airshed.evaluation.network import PhysicalNetwork
from airshed.evaluation.scores import Subject
from airshed.forecasting.bias_map import bias_on_map, patch_at
from airshed.forecasting.incoming import Incoming
from airshed.forecasting.times import Time, hours_of
from airshed.model import Forecaster as Network
from airshed.variables import STATIC


@dataclass(frozen=True)
class Member:
    """One trained network.

    Attributes:
        seed: Of its training.
        checksum: Of its weights.
        model: The network itself, which knows normalised fields alone.
        network: Makes the forecasts with it.
        reference: The forecast that it departs from; None: it predicts fields.
    """

    seed: int
    checksum: str
    model: Network
    network: PhysicalNetwork
    reference: Reference | None


class Forecaster:
    """Forecasts of a variant's trained networks; :func:`airshed.load` makes it.

    Attributes:
        variant: Name of the variant.
        study: The study that it belongs to, as it was trained.
        seeds: Seeds of the networks.
        horizons_h: Lead times that the networks were trained for, h.
        needs: Units of the hourly fields that a forecast needs, by name.
        gives: Units of what is forecast, by name.
    """

    def __init__(
        self,
        study: Study,
        variant: str,
        members: Sequence[Member],
        prepared: Prepared,
        together: bool,
    ) -> None:
        static, quantities = open_static(prepared.static), study.dataset.quantities
        self.study, self.variant = study, variant
        self.seeds, self.horizons_h = [one.seed for one in members], tuple(study.horizons_h)
        self._members, self._together, self._domain = members, together, Domain.of(static)
        departs = any(one.reference is not None for one in members)
        wanted = {*study.inputs, *(study.targets if departs else ())} - {*STATIC}
        self._static = static
        self._wanted = quantities.in_order(wanted)
        of = self._wanted, study.inputs, study.targets
        self._inputs = Inputs(prepared.static, prepared.statistics, *of)
        self.needs: Mapping[str, str] = {name: quantities[name].units for name in self._wanted}
        self.gives: Mapping[str, str] = {one.name: one.units for one in study.target_variables}

    def __repr__(self) -> str:
        seeds = ", ".join(map(str, self.seeds))
        return f"<forecaster of {self.study.study}/{self.variant}, seed {seeds}>"

    def forecast(
        self,
        fields: xr.Dataset,
        init_time: Time | Sequence[Time] | None = None,
        horizons_h: Sequence[int] | None = None,
    ) -> xr.Dataset:
        """Forecast from the fields of one or several hours.

        Args:
            fields: Every variable of ``needs``, in any unit that its ``units`` attribute names, and
                the cells' ``lat2d`` and ``lon2d``, each (y, x) or (time, y, x), on the study grid
                or on that of the study's raw files. Names and aliases are those of the study. They
                are checked as an ingest checks them.
            init_time: The hours to start from, UTC; None: all that ``fields`` has.
            horizons_h: Lead times, h; None: all that the networks were trained for.

        Returns:
            What is forecast, (init_time, horizon, y, x) in the units of ``gives``, NaN outside the
            domain, with CF attributes; with ``member`` after ``init_time`` if all seeds of a
            variant, or a list of runs, were loaded.

        Raises:
            AirshedError: A field is missing, of another unit or grid, or implausible; or an init
                time or horizon is none that can be forecast.
        """
        horizons, hours = self.horizons(horizons_h), hours_of(fields, init_time)
        incoming = self.incoming()
        made = [
            self.from_hour(incoming.of_dataset(hour, f"fields of {time} UTC"), time, horizons)
            for time, hour in hours
        ]
        frame = self.frame(pd.DatetimeIndex([time for time, _ in hours]), horizons)
        for name, values in zip(self.gives, np.stack(made, axis=1), strict=True):
            attributes = self.fields()[name]
            encoding = {"coordinates": attributes.pop("coordinates")}
            frame[name] = (dimensions(frame), values, attributes, encoding)
        return frame

    def attention_bias(
        self,
        fields: xr.Dataset,
        lat_deg: float,
        lon_deg: float,
        init_time: Time | Sequence[Time] | None = None,
    ) -> xr.Dataset:
        """What the bias adds to the attention scores of one patch, for every patch it looks at.

        A patch (the query) weighs all patches (the keys) by the softmax of scores; the bias is
        added to these scores in the blocks that have it, before the softmax.

        Args:
            fields: As for :meth:`forecast`; a bias may depend on their wind.
            lat_deg: Latitude of a place in the query's patch, degrees north.
            lon_deg: Its longitude, degrees east.
            init_time: The hours to look at, UTC; None: all that ``fields`` has.

        Returns:
            ``bias`` (init_time, block, head, patch_row, patch_column), without a unit, as the
            weights have it that forecasts are made with; one head if all share the bias. Beside it
            the means over patches that it is made from: ``elevation`` (m), ``u``, ``v`` and
            ``wind_speed`` (m s-1), the patches' middles ``lat2d`` and ``lon2d``, and each learned
            number, as ``learned_alpha`` (block). With ``member`` after ``init_time`` where
            forecasts have it. The attributes ``query_row`` and ``query_column`` are the patch.

        Raises:
            AirshedError: The variant has no attention bias, the place lies off the grid, or the
                fields cannot be used.
        """
        query = patch_at(self._static, self.study.model.patch, lat_deg, lon_deg)
        hours, incoming = hours_of(fields, init_time), self.incoming()
        x = [self._seen(incoming.of_dataset(hour, f"fields of {time} UTC")) for time, hour in hours]
        times = pd.DatetimeIndex([time for time, _ in hours])
        networks = [one.model for one in self._members]
        found = bias_on_map(networks, torch.cat(x), times, query, self._static)
        if self._together:
            return found.assign_coords(member=self.seeds)
        return found.squeeze("member")

    def horizons(self, wanted: Sequence[int] | None) -> list[int]:
        """Lead times, those of the study if none are named.

        Raises:
            AirshedError: The networks were not trained for one of them.
        """
        chosen = self.horizons_h if wanted is None else tuple(wanted)
        if not chosen or not set(chosen) <= set(self.horizons_h):
            raise AirshedError(
                "the networks were not trained for a horizon",
                where=f"{self.study.study}/{self.variant}",
                expected=", ".join(f"{hours} h" for hours in self.horizons_h),
                found=", ".join(f"{hours} h" for hours in chosen) or "none",
            )
        return sorted(set(chosen))

    def incoming(self) -> Incoming:
        """What brings fields of one origin to the study grid."""
        return Incoming(self.study.dataset, self._static, self._wanted)

    def from_hour(
        self, fields: Floats32, init_time: pd.Timestamp, horizons_h: Sequence[int]
    ) -> Floats32:
        """Forecasts [T, H, Y, X], or [T, M, H, Y, X] of members, NaN outside the domain.

        Args:
            fields: [V, Y, X], those of ``needs`` in their order, as :class:`Incoming` gives them.
            init_time: Which hour they are of, UTC.
            horizons_h: Lead times, h.
        """
        count, horizons = len(horizons_h), np.array(horizons_h)
        x = self._seen(fields)
        init_hours = torch.tensor([int(init_time.timestamp()) // 3600])
        lead_hours = torch.from_numpy(horizons.astype(np.float32))
        inputs = x, init_hours, torch.zeros(count, dtype=torch.int64), lead_hours
        when = pd.DatetimeIndex([init_time] * count), horizons
        made = [
            one.network.forecast((inputs, self._departed_from(one, fields, *when)))
            for one in self._members
        ]
        forecasts = np.where(self._domain.mask, np.stack(made), np.float32(np.nan))
        ordered = np.moveaxis(forecasts, 2, 0)
        return ordered if self._together else ordered[:, 0]

    def _seen(self, fields: Floats32) -> torch.Tensor:
        """The networks' input [1, V, Y, X] from the fields [V, Y, X] of an hour."""
        return self._inputs.seen([torch.from_numpy(self._inputs.normalise_(fields.copy()))])

    def _departed_from(
        self, member: Member, fields: Floats32, times: pd.DatetimeIndex, horizons_h: Integers
    ) -> Floats32 | None:
        """What a network departs from [H, T, Y, X], from the fields [V, Y, X] at the init time."""
        if member.reference is None:
            return None
        latest = self._inputs.of_targets([torch.from_numpy(fields)] * len(times))
        return member.reference(latest.numpy(), times, horizons_h)

    def frame(self, init_times: pd.DatetimeIndex, horizons_h: Sequence[int]) -> xr.Dataset:
        """Everything of a forecast but its fields."""
        seeds = self.seeds if self._together else None
        return coordinates(init_times, horizons_h, self._domain, self._subject(), seeds)

    def fields(self) -> dict[str, dict[str, str]]:
        """CF attributes of each field of a forecast."""
        return {one.name: field_attributes(one) for one in self.study.target_variables}

    def _subject(self) -> Subject:
        checksums = " ".join(one.checksum for one in self._members)
        if not self._together:
            (seed,) = self.seeds
            return Subject.of(self.study, "variant", self.variant, seed, checksums)
        of_all = Subject.of(self.study, "ensemble", self.variant, -1, checksums)
        return replace(of_all, made_from=self.variant, members=len(self._members))
