"""What a trained bias does, as a table: one row per biased variant, its seeds side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from airshed.report import learned, text
from airshed.report.results import Results
from airshed.report.tables import MISSING, Table

CAPTION = (
    "Alpha: at the end of training, mean \u00b1 standard deviation over seeds, averaged over the"
    " biased blocks. Loss: change of the normalised mean squared error on the test split when alpha"
    " is set to 0, doubled, or the whole bias removed after training; positive: the network needs"
    " it; smallest and largest of the seeds in brackets. Attention moved: share of each query's"
    " attention that lies elsewhere because of the bias."
)


def table(results: Results) -> Table:
    """The table; no rows if no run was interpreted."""
    names = [name for entry in results.interpretations.values() for name, _ in _finals(entry)]
    header = ["variant", "seeds", learned.heading(names)]
    header += ["alpha to 0", "alpha doubled", "no bias", "moved"]
    rows = []
    for variant in results.study.variants:
        found = [
            results.interpretations[variant, seed]
            for seed in results.study.seeds
            if (variant, seed) in results.interpretations
        ]
        if found:
            changes = (_changes(found, key) for key in ("alpha_zero", "alpha_doubled"))
            moved = [entry["moved_attention_share"]["mean"] for entry in found]
            rows.append(
                [
                    variant,
                    str(len(found)),
                    _learned(found),
                    *changes,
                    _changes(found, "bias_removed"),
                    _shares(moved, signed=False),
                ]
            )
    return Table(header, rows)


def how(results: Results) -> str:
    """On how many samples and queries the table rests."""
    if not results.interpretations:
        return ""
    entry = next(iter(results.interpretations.values()))
    samples, queries = entry["samples"], entry["queries"]
    return (
        f"From {samples['used']:,} of {samples['of']:,} test samples, and {queries['used']:,} of"
        f" {queries['of']:,} tokens of each for the attention."
    )


def _learned(found: list[dict[str, Any]]) -> str:
    shown = []
    grouped = learned.by_name(final for entry in found for final in _finals(entry))
    for name, values in grouped.items():
        spread = f" \u00b1 {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
        shown.append(learned.named(name, f"{np.mean(values):.3f}{spread}"))
    return ", ".join(shown) or MISSING


def _finals(entry: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Each number at the end of a training, averaged over blocks."""
    for name, paths in {"alpha": entry["alpha"], **entry.get("other_parameters", {})}.items():
        if paths:
            yield name, float(np.mean([path["final"] for path in paths.values()]))


def _changes(found: list[dict[str, Any]], setting: str) -> str:
    changes = [entry["relative_loss_change"].get(setting) for entry in found]
    known = [change for change in changes if change is not None]
    return _shares(known, signed=True) if known else MISSING


def _shares(values: list[float], signed: bool) -> str:
    mean, low, high = (
        text.percent(float(value), signed)
        for value in (np.mean(values), np.min(values), np.max(values))
    )
    return f"{mean} ({low} to {high})" if len(values) > 1 else mean
