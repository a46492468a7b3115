from __future__ import annotations

from typing import Any

import pytest

from airshed.comparison.verdict import Limit, in_short, in_words, verdict


@pytest.mark.parametrize(
    ("change", "different", "equivalent", "expected"),
    [
        (-0.05, True, False, "helps"),
        (0.05, True, False, "hurts"),
        (-0.004, True, True, "small"),
        (0.004, True, True, "small"),
        (-0.004, False, True, "equivalent"),
        (0.05, False, False, "inconclusive"),
    ],
)
def test_verdicts(change: float, different: bool, equivalent: bool, expected: str) -> None:
    assert verdict(change, different, equivalent) == expected


@pytest.mark.parametrize(
    ("given", "beyond", "limit", "words", "short"),
    [
        ("helps", True, "", "it helps, by at least the margin", "helps*"),
        ("hurts", False, float("nan"), "it hurts; whether by the margin is open", "hurts"),
        ("equivalent", False, "", "there is no difference that matters", "equivalent"),
        ("inconclusive", False, "one seed", "undecided (one seed)", "inconclusive"),
        (
            "small",
            False,
            Limit.these_days.value,
            "the difference is real but smaller than the margin (these days only)",
            "small",
        ),
    ],
)
def test_verdicts_are_told(given: str, beyond: bool, limit: Any, words: str, short: str) -> None:
    row = {"verdict": given, "beyond_margin": beyond, "limit": limit}
    assert in_words(row) == words
    assert in_short(row) == short
