"""The barrier bias against its formula, written out plainly for each pair."""

from __future__ import annotations

import math

import pytest
import torch

from airshed.model.bias import build_bias
from airshed.model.geography import Fields


def fields(elevation_m: list[float], wind_speed_ms: list[float]) -> Fields:
    rows = (torch.tensor([values], dtype=torch.float64) for values in (elevation_m, wind_speed_ms))
    return Fields(torch.zeros(1, 2, 1, 1), *rows)


def barrier(alpha: float, wind_modulation: bool = True) -> torch.nn.Module:
    stanza = {
        "kind": "barrier",
        "blocks": [0],
        "alpha_init": alpha,
        "wind_modulation": wind_modulation,
    }
    return build_bias(stanza).double()


def plain(e: list[float], s: list[float], alpha: float, modulated: bool) -> list[list[float]]:
    def pair(i: int, j: int) -> float:
        rise = max((e[j] - e[i]) / 1000, 0.0)
        factor = 1 - 0.3 / (1 + math.exp(-(min(s[i], s[j]) - 5))) if modulated else 1.0
        return alpha * min(0.0, max(-10.0, -0.5 * rise * factor))

    return [[pair(i, j) for j in range(len(e))] for i in range(len(e))]


ELEVATION_M = [-150.0, 0.0, 0.0, 1000.0, 5200.0, 30_000.0]
WIND_SPEED_MS = [0.0, 5.0, 40.0, 2.0, 7.5, 12.0]


@pytest.mark.parametrize("modulated", [True, False])
@pytest.mark.parametrize("alpha", [0.2, -0.7])
def test_equals_the_formula_pair_by_pair(alpha: float, modulated: bool) -> None:
    bias = barrier(alpha, modulated)
    features = bias.features(fields(ELEVATION_M, WIND_SPEED_MS))
    expected = torch.tensor(plain(ELEVATION_M, WIND_SPEED_MS, alpha, modulated)).double()
    torch.testing.assert_close(bias.score(features, features)[0, 0], expected)


def test_a_step_of_1000_m_gives_minus_half_alpha_without_wind_modulation() -> None:
    bias = barrier(0.2, wind_modulation=False)
    features = bias.features(fields([0.0, 1000.0], [0.0, 0.0]))
    expected = torch.tensor([[[[0.0, -0.1], [0.0, 0.0]]]], dtype=torch.float64)
    torch.testing.assert_close(bias.score(features, features), expected)


def test_in_still_air_wind_modulation_leaves_it_nearly_unchanged() -> None:
    bias = barrier(0.2)
    features = bias.features(fields([0.0, 1000.0], [0.0, 0.0]))
    still = 1 - 0.3 / (1 + math.exp(5))  # the sigmoid of -5 is 0.7 %, not 0
    assert bias.score(features, features)[0, 0, 0, 1].item() == pytest.approx(-0.1 * still)


def test_wind_modulation_weakens_barriers_by_up_to_30_percent() -> None:
    bias = barrier(1.0)
    features = bias.features(fields([0.0, 1000.0], [60.0, 60.0]))
    assert bias.score(features, features)[0, 0, 0, 1].item() == pytest.approx(-0.35)


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="barrier"):
        build_bias({"kind": "wall", "blocks": [0]})
