from __future__ import annotations

import pytest

from airshed.comparison.verdict import verdict


@pytest.mark.parametrize(
    ("change", "low", "high", "p_adjusted", "expected"),
    [
        (-0.05, -0.07, -0.03, 0.001, "helps"),
        (0.05, 0.03, 0.07, 0.001, "hurts"),
        (-0.01, -0.012, -0.008, 0.001, "helps"),
        (-0.05, -0.07, -0.03, 0.05, "inconclusive"),
        (-0.005, -0.008, -0.002, 0.001, "equivalent"),
        (0.0, -0.009, 0.009, 1.0, "equivalent"),
        (0.0, -0.01, 0.009, 1.0, "inconclusive"),
        (0.0, -0.009, 0.01, 1.0, "inconclusive"),
        (-0.008, -0.015, -0.001, 0.001, "inconclusive"),
        (0.02, -0.01, 0.05, 0.4, "inconclusive"),
        (0.0, 0.0, 0.0, 1.0, "equivalent"),
    ],
)
def test_verdicts(change: float, low: float, high: float, p_adjusted: float, expected: str) -> None:
    assert verdict(change, low, high, p_adjusted, margin=0.01, significance=0.05) == expected
