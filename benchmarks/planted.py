"""How much a forecast loses that knows all of a simulated world but what terrain blocks."""

from __future__ import annotations

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
    """RMSE over the test split by pollutant and horizon, on the simulator's cells in the domain.

    Args:
        study: Of a simulated world.
        every_h: Hours between init times.

    Returns:
        Columns ``pollutant``, ``horizon_h``, ``flat`` (carried on over flat ground from the true
        air, with the true weather and emissions) and ``persistence``.
    """
    truth, carried = _followed(study, every_h)
    errors: dict[int, list[Floats]] = {hours: [] for hours in study.horizons_h}
    for (time, hours), air in carried.items():
        valid = time + timedelta(hours=hours)
        if valid in truth:
            both = np.stack([air, truth[time]]) - truth[valid]
            errors[hours].append(np.square(both).mean(axis=-1))
    rows = [
        (name, hours, *rmse)
        for hours, squared in errors.items()
        for name, rmse in zip(study.targets, np.sqrt(np.mean(squared, axis=0)).T, strict=True)
    ]
    return pd.DataFrame(rows, columns=["pollutant", "horizon_h", "flat", "persistence"])


def _followed(
    study: Study, every_h: int
) -> tuple[dict[datetime, Floats], dict[tuple[datetime, int], Floats]]:
    """[targets, cells] of every hour of the test split; and after init times, over flat ground."""
    world, test = Known(study.dataset), study.splits.test
    first, end = (
        datetime.combine(day, datetime.min.time())
        for day in (test.start, test.end + timedelta(days=1))
    )
    inside = world.land.domain

    def chosen(fields: dict[str, Floats]) -> Floats:
        return np.stack([fields[name][inside] for name in study.targets])

    truth: dict[datetime, Floats] = {}
    carried: dict[tuple[datetime, int], Floats] = {}
    for number in range(-SPIN_UP_H, (end - world.start) // timedelta(hours=1)):
        time = world.start + timedelta(hours=number)
        fields = world._next(time)
        if time >= first:
            truth[time] = chosen(fields)
        if time >= first and time.hour % every_h == 0:
            after = world.carried_on(time, max(study.horizons_h))
            carried |= {(time, hours): chosen(after[hours - 1]) for hours in study.horizons_h}
    return truth, carried
