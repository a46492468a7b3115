"""What a check finds: fine, slow or broken, in a line that says what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from airshed.errors import HINT, AirshedError, brief


class Verdict(StrEnum):
    """How well something works, from well to not at all."""

    FINE = "fine"
    SLOW = "slow"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """One line.

    Attributes:
        verdict: How well it works.
        summary: What was found, with numbers.
        todo: What to do where something is to be done.
    """

    verdict: Verdict
    summary: str
    todo: str = ""

    def line(self, what: str) -> str:
        """The line of a check of that name."""
        advice = f"; {self.todo}" if self.todo else ""
        return f"{self.verdict:<7} {what:<10} {self.summary}{advice}"


def fine(summary: str) -> Finding:
    """Nothing is to be done."""
    return Finding(Verdict.FINE, summary)


def slow(summary: str, todo: str) -> Finding:
    """It works, and costs more time or attempts than it needs to."""
    return Finding(Verdict.SLOW, summary, todo)


def broken(summary: str, todo: str) -> Finding:
    """A training would fail, or give wrong results."""
    return Finding(Verdict.BROKEN, summary, todo)


def worst(found: Sequence[Finding]) -> Finding:
    """The first of those that are worst."""
    return max(found, key=lambda each: [*Verdict].index(each.verdict))


def attempted(check: Callable[[], Finding], todo: str) -> Finding:
    """What a check finds; any error means broken, with ``todo`` where its message has no advice."""
    try:
        return check()
    except Exception as error:  # whatever a driver, a compiler or a file system may raise
        return of_error(error, todo)


def of_error(error: Exception, todo: str) -> Finding:
    """What an error says, in a line."""
    if not isinstance(error, AirshedError):
        return broken(brief(error), todo)
    found = error.details.get("found")
    summary = error.what if found is None else f"{error.what}: {found}"
    return broken(" ".join(summary.split()), error.details.get(HINT, todo))
