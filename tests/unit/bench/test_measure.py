"""The order of measurements, and what their ratios are."""

from __future__ import annotations

import pytest

from airshed.bench import measure
from airshed.bench.measure import interleaved, ratio, spread


def test_cases_take_turns_and_every_second_round_runs_backwards() -> None:
    calls: list[str] = []
    cases = {name: (lambda name=name: calls.append(name)) for name in "abc"}
    times = interleaved(cases, rounds=3, what="test", warmup=1)
    assert "".join(calls) == "cba" + "abc" + "cba" + "abc"
    assert {name: len(taken) for name, taken in times.items()} == {"a": 3, "b": 3, "c": 3}


def test_a_machine_that_slows_down_steadily_favours_no_case(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second case takes 10 % longer; the clock drifts by 2 % of a step with every call."""
    clock = iter(range(10_000))
    true = {"first": 1.0, "second": 1.1}

    def seconds(work: object) -> float:
        return true[work()] * (1 + 0.02 * next(clock))  # type: ignore[operator]

    monkeypatch.setattr(measure, "seconds", seconds)
    times = interleaved({name: (lambda name=name: name) for name in true}, 10, "test")
    assert ratio(times, "second", "first")["median"] == pytest.approx(1.1, rel=0.002)


def test_ratios_are_those_of_the_same_round() -> None:
    times = {"a": [2.0, 8.0, 3.0], "b": [1.0, 4.0, 1.0]}
    assert ratio(times, "a", "b") == {"median": 2.0, "min": 2.0, "max": 3.0, "rounds": 3}
    assert spread([3.0, 1.0, 2.0])["median"] == 2.0
