"""What the masks' verdicts say in two simulated worlds, of which one lets terrain block transport.

Run after the studies ``recovery`` and ``recovery_flat`` (``make recovery``); writes their overall
rows and counts of verdicts into docs/statistics.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from document import document

from airshed.comparison.table import ALL
from airshed.comparison.verdict import Verdict
from airshed.config import Study, load_study

RESULTS = Path("results")
STUDIES = ("recovery", "recovery_flat")
HEAD = (
    "| terrain blocks | variant | against | change of RMSE (95 % interval) | p | verdict |"
    " tests that help, hurt, are small, equivalent, inconclusive |\n" + "|---" * 7 + "|"
)


def rows(study: Study, comparisons: pd.DataFrame) -> list[str]:
    """One row of the table for each variant of a world."""
    blocking = study.dataset.simulator.terrain_blocking
    made = []
    for variant, found in comparisons.groupby("variant", sort=False):
        overall = found[found["pollutant"] == ALL].iloc[0]
        counts = found.loc[found["pollutant"] != ALL, "verdict"].value_counts()
        change, low, high = (
            f"{100 * overall[name]:+.2f}" for name in ("relative_rmse_change", "ci_low", "ci_high")
        )
        limit = f" ({overall['limit']})" if isinstance(overall["limit"], str) else ""
        cells = [
            f"{100 * blocking:.0f} %",
            str(variant),
            str(overall["reference"]),
            f"{change} % ({low} to {high})",
            f"{overall['p_value']:.2g}",
            f"{overall['verdict']}{limit}",
            ", ".join(str(counts.get(verdict.value, 0)) for verdict in Verdict),
        ]
        made.append(f"| {' | '.join(cells)} |")
    return made


def provenance(study: Study, comparisons: pd.DataFrame, runs: list[dict[str, Any]]) -> str:
    """What was run: seeds, samples, commit."""
    commits = sorted({str(run["commit"])[:12] for run in runs})
    first = comparisons.iloc[0]
    return (
        f"- `{study.study}`: {len(study.seeds)} seeds, {first['init_times']} init times every"
        f" {study.splits.test.init_every_h} h, {runs[0]['parameters']:,} parameters,"
        f" {runs[0]['optimizer_steps']:,} steps, on {runs[0]['device']}, commit"
        f" {', '.join(commits)}."
    )


def section(results: Path) -> str:
    """The table of both worlds, and what was run."""
    table, notes = [HEAD], []
    for name in STUDIES:
        folder = results / name
        study = load_study([folder / "config.resolved.yaml"])
        comparisons = pd.read_csv(folder / "comparisons.csv")
        files = sorted(folder.glob("variants/*/seed*/run.json"))
        runs = [json.loads(path.read_text(encoding="utf-8")) for path in files]
        table += rows(study, comparisons)
        notes.append(provenance(study, comparisons, runs))
    return "\n".join([*table, "", *notes])


if __name__ == "__main__":
    document("recovery", section(RESULTS))
