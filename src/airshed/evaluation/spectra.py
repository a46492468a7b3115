"""Power spectra of forecasts and observed fields, which show how blurred forecasts are.

Source: Denis, Cote and Laprise (2002), Monthly Weather Review 130, 1812-1829: the discrete cosine
transform suits a limited area, whose fields are not periodic, and its coefficients are summed over
bands of equal wavenumber.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn
from scipy.sparse import csr_array

from airshed.arrays import Flags, Floats, Integers
from airshed.data.sphere import spacing_km
from airshed.evaluation.aggregation import Period
from airshed.evaluation.batch import Domain, Gathered

SIDES = ("forecast_power", "truth_power")


class Spectra(Gathered):
    """Sums over samples of the power in bands of wavelength, on one rectangle of the domain.

    Band k of a rectangle whose shorter side has N cells holds the waves of 2 N / (k + 1) to 2 N / k
    cells, k from 1 to N - 1. A field counts if it has no gap in the rectangle.

    Args:
        period: Horizons H and targets V.
        domain: The cells; the rectangle is the largest one without a gap.

    Attributes:
        samples: [H, V], how many fields count.
        forecast_power: [H, K, V], sums of the variance (squared units) in each of K bands.
        truth_power: [H, K, V].
    """

    GATHERED = ("samples", *SIDES)

    def __init__(self, period: Period, domain: Domain) -> None:
        self._period = period
        self._rows, self._columns = rows, columns = largest_rectangle(domain.mask)
        lat, lon = domain.lat2d[rows, columns], domain.lon2d[rows, columns]
        self._bands = _bands(*lat.shape)
        count, targets = self._bands.shape[1], len(period.targets)
        spacings = [spacing_km(lat, lon, axis).ravel() for axis in (1, 2)]
        between = np.concatenate(spacings)
        spacing = float(np.median(between)) if len(between) else np.nan
        self.wavelength_km = 2 * min(lat.shape) / np.arange(1, count + 1) * spacing
        self.samples = np.zeros((len(period.horizons_h), targets), dtype=np.int64)
        self.forecast_power = np.zeros((len(period.horizons_h), count, targets))
        self.truth_power = np.zeros_like(self.forecast_power)

    def add(self, horizons: Integers, forecast: Floats, observed: Floats) -> None:
        """Add samples: positions [B] among the horizons, fields [B, V, Y, X]."""
        pair = [fields[:, :, self._rows, self._columns] for fields in (forecast, observed)]
        whole: Flags = np.all(np.isfinite(pair[0] + pair[1]), axis=(2, 3))
        for name, fields in zip(SIDES, pair, strict=True):
            power = self._power(np.where(whole[..., None, None], fields, 0))
            np.add.at(getattr(self, name), horizons, np.moveaxis(power, 2, 1))
        np.add.at(self.samples, horizons, whole)

    def _power(self, fields: Floats) -> Floats:
        """[B, V, K]: variance in each band of fields [B, V, y, x]."""
        coefficients = dctn(fields, axes=(2, 3), norm="ortho")
        squares = np.square(coefficients, out=coefficients).reshape(-1, self._bands.shape[0])
        power: Floats = (squares @ self._bands).reshape(*fields.shape[:2], -1)
        return power / self._bands.shape[0]

    def variables(self) -> dict[str, Any]:
        """As they stand in ``scores.nc``."""
        named = {name: getattr(self, name) for name in SIDES}
        return named | {"spectrum_samples": self.samples, "wavelength_km": self.wavelength_km}


def largest_rectangle(mask: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of the largest rectangle of cells that are all true; the first of equals.

    Each row is the lower edge of the rectangles that end in it: over runs of columns whose columns
    of true cells above it are at least as high as the lowest of them.
    """
    heights, best, found = np.zeros(mask.shape[1], dtype=int), 0, (0, 1, 0, 1)
    for row, cells in enumerate(mask):
        heights = np.where(cells, heights + 1, 0)
        open_runs: list[tuple[int, int]] = []  # first column, height: rising
        for column, height in enumerate([*heights.tolist(), 0]):
            first = column
            while open_runs and open_runs[-1][1] >= height:
                first, tall = open_runs.pop()
                if tall * (column - first) > best:
                    best = tall * (column - first)
                    found = row - tall + 1, row + 1, first, column
            open_runs.append((first, height))
    return slice(*found[:2]), slice(*found[2:])


def _bands(rows: int, columns: int) -> csr_array:
    """[rows * columns, K]: 1 where a coefficient is in a band; at least one band."""
    shorter = min(rows, columns)
    wavenumber = np.hypot(np.arange(rows)[:, None] / rows, np.arange(columns) / columns) * shorter
    band = np.floor(wavenumber.ravel() + 1e-9).astype(int) - 1
    inside = np.flatnonzero((band >= 0) & (band < shorter - 1))
    shape = (rows * columns, max(1, shorter - 1))
    return csr_array((np.ones(len(inside), dtype=np.float32), (inside, band[inside])), shape=shape)
