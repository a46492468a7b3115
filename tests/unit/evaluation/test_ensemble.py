from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scoring import TARGET_VARIABLES

from airshed.evaluation.aggregation import Period
from airshed.evaluation.batch import Batch, Samples
from airshed.evaluation.ensemble.scores import EnsembleScores, Members

INITS = pd.date_range("2016-03-05", periods=3, freq="6h", unit="ns")
PERIOD = Period(INITS, (12, 24), TARGET_VARIABLES[:2])
MASK = np.arange(20).reshape(4, 5) > 2
RNG = np.random.default_rng


def batches() -> list[Samples]:
    """The samples of each init time, by itself."""
    table = pd.DataFrame({"init_time": INITS.repeat(2), "horizon_h": [12, 24] * 3})
    table = table.assign(input_index=0, target_index=0)
    return [Samples.of(rows) for _, rows in table.groupby("init_time")]


def fields(count: int, seed: int = 0, times: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Members [M, init, horizon, T, Y, X] and truth, some of it missing."""
    members = RNG(seed).normal(size=(count, times, 2, 2, *MASK.shape)).astype(np.float32)
    truth = RNG(seed + 1).normal(size=members.shape[1:]).astype(np.float32)
    truth[RNG(seed + 2).random(truth.shape) < 0.2] = np.nan
    return members, truth


class Known:
    """Forecasts that are given, by the place of a batch."""

    def __init__(self, forecasts: np.ndarray) -> None:
        self._forecasts = forecasts

    def read(self, samples: Samples) -> int:
        return int(INITS.get_loc(samples.init_times[0]))

    def forecast(self, given: int) -> np.ndarray:
        return self._forecasts[given]


def scored(members: np.ndarray, truth: np.ndarray) -> EnsembleScores:
    """Forecast and scored as an evaluation does it."""
    chosen, ensemble = batches(), Members([Known(one) for one in members])
    scores = EnsembleScores(PERIOD, MASK, ensemble)
    for place, (samples, mean) in enumerate(zip(chosen, ensemble(chosen), strict=True)):
        np.testing.assert_allclose(mean, members[:, place].mean(axis=0), rtol=1e-6)
        nothing = np.zeros_like(mean)
        scores.add(Batch(samples, mean, truth[place], nothing, nothing[:, 0]))
    return scores


@pytest.mark.parametrize("count", [2, 3])
def test_scores_are_those_of_a_loop_over_pairs_and_members(count: int) -> None:
    members, truth = fields(count)
    table = scored(members, truth).table("physics_mask").set_index(["pollutant", "horizon_h"])
    place = members[:, :, 1, 0][..., MASK], truth[:, 1, 0][..., MASK]  # pm25 at 24 h
    crps, squared, of_members, variance, ranks = [], [], [], [], np.zeros(count + 1)
    for init, cell in zip(*np.nonzero(np.isfinite(place[1])), strict=True):
        x, y = place[0][:, init, cell].astype(float), float(place[1][init, cell])
        apart = sum(abs(one - other) for one in x for other in x)
        crps.append(np.mean([abs(one - y) for one in x]) - apart / (2 * count * (count - 1)))
        squared.append((x.mean() - y) ** 2)
        of_members.append(np.mean([(one - y) ** 2 for one in x]))
        variance.append(sum((one - x.mean()) ** 2 for one in x) / (count - 1))
        ranks[sum(one < y for one in x)] += 1
    row = table.loc[(TARGET_VARIABLES[0].name, 24)]
    assert row["pairs"] == len(crps)
    assert row["crps"] == pytest.approx(np.mean(crps))
    assert row["rmse_of_mean"] == pytest.approx(np.sqrt(np.mean(squared)))
    assert row["rmse_of_members"] == pytest.approx(np.sqrt(np.mean(of_members)))
    assert row["spread"] == pytest.approx(np.sqrt(np.mean(variance) * (count + 1) / count))
    found = [row[f"rank_{k}"] for k in range(count + 1)]
    np.testing.assert_allclose(found, ranks / ranks.sum())


def test_spread_and_error_agree_when_truth_is_one_of_the_members() -> None:
    """On average over many draws: neither the spread nor the ranks tell which one is the truth."""
    rows = []
    for seed in range(40):
        drawn, _ = fields(4, 10 * seed)
        rows.append(scored(drawn[1:], drawn[0]).table("v"))
    table = pd.concat(rows)
    ratio = np.sqrt((table["spread"] ** 2).mean() / (table["rmse_of_mean"] ** 2).mean())
    assert ratio == pytest.approx(1, abs=0.03)
    assert table[[f"rank_{k}" for k in range(4)]].mean().to_numpy() == pytest.approx(0.25, abs=0.02)


def test_taken_up_again_it_ends_the_same() -> None:
    members, truth = fields(3)
    whole = scored(members, truth)
    again = EnsembleScores(PERIOD, MASK, Members([Known(one) for one in members]))
    again.restore(whole.state())
    pd.testing.assert_frame_equal(again.table("v"), whole.table("v"))
