"""A land like China's: a plateau, a basin ringed by ridges, a plain, and where people live."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from airshed.arrays import Floats

POPULATION = 1.4e9
CITIES = 40


@dataclass(frozen=True)
class Land:
    """Fields [Y, X]: elevation in m, people per cell, and which cells belong to the domain."""

    elevation_m: Floats
    population: Floats
    domain: npt.NDArray[np.bool_]


def make_land(rows: int, columns: int, seed: int) -> Land:
    """The land on a grid of any size; positions are shares of its height and width."""
    rng = np.random.default_rng([seed, 1])
    y, x = np.meshgrid(
        (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij"
    )
    elevation = _elevation(y, x, rng)
    domain = _blob(y, x, 0.50, 0.50, 0.49, 0.47, 4) | _blob(y, x, 0.80, 0.80, 0.19, 0.17, 2)
    return Land(elevation, _population(y, x, elevation, domain, rng), domain)


def _blob(
    y: Floats, x: Floats, y0: float, x0: float, ry: float, rx: float, power: float
) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs((y - y0) / ry) ** power + np.abs((x - x0) / rx) ** power < 1)


def _hill(y: Floats, x: Floats, y0: float, x0: float, ry: float, rx: float) -> Floats:
    """1 at the middle, falling to 0 over about the given half-widths, flat on top."""
    distance = ((y - y0) / ry) ** 2 + ((x - x0) / rx) ** 2
    return np.asarray(1 / (1 + distance**3))


def _elevation(y: Floats, x: Floats, rng: np.random.Generator) -> Floats:
    plateau = 4500 * _hill(y, x, 0.40, 0.26, 0.24, 0.20)
    north_west = 1100 * _hill(y, x, 0.78, 0.22, 0.22, 0.22)
    steppe = 1200 * _hill(y, x, 0.85, 0.55, 0.25, 0.18)
    hills = 700 * _hill(y, x, 0.15, 0.70, 0.15, 0.13)
    ring_radius = np.hypot((y - 0.36) / 1.6, x - 0.545)
    ring = 2600 * np.exp(-(((ring_radius - 0.085) / 0.025) ** 2))
    basin = _hill(y, x, 0.36, 0.545, 0.115, 0.07)
    ridge = 2200 * np.exp(-(((x - 0.665 - 0.10 * (y - 0.6)) / 0.018) ** 2)) * (y > 0.52)
    base = np.maximum.reduce([plateau, north_west, steppe, hills, ring, ridge])
    rough = gaussian_filter(rng.standard_normal(y.shape), 1.5, mode="reflect")
    rough *= 250 * (0.3 + base / 3000) / max(rough.std(), 1e-9)
    land = 60 + np.maximum(base * (1 - basin) + 350 * basin + rough, 0)
    return np.asarray(np.minimum(land, 5800.0))


def _population(
    y: Floats,
    x: Floats,
    elevation_m: Floats,
    domain: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> Floats:
    """People live low and in the east; cities stand out."""
    density = np.exp(-elevation_m / 600) * (0.05 + 1 / (1 + np.exp(-(x - 0.52) / 0.05)))
    weight = (density * domain).ravel()
    for city in rng.choice(weight.size, CITIES, p=weight / weight.sum()):
        row, column = np.unravel_index(city, y.shape)
        distance = ((y - y[row, column]) / 0.03) ** 2 + ((x - x[row, column]) / 0.015) ** 2
        density = density + rng.lognormal(1.2, 0.6) * np.exp(-distance)
    density = density * domain
    return np.asarray(POPULATION * density / density.sum())
