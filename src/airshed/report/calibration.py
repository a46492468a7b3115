"""How often the comparison errs where the difference is known, for designs like the study's.

The counts are those of ``docs/statistics.md``; ``benchmarks/calibration.py`` writes them to both
places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

import numpy as np

from airshed.comparison.verdict import Verdict
from airshed.report import text
from airshed.report.results import Results
from airshed.report.tables import Table

CAPTION = (
    "Percent of simulated studies without any difference, with 95\u00a0% intervals: verdicts for"
    " these days only, which are not counted; a difference found in at least one of 24 tests; a"
    " difference found overall; percent of 95\u00a0% intervals that contained the true difference."
)
COLUMNS = {
    "replicates": "simulated studies",
    "these days only": "these days only",
    "a difference": "a difference",
    "overall difference": "overall",
    "interval holds": "interval holds",
}
PERIODS_DAYS_EVERY_H = {
    "20 days, every 2 h": (20, 2),
    "a year, every 6 h": (365, 6),
    "a year, hourly": (365, 1),
}
COUNTED_SEEDS = (2, 3, 5)


def table(results: Results) -> Table:
    """The counts of the designs most like the study's: its test period, then its seeds."""
    period, seeds = closest(results)
    rows = [
        [name, *(counts[column] for column in COLUMNS)]
        for name, counts in _counts()
        if name.startswith((f"{period},", f"{seeds} seeds, spread"))
    ]
    return Table(["design", *COLUMNS.values()], rows)


def closest(results: Results) -> tuple[str, int]:
    """The counted test period and number of seeds that come closest to the study's."""
    test = results.study.splits.test

    def distance(name: str) -> float:
        days, every_h = PERIODS_DAYS_EVERY_H[name]
        ratios = (len(test.days) / days, test.init_every_h / every_h)
        return float(np.abs(np.log(ratios)).sum())

    seeds = len(results.study.seeds)
    nearest = min(COUNTED_SEEDS, key=lambda counted: abs(counted - seeds))
    return min(PERIODS_DAYS_EVERY_H, key=distance), nearest


def sentences(results: Results) -> list[str]:
    """What the counts say, and for which designs."""
    period, seeds = closest(results)
    rows = table(results).rows
    place = 1 + list(COLUMNS).index("a difference")
    rates = [float(row[place].split()[0]) for row in rows]
    test = results.study.splits.test
    return [
        f"This study has {text.count_word(len(results.study.seeds))} seeds and a test period of"
        f" {len(test.days)} days with init times every {test.init_every_h} h. The closest designs"
        f" whose errors were counted on simulated squared errors: {period}, with 3 seeds; and"
        f" {seeds} seeds, with a year every 6 h.",
        "In those without any difference between the models, one was found in at least one of 24"
        f" tests in {min(rates):.1f} to {max(rates):.1f} % of the simulated studies; the promise is"
        " 5 % at most.",
    ]


def controls(results: Results) -> list[str]:
    """What the study says of variants that are their reference again, with other seeds."""
    found = []
    for variant, reference in results.study.references().items():
        changed = text.changed_settings(results.study, variant, reference)
        if set(changed) != {"seed_offset"}:
            continue
        row = results.overall(variant)
        wrong = row["verdict"] in (*text.DECIDED, Verdict.small)
        found.append(
            f"{variant} is {reference} again, trained with other seeds. Its change of RMSE is"
            f" {text.interval(row)}, verdict {row['verdict']}: the statistics"
            f" {'err here' if wrong else 'find no difference'}, which they do in"
            f" {'at most 5' if wrong else 'at least 95'}\u00a0% of such studies."
        )
    return found


def _counts() -> Iterator[tuple[str, dict[str, str]]]:
    """Design and counts by column, of every row in the tables of the page on statistics."""
    page = (files("airshed.report") / "calibration.md").read_text(encoding="utf-8")
    for block in page.split("\n\n"):
        header, _, *rows = [_cells(line) for line in block.strip().splitlines()]
        for row in rows:
            yield row[0], dict(zip(header[1:], row[1:], strict=True))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"\|", line.strip("| "))]
