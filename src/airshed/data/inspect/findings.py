"""What would be refused: collected, not raised."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from airshed.errors import AirshedError


@dataclass
class Findings:
    """Problems in the order in which they were met, and remarks that refuse nothing.

    A problem that is met again, of the same kind and with the same variable, is counted.
    """

    problems: list[AirshedError] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    remarks: dict[str, list[str]] = field(default_factory=dict)
    _seen: dict[tuple[str, ...], int] = field(default_factory=dict)

    def add(self, problem: AirshedError) -> None:
        """Note a problem."""
        number = self._seen.setdefault(_kind(problem), len(self.problems))
        if number == len(self.problems):
            self.problems.append(problem)
            self.times.append(0)
        self.times[number] += 1

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
