"""Rows of tables whose trainings were made by different commits of the code."""

from __future__ import annotations

from airshed.report.results import Results

MARK = "\u2020"
NOTE = (
    f" {MARK}: trained by another commit than its reference, by several, or with changes that are"
    " in no commit, so that the code may be part of the difference."
)


def marked(results: Results, variant: str) -> str:
    """The variant's name, with a mark where its trainings or its reference's differ in the code."""
    return f"{variant}\u00a0{MARK}" if _mixed(results, variant) else variant


def note(results: Results) -> str:
    """What the mark means; empty if no row has it."""
    return NOTE if any(_mixed(results, variant) for variant in results.study.variants) else ""


def _mixed(results: Results, variant: str) -> bool:
    compared = (variant, results.study.references().get(variant, variant))
    own = results.of_variant(variant)
    runs = [run for name in compared for run in results.of_variant(name)]
    different = len({run["commit"] for run in runs}) > 1
    return different or any(run["dirty"] or run["earlier_commits"] for run in own)
