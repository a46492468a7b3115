"""What a measured change of RMSE means."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol


class Verdict(StrEnum):
    """Whether a variant is better than its reference."""

    helps = "helps"
    hurts = "hurts"
    small = "small"
    equivalent = "equivalent"
    inconclusive = "inconclusive"


class Limit(StrEnum):
    """What a verdict is limited to, or why nothing but ``inconclusive`` can be said."""

    these_days = "these days only"
    these_networks = "these networks only"
    one_seed = "one seed"
    short_test = "short test"

    @property
    def refuses(self) -> bool:
        """Whether no verdict is given."""
        return self in (Limit.one_seed, Limit.short_test)


EXPLANATIONS = {
    Limit.these_days: "the test period is short against the correlation of its errors, so that"
    " nothing is known of other days; judged by the variance between trainings alone",
    Limit.these_networks: "judged by the variance over init times alone; another training of either"
    " may say the opposite",
    Limit.one_seed: "with one seed each, the variance between trainings is unknown;"
    " comparison.accept_single_seed judges these two networks alone",
    Limit.short_test: "the test period is short against the correlation of its errors, and with one"
    " seed each the variance between trainings is unknown too",
}

WORDS = {
    Verdict.small: "the difference is real but smaller than the margin",
    Verdict.equivalent: "there is no difference that matters",
    Verdict.inconclusive: "undecided",
}


def verdict(change: float, different: bool, equivalent: bool) -> Verdict:
    """Judge a relative change of RMSE by what is shown of it.

    Args:
        change: RMSE of the variant over RMSE of the reference, minus 1; negative is better.
        different: Whether it is shown not to be zero.
        equivalent: Whether it is shown to be smaller than the margin, in either direction.
    """
    if different and equivalent:
        return Verdict.small
    if different:
        return Verdict.helps if change < 0 else Verdict.hurts
    return Verdict.equivalent if equivalent else Verdict.inconclusive


class Row(Protocol):
    """A row of ``comparisons.csv``."""

    def __getitem__(self, column: str, /) -> Any:
        """The entry of a column."""


def in_words(row: Row) -> str:
    """The verdict as part of a sentence about a variant, and what it is limited to."""
    verdict = str(row["verdict"])
    if verdict in WORDS:
        return WORDS[Verdict(verdict)] + limited(row)
    margin = (
        ", by at least the margin" if row["beyond_margin"] else "; whether by the margin is open"
    )
    return f"it {verdict}{margin}{limited(row)}"


def in_short(row: Row) -> str:
    """The verdict as an entry of a table; a star stands for a change beyond the margin."""
    return f"{row['verdict']}{'*' if row['beyond_margin'] else ''}"


def limited(row: Row) -> str:
    """What a verdict is limited to, or why there is none, in brackets; or nothing."""
    limit = row["limit"]
    return f" ({limit})" if isinstance(limit, str) and limit else ""


def is_refused(row: Row) -> bool:
    """Whether no verdict could be given, whatever the numbers."""
    return any(row["limit"] == limit and limit.refuses for limit in Limit)
