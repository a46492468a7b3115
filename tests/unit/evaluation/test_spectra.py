from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scoring import TARGET_VARIABLES

from airshed.evaluation.aggregation import Period
from airshed.evaluation.batch import Domain
from airshed.evaluation.spectra import Spectra, largest_rectangle

PERIOD = Period(pd.date_range("2016-03-05", periods=3, freq="6h"), (12, 24), TARGET_VARIABLES[:2])
RNG = np.random.default_rng


def spectra(rows: int, columns: int) -> Spectra:
    """On a grid of a tenth of a degree at the equator."""
    lat, lon = np.meshgrid(0.1 * np.arange(rows), 0.1 * np.arange(columns), indexing="ij")
    return Spectra(PERIOD, Domain(np.ones(lat.shape, dtype=bool), lat, lon, 0 * lat))


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_no_rectangle_is_larger(share: float) -> None:
    mask = RNG(0).random((9, 11)) < share
    rows, columns = largest_rectangle(mask)
    assert mask[rows, columns].all()
    sizes = [
        (bottom - top) * (right - left)
        for top, left in product(range(9), range(11))
        for bottom, right in product(range(top + 1, 10), range(left + 1, 12))
        if mask[top:bottom, left:right].all()
    ]
    assert mask[rows, columns].size == max(sizes)


def test_a_wave_lies_in_the_band_of_its_length() -> None:
    """Half a period of a cosine over 16 cells, times k, is a wave of 32 / k cells."""
    found = spectra(16, 24)
    for number in (1, 4, 15):
        wave = np.cos(np.pi * number * (np.arange(16) + 0.5) / 16)[:, None] * np.ones(24)
        found.restore({name: 0 * values for name, values in found.state().items()})
        fields = np.broadcast_to(3 * wave, (1, 2, 16, 24))
        found.add(np.array([1]), fields, 2 * fields)
        power = found.forecast_power[1, :, 0]
        assert power.argmax() == number - 1
        assert power.sum() == pytest.approx(power.max()) == pytest.approx(9 * 0.5)
        np.testing.assert_allclose(found.truth_power, 4 * found.forecast_power)
        assert found.wavelength_km[number - 1] == pytest.approx(32 / number * 11.12, rel=1e-3)
    assert (found.forecast_power[0] == 0).all()


def test_bands_hold_the_variance_but_for_the_corners() -> None:
    """Parseval: of a square's noise all but what is shorter than two cells along a diagonal."""
    found, fields = spectra(40, 40), RNG(1).normal(size=(5, 2, 40, 40))
    found.add(np.array([0, 0, 1, 1, 1]), fields, fields)
    total = found.forecast_power.sum(axis=(0, 1)) / 5
    assert total == pytest.approx(fields.var(axis=(2, 3)).mean(axis=0) * np.pi / 4, rel=0.05)
    assert found.samples.tolist() == [[2, 2], [3, 3]]


def test_fields_with_gaps_do_not_count() -> None:
    found, fields = spectra(8, 8), RNG(2).normal(size=(2, 2, 8, 8))
    truth = fields.copy()
    truth[0, 1, 3, 3] = np.nan
    found.add(np.array([0, 0]), fields, truth)
    assert found.samples[0].tolist() == [2, 1]
    alone = spectra(8, 8)
    alone.add(np.array([0]), fields[1:], truth[1:])
    np.testing.assert_allclose(found.truth_power[0, :, 1], alone.truth_power[0, :, 1])


def test_a_single_row_has_one_empty_band() -> None:
    found = spectra(1, 8)
    found.add(np.array([0]), np.ones((1, 2, 1, 8)), np.ones((1, 2, 1, 8)))
    assert found.forecast_power.shape == (2, 1, 2)
    assert (found.forecast_power == 0).all()
