"""Collecting problems: an ingest stops at the first one, an inspection of files notes all.

A check is a function that raises AirshedError, called in a block ``with problems:``. The block ends
at the problem; code after it runs only where problems are noted, and must not rely on the rest of
the block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from airshed.errors import AirshedError

Problems = AbstractContextManager[object]
"""Takes the problems that checks find."""
STOP: Problems = nullcontext()
"""Every problem stops the run."""


@dataclass
class Findings:
    """Problems in the order of their occurrence, and remarks that refuse nothing.

    Of problems of one kind with one variable only the first is noted, with the number of places.
    """

    remarks: dict[str, list[str]] = field(default_factory=dict)
    _met: dict[tuple[str, ...], tuple[AirshedError, set[str]]] = field(default_factory=dict)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> bool:
        """Note an AirshedError and continue after the block; other exceptions are raised."""
        if isinstance(problem, AirshedError):
            self.add(problem)
        return isinstance(problem, AirshedError)

    @property
    def problems(self) -> list[AirshedError]:
        """The first of each kind."""
        return [problem for problem, _ in self.counted()]

    def counted(self) -> list[tuple[AirshedError, int]]:
        """The first of each kind, and the number of places with it."""
        return [(problem, len(places)) for problem, places in self._met.values()]

    def add(self, problem: AirshedError) -> None:
        """Note a problem without its traceback, whose frames reference whole files."""
        problem.__traceback__ = problem.__cause__ = problem.__context__ = None
        _, places = self._met.setdefault(_kind(problem), (problem, set()))
        places.add(problem.details.get("where", ""))

    def remark(self, text: str, where: str) -> None:
        """Note what a user should know, and where."""
        self.remarks.setdefault(text, []).append(where)

    def as_list(self) -> list[dict[str, Any]]:
        """Problems for JSON."""
        return [
            {"what": problem.what, **problem.details, "times": times}
            for problem, times in self.counted()
        ]


def _kind(problem: AirshedError) -> tuple[str, ...]:
    """Problems with the same kind count as one: rule, variable and hint, else rule and place."""
    variable = re.search(r", variable (\w+)", problem.details.get("where", ""))
    if variable is None and "lacks a variable" not in problem.what:
        return problem.what, problem.details.get("where", "")
    name = variable[1] if variable else problem.details.get("expected", "")
    return problem.what, name, problem.details.get("next", "")


def passing(
    problems: Problems, names: Iterable[str], check: Callable[[str], object]
) -> tuple[str, ...]:
    """The names that pass a check."""
    passed = []
    for name in names:
        with problems:
            check(name)
            passed.append(name)
    return tuple(passed)
