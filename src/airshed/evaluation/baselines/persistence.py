"""Climatology; the last known field, that of the same hour of the day, or its damped anomaly."""

from __future__ import annotations

import numpy as np

from airshed.arrays import Floats, Integers
from airshed.data.days import DayReader, days_spanned
from airshed.data.reference import DampedPersistence, lowest
from airshed.data.stores import hours_of_day
from airshed.errors import AirshedError
from airshed.evaluation.baselines.known import Known, batch_by_batch
from airshed.evaluation.batch import Forecaster, Samples
from airshed.evaluation.reading import at_samples

HOURS_A_DAY = 24


def persistence(known: Known) -> Forecaster:
    """The field at the init time, whatever the horizon."""
    reader = DayReader(known.hourly, known.study.targets, days_spanned(0))

    def forecast(samples: Samples) -> Floats:
        return reader.fields(samples.input_index)

    return batch_by_batch(forecast)


def same_hour_persistence(known: Known) -> Forecaster:
    """The latest present field at or before the init time that has the valid time's hour of day.

    For horizons of whole days that is the field at the init time. Where an hour is missing from the
    store, the one a day earlier is taken, and so on. Hours before the test split may be used: at
    the init time they are known.

    Raises:
        AirshedError: (When forecasting) The store has no such hour.
    """
    reader = DayReader(known.hourly, known.study.targets, days_spanned(HOURS_A_DAY))
    steps = len(hours_of_day(known.hourly))
    latest = _latest_of_same_hour(known.hourly["present"].values, steps)

    def forecast(samples: Samples) -> Floats:
        back = -samples.horizons_h % HOURS_A_DAY
        wanted = samples.input_index - back * steps // HOURS_A_DAY
        found = np.where(wanted >= 0, latest[np.maximum(wanted, 0)], -1)
        if (found < 0).any():
            raise AirshedError(
                "same-hour persistence finds no field of the valid time's hour of the day",
                where=samples.first_where(found < 0),
                expected="a present hour at most a day before the init time, or days earlier",
                hint="let the test split start later",
            )
        return reader.fields(found)

    return batch_by_batch(forecast)


def climatology(known: Known) -> Forecaster:
    """What is expected at the valid time, see :mod:`airshed.data.climatology`."""

    def forecast(samples: Samples) -> Floats:
        return known.climatology.at(samples.valid_times)

    return batch_by_batch(forecast)


def damped_persistence(known: Known) -> Forecaster:
    """Climatology and what is left of the latest anomaly; see :mod:`airshed.data.reference`.

    Raises:
        AirshedError: Its coefficients are not given.
    """
    study = known.study
    if known.damping is None:
        raise AirshedError(
            "damped persistence needs its coefficients",
            hint="give --damping, made by airshed damping",
        )
    floor = lowest(study.target_variables)
    reference = DampedPersistence(known.climatology, known.damping, study.horizons_h, floor)
    return batch_by_batch(at_samples(reference, known.hourly, study.targets))


def _latest_of_same_hour(
    present: np.ndarray[tuple[int], np.dtype[np.bool_]], steps: int
) -> Integers:
    """For each position the latest present one at it or whole days before it; -1 if none is."""
    days = -(-len(present) // steps)
    positions = np.full(days * steps, -1)
    positions[: len(present)] = np.where(present, np.arange(len(present)), -1)
    latest: Integers = np.maximum.accumulate(positions.reshape(days, steps), axis=0).ravel()
    return latest
