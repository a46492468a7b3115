"""Wind from a streamfunction: travelling weather systems that high terrain deflects.

Face velocities are differences of a streamfunction at cell corners, so that what flows into a cell
flows out of it, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from airshed.arrays import Floats

WAVES = 9
WAVELENGTH_KM = (1800.0, 4800.0)
WAVE_WIND_MS = 2.6  # typical wind of one wave
PHASE_SPEED_MS = (2.0, 6.0)
DECORRELATION_H = 90.0  # of a wave's amplitude and phase
MEAN_WIND_MS = (1.2, -0.4)  # eastward and northward on the grid
DEFLECTION_M = 2500.0  # elevation above which air rather flows around
DEFLECTION = 0.7  # share of the flow across the highest ground that is turned around it
SMOOTHING_KM = 150.0  # scale on which the flow notices terrain
DIURNAL = 0.25  # relative swing of wind speed between night and afternoon


@dataclass(frozen=True)
class Flow:
    """Velocities at cell faces, m s-1: ``u`` [Y, X + 1] and ``v`` [Y + 1, X] along the grid."""

    u: Floats
    v: Floats

    def at_centres(self) -> tuple[Floats, Floats]:
        """Means of opposite faces, [Y, X] each."""
        return (self.u[:, 1:] + self.u[:, :-1]) / 2, (self.v[1:] + self.v[:-1]) / 2


class SimulatedWind:
    """Hourly flow over a terrain; each call of :meth:`step` moves on by one hour."""

    def __init__(self, elevation_m: Floats, cell_m: float, seed: int) -> None:
        rows, columns = elevation_m.shape
        self.cell_m = cell_m
        self._rng = np.random.default_rng([seed, 2])
        y = (np.arange(rows + 1) - rows / 2)[:, None] * cell_m
        x = (np.arange(columns + 1) - columns / 2)[None, :] * cell_m
        self._mean = MEAN_WIND_MS[1] * x - MEAN_WIND_MS[0] * y
        wavelength_m = 1e3 * self._rng.uniform(*WAVELENGTH_KM, WAVES)
        direction = self._rng.uniform(-0.9, 0.9, WAVES)  # of the crests' travel, from east
        number = 2 * np.pi / wavelength_m
        spatial = np.array(
            [k * (np.cos(a) * x + np.sin(a) * y) for k, a in zip(number, direction, strict=True)]
        )
        self._cosine, self._sine = np.cos(spatial), np.sin(spatial)
        self._turn_per_h = 3600 * number * self._rng.uniform(*PHASE_SPEED_MS, WAVES)
        self._strength = WAVE_WIND_MS / number
        self._state = self._noise()
        corners = np.pad(elevation_m, 1, mode="edge")
        high = (corners[1:, 1:] + corners[1:, :-1] + corners[:-1, 1:] + corners[:-1, :-1]) / 4
        high = gaussian_filter(high, SMOOTHING_KM * 1e3 / cell_m, mode="nearest")
        self._high = DEFLECTION * (1 - np.exp(-((high / DEFLECTION_M) ** 2)))

    def _noise(self) -> npt.NDArray[np.complexfloating[Any]]:
        real, imaginary = self._rng.standard_normal((2, WAVES)) / np.sqrt(2)
        return np.asarray(real + 1j * imaginary)

    def step(self, afternoon: float) -> tuple[Flow, Floats]:
        """The next hour's flow and the weather's streamfunction [Y, X], scaled to about 1.

        Args:
            afternoon: 1 in the middle of the afternoon, -1 twelve hours later.
        """
        correlation = np.exp(-1 / DECORRELATION_H)
        self._state = self._state * correlation * np.exp(-1j * self._turn_per_h)
        self._state = self._state + np.sqrt(1 - correlation**2) * self._noise()
        amplitude = self._state * self._strength
        weather = np.tensordot(amplitude.real, self._cosine, 1)
        weather -= np.tensordot(amplitude.imag, self._sine, 1)
        psi = (self._mean + weather) * (1 + DIURNAL * afternoon)
        ground = (psi * self._high).sum() / max(self._high.sum(), 1e-9)
        psi = psi * (1 - self._high) + ground * self._high
        flow = Flow(
            u=-(psi[1:] - psi[:-1]) / self.cell_m, v=(psi[:, 1:] - psi[:, :-1]) / self.cell_m
        )
        scale = np.sqrt((self._strength**2).sum() / 2)
        return flow, weather[:-1, :-1] / scale
