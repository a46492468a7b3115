"""Lightning's progress bars in a log, as tqdm writes them, whatever stands around them.

A bar reads ``Epoch 3:  45%|####5     | 450/1000 [2:30:15<3:03:20, 40.01s/it, val_loss=0.234]``;
before it may stand the prefix of srun or of a launcher, or another bar on the same line. The bar
may lack its drawing, its total (``450it``, ``450/?``) and, where the terminal was narrow, its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

BAR = re.compile(
    r"Epoch (?P<epoch>\d+): (?:[^\[\]]{0,1000}?[ |])?(?P<step>\d+)(?:/(?P<total>\d+|\?)|it)"
    r" \[(?P<elapsed>\d+(?::\d{2}){1,2})(?:<[^,\]]*)?"
    r"(?:, *(?:\d[\d.]*|\?) ?(?:s/(?:it|batch)|(?:it|batch)/s))?"
    r"(?P<metrics>(?:(?!Epoch \d+:)[^\]])*)(?P<end>\]?)"
)
METRIC = re.compile(r"\s*([\w/.-]+)=([^,\s]+)\s*")
VALIDATION = re.compile(r"Validat(?:ion|ing)\b[^\[]*\[")


@dataclass(frozen=True)
class Bar:
    """The state of the bar of an epoch.

    Attributes:
        epoch: Epoch, from 0.
        step: Batches of it that are done.
        total: Batches that it has; None if the bar does not know.
        elapsed_s: Seconds since it began, in whole seconds.
        metrics: Numbers behind the bar, by name; NaN and infinity are numbers too.
    """

    epoch: int
    step: int
    total: int | None
    elapsed_s: int
    metrics: Mapping[str, float]


def bars_in(line: str) -> Iterator[Bar]:
    """The bars of epochs on one line, in order."""
    if "Epoch " not in line:
        return
    for found in BAR.finditer(line):
        total = found["total"]
        yield Bar(
            epoch=int(found["epoch"]),
            step=int(found["step"]),
            total=int(total) if total and total != "?" else None,
            elapsed_s=_seconds(found["elapsed"]),
            metrics=_metrics(found["metrics"], complete=bool(found["end"])),
        )


def is_validation(line: str) -> bool:
    """Whether a line holds a bar of a validation; its time belongs to no training step."""
    return VALIDATION.search(line) is not None


def _seconds(clock: str) -> int:
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return seconds


def _metrics(text: str, complete: bool) -> dict[str, float]:
    """The numbers. Of a bar that was cut off, those with a comma behind them, up to another text.

    The last one may lack digits, and what was written next may go on where the bar ends.
    """
    first, *pairs = text.split(",")
    numbers: dict[str, float] = {}
    for pair in [first, *pairs] if complete else pairs[:-1]:
        found = METRIC.fullmatch(pair)
        if found is None and not complete:
            break
        try:
            numbers |= {found[1]: float(found[2])} if found else {}
        except ValueError:
            continue
    return numbers
