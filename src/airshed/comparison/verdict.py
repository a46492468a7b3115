"""What a measured change of RMSE means."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """Whether a variant is better than its reference."""

    helps = "helps"
    hurts = "hurts"
    equivalent = "equivalent"
    inconclusive = "inconclusive"


class Limit(StrEnum):
    """Why nothing but ``inconclusive`` can be said, whatever the numbers."""

    one_seed = "one seed"
    short_test = "short test"


EXPLANATIONS = {
    Limit.one_seed: "with one seed each, the variance between trainings is unknown;"
    " comparison.accept_single_seed judges these two networks alone",
    Limit.short_test: "the test period is short against the correlation of its errors, so that"
    " the variance over init times is underestimated",
}


def verdict(
    change: float,
    ci_low: float,
    ci_high: float,
    p_adjusted: float,
    margin: float,
    significance: float,
) -> Verdict:
    """Judge a relative change of RMSE.

    Args:
        change: RMSE of the variant over RMSE of the reference, minus 1; negative is better.
        ci_low: Lower end of the change's confidence interval.
        ci_high: Upper end.
        p_adjusted: Two-sided p-value of no change, adjusted for the number of tests.
        margin: Smallest relative change that matters.
        significance: Level that ``p_adjusted`` must stay below.

    Returns:
        ``helps`` or ``hurts`` for a significant change of at least the margin; ``equivalent`` if
        the whole interval lies inside the margin; ``inconclusive`` otherwise.
    """
    if p_adjusted < significance and abs(change) >= margin:
        return Verdict.helps if change < 0 else Verdict.hurts
    if -margin < ci_low and ci_high < margin:
        return Verdict.equivalent
    return Verdict.inconclusive
