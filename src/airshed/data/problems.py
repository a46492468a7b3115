"""Where checks hand what is wrong: an ingest stops at the first problem, a look at files notes all.

A check is a function that raises AirshedError, called in a block ``with problems:``. The block ends
at the problem; what comes after it is reached only where problems are noted, and must do without
what the block has not brought about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol

from airshed.errors import AirshedError


class Problems(Protocol):
    """What decides on the problems of a block."""

    def __enter__(self) -> object:
        """Begin a check, or several of which none makes sense without those before it."""

    def __exit__(
        self, kind: type | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Whether the problem is noted, so that the run goes on after the block."""


class StopAtFirst:
    """The ingest's: every problem stops it."""

    def __enter__(self) -> None:
        """Nothing is prepared."""

    def __exit__(self, *_: object) -> bool:
        """Let the problem through."""
        return False


STOP = StopAtFirst()


@dataclass
class Findings:
    """Problems in the order in which they were met, and remarks that refuse nothing.

    Of those of the same kind and with the same variable the first is kept, and places are counted.
    """

    remarks: dict[str, list[str]] = field(default_factory=dict)
    _met: dict[tuple[str, ...], tuple[AirshedError, set[str]]] = field(default_factory=dict)

    @property
    def problems(self) -> list[AirshedError]:
        """The first of each kind."""
        return [problem for problem, _ in self._met.values()]

    @property
    def times(self) -> list[int]:
        """In how many places each of them was met."""
        return [len(places) for _, places in self._met.values()]

    def __enter__(self) -> None:
        """Nothing is prepared."""

    def __exit__(
        self, kind: type | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Note what a user can mend; all else is let through."""
        if isinstance(problem, AirshedError):
            self.add(problem)
        return isinstance(problem, AirshedError)

    def add(self, problem: AirshedError) -> None:
        """Note a problem."""
        _, places = self._met.setdefault(_kind(problem), (problem, set()))
        places.add(problem.details.get("where", ""))

    def remark(self, text: str, where: str) -> None:
        """Note what a user should know, and where it was met."""
        self.remarks.setdefault(text, []).append(where)

    def as_list(self) -> list[dict[str, Any]]:
        """Problems for JSON."""
        return [
            {"what": problem.what, **problem.details, "times": times}
            for problem, times in zip(self.problems, self.times, strict=True)
        ]


def _kind(problem: AirshedError) -> tuple[str, ...]:
    """What makes two problems the same one: rule, variable and remedy; else the place."""
    variable = re.search(r", variable (\w+)", problem.details.get("where", ""))
    if variable is None and "lacks a variable" not in problem.what:
        return problem.what, problem.details.get("where", "")
    name = variable[1] if variable else problem.details.get("expected", "")
    return problem.what, name, problem.details.get("next", "")


def passing(
    problems: Problems, names: Iterable[str], check: Callable[[str], object]
) -> tuple[str, ...]:
    """The names that a check lets through, one by one."""
    passed = []
    for name in names:
        with problems:
            check(name)
            passed.append(name)
    return tuple(passed)
