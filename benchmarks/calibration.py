"""How often verdicts err: the comparison applied to simulated errors, of which the truth is known.

``run.py --parts calibration studies`` simulates and keeps the counts in results/benchmarks.json;
this file, run by itself, writes them into docs/statistics.md and into the package, for studies'
reports. Here the whole way from errors by init time to verdicts is simulated, on hundreds of
studies; ``studies.py`` simulates ten thousand from their summaries.
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
from studies import EFFECTS

from airshed.comparison.compare import Compared, compare_all
from airshed.comparison.inference import holm
from airshed.comparison.verdict import Limit

log = logging.getLogger(__name__)
RESAMPLES = 1000
SIGNIFICANCE = 0.05
REPLICATES, REPLICATES_HOURLY = 80, 20
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
    "pollutants and horizons correlated by 0.64": replace(YEAR, cell_correlation=0.64),
    "the variant's seeds spread twice as far": replace(YEAR, seed_sd_ratio=2.0),
    "weather with a heavy tail": replace(YEAR, weather_sd=1.5, structure_sd=0.4),
    "a daily cycle between the models, hourly for 60 days": replace(
        YEAR, init_times=1440, step_h=1, daily=0.2
    ),
    "a tenth of the init times missing": replace(YEAR, missing=0.1),
}
DAYS = {
    f"every 2 h, correlation {correlation}, {seeds} seeds": Design(
        init_times=240, step_h=2, correlation=correlation, seeds=seeds, structure_sd=0.0
    )
    for correlation in (0.9, 0.98)
    for seeds in (2, 3, 5)
}
STUDY = Design(
    init_times=880, step_h=6, cell_correlation=0.64, seed_sd=0.012, structure_sd=0.05, variants=6
)
WHOLE = {
    f"6 variants, {seeds} seeds, correlated {correlation}": replace(
        STUDY, seeds=seeds, seed_correlation=correlation
    )
    for seeds, correlation in ((2, 0.5), (3, 0.0), (3, 0.85), (5, 0.5))
} | {"6 variants, 3 seeds, one spreads 3 times as far": replace(STUDY, seed_sd_ratio=3.0)}
GROUPS = {
    "times": ("test period (3 seeds, RMSE spread by 2 % between them)", TIMES),
    "seeds": ("trainings (a year every 6 h, correlation 0.9)", SEEDS),
    "departures": (
        "departure (a year every 6 h, correlation 0.9, 3 seeds, spread 2 %)",
        DEPARTURES,
    ),
    "days": ("these days only (20 days, the same model twice, spread 2 %)", DAYS),
    "whole": ("whole studies (880 init times every 6 h, spread 1.2 %)", WHOLE),
}


def calibration(scale: float) -> dict[str, Any]:
    """Counts of differences that are claimed and of intervals that hold the truth, by design."""
    logging.getLogger("airshed").setLevel(logging.ERROR)  # thousands of limited verdicts
    found: dict[str, Any] = {}
    for group, (_, designs) in GROUPS.items():
        found[group] = {}
        for number, (name, design) in enumerate(designs.items()):
            long = design.init_times > YEAR.init_times
            replicates = max(2, round(scale * (REPLICATES_HOURLY if long else REPLICATES)))
            counts = rates(design, replicates, seed=number, these_days=group == "days")
            found[group][name] = counts
            log.info(f"calibration: {name}: {counts}")
    return {"calibration": found}


def rates(design: Design, replicates: int, seed: int, these_days: bool = False) -> dict[str, float]:
    """What the comparison says of independent replicates of a design.

    Args:
        design: Without a true change, or with one of the first variant.
        replicates: How many studies.
        seed: Of the random numbers.
        these_days: Whether verdicts for these days only count; they are errors only where the
            models have the same structure, so that there is nothing to find in any days.

    Returns:
        Counts of replicates in which some pollutant and horizon of the first variant is called
        different (``any_significant``), or some overall row, and of verdicts for these days only;
        means over replicates: the share of tests called different and of tests whose interval
        holds the truth, with its standard error.
    """
    rows = pd.DataFrame(list(_replicates(design, replicates, seed, these_days)))
    counts = ["any_significant", "any_dm", "overall_significant", "overall_covered", "days_only"]
    means = ["verdicts", "covered", "blocks"]
    return {
        "replicates": replicates,
        **{name: int(rows[name].sum()) for name in counts},
        **{name: round(float(rows[name].mean()), 4) for name in means},
        "covered_se": round(float(rows["covered"].sem()), 4),
    }


def _replicates(
    design: Design, replicates: int, seed: int, these_days: bool
) -> Iterator[dict[str, Any]]:
    for stream in np.random.SeedSequence(seed).spawn(replicates):
        rng = np.random.default_rng(stream)
        models = {str(model.name): model for model in simulate(design, rng)}
        *variants, reference = models
        pairs = [Compared(variant, reference) for variant in variants]
        settings = {"significance": SIGNIFICANCE, "rng": rng, "resamples": RESAMPLES}
        table = compare_all(models, pairs, **settings)
        limited = table["limit"].eq(Limit.these_days)
        different = table["p_adjusted"].lt(SIGNIFICANCE) & (these_days | ~limited)
        overall = table["pollutant"].eq("all")
        first = table["variant"].eq(variants[0]) & ~overall
        covered = table["ci_low"].le(design.change) & table["ci_high"].ge(design.change)
        cross_check = holm(table["dm_p_value"][first].fillna(1.0).to_numpy())
        yield {
            "any_significant": different[first].any(),
            "any_dm": (cross_check < SIGNIFICANCE).any(),
            "overall_significant": different[overall].any(),
            "overall_covered": covered.iloc[0],
            "days_only": limited.any(),
            "verdicts": different[first].mean(),
            "covered": covered[first].mean(),
            "blocks": design.init_times / table["block_length"].iloc[0],
        }


def tables(found: dict[str, Any]) -> str:
    """The counts as tables of rates."""
    head = (
        "| {} | replicates | these days only | a difference | overall difference | interval holds"
        " | overall interval holds | Diebold-Mariano |\n" + "|---" * 8 + "|"
    )
    return "\n\n".join(
        "\n".join([head.format(title), *(_row(*item) for item in found[group].items())])
        for group, (title, _) in GROUPS.items()
    )


def _row(name: str, counts: dict[str, Any]) -> str:
    cells = [
        name,
        str(counts["replicates"]),
        *(_rate(counts, key) for key in ("days_only", "any_significant", "overall_significant")),
        _coverage(counts),
        _rate(counts, "overall_covered"),
        _rate(counts, "any_dm"),
    ]
    return f"| {' | '.join(cells)} |"


def _rate(counts: dict[str, Any], key: str) -> str:
    """Percent of replicates, with the exact 95 % interval."""
    number, of = counts[key], counts["replicates"]
    interval = binomtest(number, of).proportion_ci()
    return f"{100 * number / of:.1f} ({100 * interval.low:.1f}\u2013{100 * interval.high:.1f})"


def _coverage(counts: dict[str, Any]) -> str:
    return f"{100 * counts['covered']:.1f} \u00b1 {100 * 1.96 * counts['covered_se']:.1f}"


def studies_tables(found: dict[str, Any]) -> str:
    """The rates of whole studies, simulated from summaries, as tables."""
    kinds = [
        *("overall alone", "last alone", "overall different", "cells different"),
        "last cells different",
        *("overall equivalent", "cells equivalent", "overall beyond", "cells beyond"),
    ]
    head = (
        "| {} | studies | unadjusted, any variant | unadjusted, the last | difference, overall"
        " | difference, cells | of the last | equivalent, overall | equivalent, cells"
        " | beyond, overall | beyond, cells |\n" + "|---" * 11 + "|"
    )
    parts = []
    for group, title in (("null", "design"), ("departures", "departure")):
        lines = [
            _line(name, rates["replicates"], *(_percent(rates[kind]) for kind in kinds))
            for name, rates in found[group].items()
        ]
        parts.append("\n".join([head.format(title), *lines]))
    changes = [f"{100 * change:.0f} %" for change in EFFECTS]
    powers = (
        "| 6 variants, one with a change | studies | "
        + " | ".join(f"{change}: overall, of 24" for change in changes)
        + " | 8 of 10 promised from | found there |\n"
        + "|---" * (4 + len(changes))
        + "|"
    )
    lines = []
    for name, power in found["power"].items():
        *known, there = power["rates"]
        shown = [
            f"{_percent(one['first different'])}, {_percent(one['first cells different'])}"
            for one in known
        ]
        smallest = f"{100 * power['smallest']:.1f} %"
        reached = _percent(there["first different"])
        lines.append(_line(name, power["replicates"], *shown, smallest, reached))
    parts.append("\n".join([powers, *lines]))
    ways = (
        "| 6 variants | way | unadjusted, the last | difference, overall | cells | of the last"
        " | overall change of -2 % found |\n" + "|---" * 7 + "|"
    )
    lines = [
        _line(
            name,
            way,
            *(_percent(rates[kind]) for kind in kinds[1:5]),
            _percent(rates["power"]["first different"]),
        )
        for name in next(iter(found["ways"].values()))
        for way, of_way in found["ways"].items()
        for rates in [of_way[name]]
    ]
    parts.append("\n".join([ways, *lines]))
    looks = "| looks at 2, 3 and 5 seeds | studies | not declared | declared |\n|---|---|---|---|"
    lines = [
        _line(name, one["replicates"], _percent(one["undeclared"]), _percent(one["declared"]))
        for name, one in found["looks"].items()
    ]
    parts.append("\n".join([looks, *lines]))
    return "\n\n".join(parts)


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


if __name__ == "__main__":
    written = tables(recorded("calibration"))
    document("calibration", written)
    document("studies", studies_tables(recorded("studies")))
    IN_THE_PACKAGE.write_text(f"{written}\n", encoding="utf-8")
