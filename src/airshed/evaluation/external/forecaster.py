"""An external forecast on the study grid, sample by sample."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.interpolate import RegularGridInterpolator

from airshed.arrays import Floats, Integers
from airshed.config import Study
from airshed.data.ratios import dry_air_density
from airshed.data.sphere import lat_lon_deg, unit_vectors
from airshed.data.stores import open_hourly, open_static
from airshed.data.units import to_canonical
from airshed.errors import AirshedError
from airshed.evaluation.aggregation import Period
from airshed.evaluation.batch import Samples
from airshed.evaluation.evaluate import Evaluation, evaluate, test_samples
from airshed.evaluation.external.reading import ExternalFields, open_external
from airshed.evaluation.external.units import concentration
from airshed.evaluation.points import Points
from airshed.evaluation.scores import Subject
from airshed.graph.identity import identity
from airshed.graph.user_files import UserFiles
from airshed.variables import VARIABLES

PARTS = 4  # of a cell's side: a cell's mean is taken from the source at 4 x 4 places in it

log = logging.getLogger(__name__)


def evaluate_external(study: Study, name: str, evaluation: Evaluation) -> None:
    """Score an external forecast on the samples and cells on which the trained runs are scored.

    Raises:
        AirshedError: There is no such forecast, it is not understood, or it lacks samples,
            pollutants or cells and ``missing`` is ``refuse``.
    """
    if name not in study.external:
        raise AirshedError(
            "unknown external forecast",
            expected=", ".join(study.external) or "a forecast in section 'external'",
            found=name,
        )
    settings = study.external[name]
    external = open_external(study, name)
    forecaster = ExternalForecaster(study, external, open_static(evaluation.static))
    hourly = open_hourly(evaluation.hourly, hours_per_task=None)
    samples = Samples.of(test_samples(study, hourly, tuple(study.horizons_h)))
    lacking = forecaster.lacking(samples)
    if forecaster.has_nothing(samples):
        raise AirshedError(
            "an external forecast has nothing of what the trained runs are scored on",
            where=settings.path,
            expected="some of their cells, init times and horizons",
            found="; ".join(lacking),
            hint=f"correct external.{name}.path, or fetch the region and period of the study",
        )
    if lacking and settings.missing == "refuse":
        raise AirshedError(
            "an external forecast does not have everything that the trained runs are scored on",
            where=f"{settings.path}, variables {', '.join(external.pollutants)}",
            found="; ".join(lacking),
            hint=f"complete it, or set external.{name}.missing to common_subset: it is then"
            " compared on the samples that it has, and stands in external.csv alone",
        )
    for problem in lacking:
        log.warning("%s: %s", name, problem)
    made = identity("external", study, name, UserFiles.of(study, "external", name).checksums())
    evaluate(study, Subject.of(study, "external", name, -1, made), forecaster, evaluation)


class ExternalForecaster:
    """Looks forecasts up by init and lead time, converts and interpolates them."""

    def __init__(self, study: Study, external: ExternalFields, grid: xr.Dataset) -> None:
        settings = study.external[external.name]
        self._external, self._settings = external, settings
        self._targets = study.target_variables
        self._mask = grid["domain_mask"].values.astype(bool)
        lat_deg, lon_deg = grid["lat2d"].values, grid["lon2d"].values
        source = (external.lat_deg, external.lon_deg)
        if settings.interpolation == "bilinear":
            self._points = Points(*source, lat_deg.ravel(), lon_deg.ravel())
        else:
            places = places_in_cells(lat_deg, lon_deg, PARTS)
            self._points = Points(*source, *places, method="nearest")
            self._points.averaged(PARTS**2)

    def has_nothing(self, samples: Samples) -> bool:
        """Whether no sample, or no cell of the domain, can be scored."""
        init, lead = self._places(samples)
        inside = self._mask.ravel() & self._points.inside
        return not inside.any() or not ((init >= 0) & (lead >= 0)).any()

    def lacking(self, samples: Samples) -> list[str]:
        """What the forecast does not have of what is to be scored, in words; empty if nothing."""
        problems = []
        targets = [target.name for target in self._targets]
        absent = [name for name in targets if name not in self._external.pollutants]
        if absent:
            problems.append(f"no {', '.join(absent)}")
        outside = self._mask.ravel() & ~self._points.inside
        if outside.any():
            problems.append(f"{outside.sum()} of {self._mask.sum()} cells lie beyond its grid")
        init, lead = self._places(samples)
        missing = (init < 0) | (lead < 0)
        if missing.any():
            first = int(np.argmax(missing))
            problems.append(
                f"{missing.sum()} of {len(samples)} samples, the first at"
                f" {samples.init_times[first]} + {samples.horizons_h[first]} h"
            )
        return problems

    def __call__(self, batches: Iterable[Samples]) -> Iterator[npt.NDArray[np.float32]]:
        """Forecasts [B, V, Y, X] of each batch; NaN for what the forecast does not have."""
        for samples in batches:
            shape = (len(samples), len(self._targets), *self._mask.shape)
            forecast = np.full(shape, np.nan, np.float32)
            for row, place in enumerate(zip(*self._places(samples), strict=True)):
                if min(place) >= 0:
                    forecast[row] = self._sample(*map(int, place))
            yield forecast

    def _places(self, samples: Samples) -> tuple[Integers, Integers]:
        """Position of each sample on the axes of init and lead times; -1 if it is not there."""
        external = self._external
        return Period(external.init_times, tuple(external.lead_hours), ()).places(samples)

    def _sample(self, init: int, lead: int) -> npt.NDArray[np.float32]:
        """Fields [V, Y, X] of one init and lead time, on the study grid, in canonical units."""
        at = self._external.fields.isel(init_time=init, lead_h=lead)

        def air_density() -> Floats | None:
            if "temp" not in at or "psfc" not in at:
                return None
            return dry_air_density(*(self._canonical(at[name]) for name in ("psfc", "temp")))

        fields = np.full((len(self._targets), *self._mask.shape), np.nan, dtype=np.float32)
        for number, target in enumerate(self._targets):
            if (name := target.name) in at:
                values = concentration(
                    at[name].values,
                    target,
                    at[name].attrs.get("units"),
                    self._settings.units.get(name),
                    air_density,
                    f"{self._settings.path}, {name}",
                )
                fields[number] = self._points(values).reshape(self._mask.shape)
                self._refuse_holes(fields[number], name, at)
        return fields

    def _refuse_holes(self, field: Floats, name: str, at: xr.Dataset) -> None:
        """A forecast that is scored beside the trained runs has a value in every cell."""
        lost = int((self._mask & ~np.isfinite(field)).sum())
        if lost and self._settings.missing == "refuse":
            raise AirshedError(
                "an external forecast lacks values in the domain",
                where=f"{self._settings.path}, {name}, {at['init_time'].values} +"
                f" {at['lead_h'].values}",
                expected=f"a value in each of {self._mask.sum()} cells",
                found=f"{lost} cells without one",
                hint="complete it, or set missing to common_subset for this forecast",
            )

    def _canonical(self, field: xr.DataArray) -> Floats:
        where = f"{self._settings.path}, {field.name}"
        known, said = VARIABLES[str(field.name)], field.attrs.get("units")
        return to_canonical(field.values, known, said, None, where)


def places_in_cells(lat_deg: Floats, lon_deg: Floats, parts: int) -> tuple[Floats, Floats]:
    """Latitudes and longitudes of ``parts`` x ``parts`` evenly spread places in each cell.

    Args:
        lat_deg: [Y, X] of the cells' centres.
        lon_deg: [Y, X] of the cells' centres.
        parts: Places along each side.

    Returns:
        Each [Y * X * parts^2], the places of a cell one after the other. Beyond the outermost
        centres the grid is continued as it ends.
    """
    rows, columns = lat_deg.shape
    axes = (np.arange(rows), np.arange(columns))
    centres = np.moveaxis(unit_vectors(lat_deg, lon_deg), 0, -1)
    position = RegularGridInterpolator(axes, centres, bounds_error=False, fill_value=None)
    within = (np.arange(parts) + 0.5) / parts - 0.5
    row, column, down, right = np.meshgrid(*axes, within, within, indexing="ij")
    return lat_lon_deg(position(np.stack([row + down, column + right], axis=-1).reshape(-1, 2)).T)
