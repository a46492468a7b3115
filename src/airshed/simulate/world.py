"""The simulated atmosphere, hour by hour, in the variables of the archives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np

from airshed.arrays import Floats
from airshed.config.data import DatasetConfig
from airshed.data.sphere import axis_directions
from airshed.simulate import chemistry
from airshed.simulate.chemistry import BACKGROUND, CO, COARSE, FINE, NOX, OX, SO2, Hour
from airshed.simulate.projection import cell_positions
from airshed.simulate.terrain import make_land
from airshed.simulate.transport import Transport
from airshed.simulate.wind import SimulatedWind
from airshed.variables import Quantities, Variable

SPIN_UP_H = 96
LAPSE_K_M = 0.0055
SEA_LEVEL_PA = 101_325.0
HALF_FINE = 1000.0  # ug m-3, at which an added quantity is in the middle of its range


class World:
    """Terrain, weather and air of a dataset's simulator.

    Args:
        dataset: Grid, seed and terrain blocking (``simulator``), period, frame of the winds.
    """

    def __init__(self, dataset: DatasetConfig) -> None:
        settings = dataset.simulator
        rows, columns = settings.grid.rows, settings.grid.columns
        cell_m = 1e3 * settings.cell_km
        self.wind_frame = dataset.wind_frame
        self._quantities = Quantities.of(dataset.dictionary, dataset.hourly, {})
        self.start = datetime.combine(dataset.period.start, datetime.min.time())
        self.lat_deg, self.lon_deg = cell_positions(rows, columns, cell_m)
        self.land = make_land(rows, columns, settings.seed)
        self.axes = axis_directions(self.lat_deg, self.lon_deg)
        self._wind = SimulatedWind(self.land.elevation_m, cell_m, settings.seed)
        self._transport = Transport(
            self.land.elevation_m, cell_m, settings.terrain_blocking, BACKGROUND
        )
        self._people_per_m2 = self.land.population / cell_m**2
        self._dry = _dryness(self.lat_deg, self.lon_deg, self.land.elevation_m)
        self._rng = np.random.default_rng([settings.seed, 3])
        self._cloud = 0.0
        self._air: Floats = np.tile(BACKGROUND[:, None, None], (1, rows, columns))

    def hours(self, count: int) -> Iterator[tuple[datetime, dict[str, Floats]]]:
        """Time (UTC) and fields of ``count`` hours, after a spin-up that is not shown."""
        for number in range(-SPIN_UP_H, count):
            time = self.start + timedelta(hours=number)
            fields = self._next(time)
            if number >= 0:
                yield time, fields

    def _next(self, time: datetime) -> dict[str, Floats]:
        solar_h = (time.hour + self.lon_deg / 15) % 24
        day = np.cos(2 * np.pi * (solar_h - 14) / 24)
        flow, weather = self._wind.step(float(day.mean()))
        u, v = flow.at_centres()
        speed: Floats = np.hypot(u, v)
        self._cloud = 0.97 * self._cloud + 0.24 * self._rng.standard_normal()
        clear = 1 / (1 + np.exp(weather + 0.5 * self._cloud))
        sun = _sun(time, solar_h, self.lat_deg) * (0.4 + 0.6 * clear)
        weekday = 0.9 if time.weekday() >= 5 else 1.0
        hour = Hour(
            sun=sun,
            traffic=weekday * (1 + 0.35 * np.sin(2 * np.pi * (solar_h - 8) / 24)),
            mixing_m=300 + 500 * np.maximum(day, 0) + 60 * speed,
            wind_speed_ms=speed,
            warmth=np.clip(1 + (35 - self.lat_deg) / 25, 0.3, 1.6),
        )
        moved = self._transport.advance(self._air, flow, 3600.0)
        self._air = chemistry.react(moved, hour, self._people_per_m2, self._dry)
        return self._observed(time, u, v, weather, day, sun)

    def _observed(
        self, time: datetime, u: Floats, v: Floats, weather: Floats, day: Floats, sun: Floats
    ) -> dict[str, Floats]:
        height = self.land.elevation_m
        season = np.cos(2 * np.pi * (time.timetuple().tm_yday - 200) / 365)
        temp = 288 - 0.75 * (self.lat_deg - 30) + 6 * season - LAPSE_K_M * height
        temp = temp + 4.5 * day + 3 * weather
        rh = np.clip(62 - 14 * day - 0.004 * height + 12 * weather - 18 * self._dry, 5, 100)
        psfc = (SEA_LEVEL_PA - 700 * weather) * (1 - 2.25577e-5 * height) ** 5.25588
        no2, o3 = chemistry.exchange(self._air[NOX], self._air[OX], sun)
        east, north = self._earth(u, v) if self.wind_frame == "earth" else (u, v)
        fields = {
            "u": east,
            "v": north,
            "temp": temp,
            "rh": rh,
            "psfc": psfc,
            "pm10": self._air[FINE] + self._air[COARSE],
            "so2": self._air[SO2],
            "no2": no2,
            "co": self._air[CO] / 1000,
            "o3": o3,
            "pm25": self._air[FINE],
        }
        wanted = [self._quantities[name] for name in self._quantities.hourly]
        return {
            each.name: fields[each.name] if each.name in fields else self._added(each)
            for each in wanted
        }

    def _added(self, quantity: Variable) -> Floats:
        """A quantity that is not simulated: plausible values that rise with the fine particles."""
        fine = self._air[FINE]
        return quantity.low + (quantity.high - quantity.low) * fine / (fine + HALF_FINE)

    def _earth(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Components towards east and north of a wind along columns and rows."""
        axes = self.axes
        return (
            u * axes["column_east"] + v * axes["row_east"],
            u * axes["column_north"] + v * axes["row_north"],
        )


def _sun(time: datetime, solar_h: Floats, lat_deg: Floats) -> Floats:
    """Cosine of the sun's zenith angle, 0 at night."""
    declination = np.radians(-23.44) * np.cos(2 * np.pi * (time.timetuple().tm_yday + 10) / 365)
    lat, angle = np.radians(lat_deg), np.pi * (solar_h - 12) / 12
    height = np.sin(lat) * np.sin(declination)
    height = height + np.cos(lat) * np.cos(declination) * np.cos(angle)
    return np.asarray(np.maximum(height, 0))


def _dryness(lat_deg: Floats, lon_deg: Floats, elevation_m: Floats) -> Floats:
    """Share of dusty ground: the north-west below the high mountains."""
    dry = 1 / (1 + np.exp(-(lat_deg - 37) / 1.5)) / (1 + np.exp((lon_deg - 108) / 3))
    return np.asarray(dry / (1 + np.exp((elevation_m - 2500) / 300)))
