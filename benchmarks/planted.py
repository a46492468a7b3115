"""How much a forecast loses that knows all of a simulated world but that terrain blocks transport."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from airshed.arrays import Floats
from airshed.config import Study
from airshed.simulate.chemistry import BACKGROUND
from airshed.simulate.transport import Transport
from airshed.simulate.world import SPIN_UP_H, World


class Known(World):
    """A world that can be carried on over flat ground from any of its hours."""

    def carried_on(self, time: datetime, hours: int) -> list[dict[str, Floats]]:
        """Fields of the hours after ``time``, the last one of this world, as if nothing blocked."""
        flat = deepcopy(self)
        cell_m = self._transport.cell_m
        flat._transport = Transport(self.land.elevation_m, cell_m, 0.0, BACKGROUND)
        return [flat._next(time + timedelta(hours=number + 1)) for number in range(hours)]


def losses(study: Study, every_h: int = 12) -> pd.DataFrame:
    """RMSE over the test split by pollutant and horizon, on the simulator's own cells in the domain.

    Args:
        study: Of a simulated world.
        every_h: Hours between init times.

    Returns:
        Columns ``pollutant``, ``horizon_h``, ``flat`` (carried on over flat ground from the true
        air, with the true weather and emissions) and ``persistence``.
    """
    world, test = Known(study.dataset), study.splits.test
    first, last = (datetime.combine(day, datetime.min.time()) for day in (test.start, test.end))
    end = last + timedelta(days=1)
    inside, targets = world.land.domain, list(study.targets)
    truth: dict[datetime, Floats] = {}
    made: list[tuple[datetime, int, Floats]] = []
    for number in range(-SPIN_UP_H, int((end - world.start) / timedelta(hours=1))):
        time = world.start + timedelta(hours=number)
        fields = world._next(time)
        if time < first:
            continue
        truth[time] = _chosen(fields, targets, inside)
        if time.hour % every_h == 0:
            carried = world.carried_on(time, max(study.horizons_h))
            made += [
                (time, hours, _chosen(carried[hours - 1], targets, inside))
                for hours in study.horizons_h
            ]
    rows = [
        (hours, np.square(air - truth[valid]).mean(1), np.square(truth[time] - truth[valid]).mean(1))
        for time, hours, air in made
        if (valid := time + timedelta(hours=hours)) < end
    ]
    return _root_means(rows, targets)


def _chosen(fields: dict[str, Floats], names: Sequence[str], inside: np.ndarray) -> Floats:
    """[targets, cells]."""
    return np.stack([fields[name][inside] for name in names])


def _root_means(rows: Sequence[tuple[int, Floats, Floats]], targets: Sequence[str]) -> pd.DataFrame:
    table = pd.DataFrame(
        [
            (name, hours, flat, persistence)
            for hours, *squared in rows
            for name, flat, persistence in zip(targets, *squared, strict=True)
        ],
        columns=["pollutant", "horizon_h", "flat", "persistence"],
    )
    return np.sqrt(table.groupby(["pollutant", "horizon_h"], sort=False).mean()).reset_index()
