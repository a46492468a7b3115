"""How often verdicts err: the comparison applied to simulated errors, of which the truth is known.

``run.py --parts calibration`` simulates and keeps the counts in results/benchmarks.json; this file,
run by itself, writes them into docs/statistics.md and into the package, for studies' reports.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from document import document, recorded
from errors import Design, simulate
from scipy.stats import binomtest

from airshed.comparison.compare import compare
from airshed.comparison.inference import holm

log = logging.getLogger(__name__)
RESAMPLES = 1000
SIGNIFICANCE, MARGIN = 0.05, 0.01
REPLICATES, REPLICATES_HOURLY = 400, 150
IN_THE_PACKAGE = Path("src/airshed/report/calibration.md")

PERIODS = {
    "20 days, every 2 h": Design(init_times=240, step_h=2),
    "a year, every 6 h": Design(init_times=1460, step_h=6),
    "a year, hourly": Design(init_times=8760, step_h=1),
}
YEAR = PERIODS["a year, every 6 h"]
TIMES = {
    f"{name}, correlation {correlation}": replace(period, correlation=correlation)
    for name, period in PERIODS.items()
    for correlation in (0.0, 0.5, 0.9, 0.98)
}
SEEDS = {
    f"{seeds} seeds, spread {100 * spread:.0f} %": replace(YEAR, seeds=seeds, seed_sd=spread)
    for seeds in (2, 3, 5)
    for spread in (0.0, 0.02, 0.05, 0.2)
}
DEPARTURES = {
    "the same model twice": replace(YEAR, structure_sd=0.0),
    "pollutants and horizons correlated by 0.7": replace(YEAR, cell_correlation=0.7),
    "the variant's seeds spread twice as far": replace(YEAR, seed_sd_ratio=2.0),
    "weather with a heavy tail": replace(YEAR, weather_sd=1.5, structure_sd=0.4),
    "a daily cycle between the models, hourly for 60 days": replace(
        YEAR, init_times=1440, step_h=1, daily=0.2
    ),
    "a tenth of the init times missing": replace(YEAR, missing=0.1),
}
EFFECTS = {
    f"{seeds} seeds, change {100 * change:.0f} %": replace(YEAR, seeds=seeds, change=change)
    for seeds in (2, 3, 5)
    for change in (-0.01, -0.02, -0.03, -0.05, -0.1, -0.2)
}


def calibration(scale: float) -> dict[str, Any]:
    """Counts of verdicts and of intervals that hold the truth, for every design."""
    logging.getLogger("airshed").setLevel(logging.ERROR)  # thousands of refused verdicts
    groups = {"times": TIMES, "seeds": SEEDS, "departures": DEPARTURES, "effects": EFFECTS}
    found: dict[str, Any] = {}
    for group, designs in groups.items():
        found[group] = {}
        for number, (name, design) in enumerate(designs.items()):
            long = design.init_times > YEAR.init_times or group == "effects"
            replicates = max(2, round(scale * (REPLICATES_HOURLY if long else REPLICATES)))
            found[group][name] = rates(design, replicates, seed=number)
            log.info(f"calibration: {name}: {found[group][name]}")
    return {"calibration": found}


def rates(design: Design, replicates: int, seed: int) -> dict[str, float]:
    """What the comparison says of independent replicates of a design.

    Returns:
        Counts of replicates with a significant test, overall row aside (``any_significant``), with
        a verdict of ``helps`` or ``hurts`` (``any_verdict``), the same for the overall row, and
        without verdict because the test is short; means over replicates: the share of tests called
        ``helps`` or ``hurts`` and of tests whose interval holds the truth, with its standard error.
    """
    rows = pd.DataFrame(list(_replicates(design, replicates, seed)))
    counts = ["any_significant", "any_verdict", "any_dm", "overall_significant", "overall_verdict"]
    means = ["verdicts", "covered"]
    return {
        "replicates": replicates,
        **{name: int(rows[name].sum()) for name in [*counts, "overall_covered", "refused"]},
        **{name: round(float(rows[name].mean()), 4) for name in [*means, "blocks"]},
        "covered_se": round(float(rows["covered"].sem()), 4),
    }


def _replicates(design: Design, replicates: int, seed: int) -> Iterator[dict[str, Any]]:
    for stream in np.random.SeedSequence(seed).spawn(replicates):
        rng = np.random.default_rng(stream)
        table = compare(
            *simulate(design, rng),
            margin=MARGIN,
            significance=SIGNIFICANCE,
            rng=rng,
            resamples=RESAMPLES,
        )
        refused = table["limit"].ne("")
        significant = table["p_adjusted"].lt(SIGNIFICANCE) & ~refused
        judged = table["verdict"].isin(["helps", "hurts"])
        covered = table["ci_low"].le(design.change) & table["ci_high"].ge(design.change)
        cross_check = holm(table["dm_p_value"].fillna(1.0).to_numpy()[1:])
        yield {
            "any_significant": significant[1:].any(),
            "any_verdict": judged[1:].any(),
            "any_dm": (cross_check < SIGNIFICANCE).any(),
            "overall_significant": significant[0],
            "overall_verdict": judged[0],
            "overall_covered": covered[0],
            "refused": refused.any(),
            "verdicts": judged[1:].mean(),
            "covered": covered[1:].mean(),
            "blocks": design.init_times / table["block_length"].iloc[0],
        }


def tables(found: dict[str, Any]) -> str:
    """The counts as tables of rates."""
    null = (
        "| {} | replicates | no verdict | significant | helps or hurts | overall row"
        " | interval holds | overall interval holds | Diebold-Mariano |\n" + "|---" * 9 + "|"
    )
    power = (
        "| {} | replicates | helps, of 24 | at least one | overall row helps | interval holds"
        " | overall interval holds |\n" + "|---" * 7 + "|"
    )
    titles = {
        "times": "test period (3 seeds, RMSE spread by 2 % between them)",
        "seeds": "trainings (a year every 6 h, correlation 0.9)",
        "departures": "departure (a year every 6 h, correlation 0.9, 3 seeds, spread 2 %)",
        "effects": "true change (a year every 6 h, correlation 0.9, spread 2 %)",
    }
    parts = []
    for group, title in titles.items():
        head, row = (power, _power_row) if group == "effects" else (null, _null_row)
        lines = [row(name, counts) for name, counts in found[group].items()]
        parts.append("\n".join([head.format(title), *lines]))
    return "\n\n".join(parts)


def _null_row(name: str, counts: dict[str, Any]) -> str:
    cells = [
        name,
        str(counts["replicates"]),
        _rate(counts, "refused"),
        *(_rate(counts, key) for key in ("any_significant", "any_verdict", "overall_significant")),
        _coverage(counts),
        _rate(counts, "overall_covered"),
        _rate(counts, "any_dm"),
    ]
    return f"| {' | '.join(cells)} |"


def _power_row(name: str, counts: dict[str, Any]) -> str:
    cells = [
        name,
        str(counts["replicates"]),
        f"{100 * counts['verdicts']:.0f} %",
        _rate(counts, "any_verdict"),
        _rate(counts, "overall_verdict"),
        _coverage(counts),
        _rate(counts, "overall_covered"),
    ]
    return f"| {' | '.join(cells)} |"


def _rate(counts: dict[str, Any], key: str) -> str:
    """Percent of replicates, with the exact 95 % interval."""
    number, of = counts[key], counts["replicates"]
    interval = binomtest(number, of).proportion_ci()
    return f"{100 * number / of:.1f} ({100 * interval.low:.1f}\u2013{100 * interval.high:.1f})"


def _coverage(counts: dict[str, Any]) -> str:
    return f"{100 * counts['covered']:.1f} \u00b1 {100 * 1.96 * counts['covered_se']:.1f}"


if __name__ == "__main__":
    written = tables(recorded("calibration"))
    document("calibration", written)
    IN_THE_PACKAGE.write_text(f"{written}\n", encoding="utf-8")
