from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from airshed.comparison.diebold_mariano import diebold_mariano


def test_statistic_by_hand() -> None:
    """Differences 1, 2, 3, 6 with mean 3, squared deviations 14 and products of neighbours -1."""
    variant, reference = np.array([2.0, 4.0, 4.0, 9.0]), np.array([1.0, 2.0, 1.0, 3.0])
    statistic, p_value = diebold_mariano(variant, reference, horizon_steps=2)
    variance = (14 + 2 * 0.5 * (2 + 0 + 0)) / 4**2  # products: (-2)(-1), (-1)(0), (0)(3)
    expected = 3 / np.sqrt(variance) * np.sqrt((4 + 1 - 4 + 2 * 1 / 4) / 4)
    assert statistic == pytest.approx(expected)
    assert p_value == pytest.approx(2 * stats.t.sf(expected, 3))


def test_one_step_ahead_is_nearly_students_test() -> None:
    differences = np.random.default_rng(0).normal(0.2, 1, 200)
    statistic, _ = diebold_mariano(2 + differences, np.full(200, 2.0), horizon_steps=1)
    assert statistic == pytest.approx(stats.ttest_1samp(differences, 0).statistic, rel=1e-6)


def test_missing_errors_are_left_out() -> None:
    errors = np.random.default_rng(0).gamma(2, size=(2, 30))
    gaps = errors.copy()
    gaps[0, 4] = gaps[1, 9] = np.nan
    expected = diebold_mariano(*np.delete(errors, [4, 9], axis=1), 3)
    assert diebold_mariano(*gaps, 3) == expected


@pytest.mark.parametrize(
    ("variant", "horizon"), [(np.arange(1.0, 6), 5), (np.ones(5), 2), (np.full(5, np.nan), 1)]
)
def test_undefined_tests_are_nan(variant: np.ndarray, horizon: int) -> None:
    assert np.isnan(diebold_mariano(variant, np.ones(5), horizon)).all()
