"""Where results come from: how variants differ, and what each training was made with."""

from __future__ import annotations

from collections import Counter
from typing import Any

from airshed.attention_paths import lines
from airshed.report import text
from airshed.report.results import Results
from airshed.report.tables import MISSING, Table

FLAG = "\u26a0"


def differences(results: Results) -> Table:
    """The settings that are not the same in all variants, one column each."""
    settings = {name: text.stanza_settings(results.study, name) for name in results.study.variants}
    keys = list(dict.fromkeys(key for found in settings.values() for key in found))
    telling = [key for key in keys if len({str(found.get(key)) for found in settings.values()}) > 1]
    rows = [
        [name, *(text.shown_setting(found[key]) if key in found else MISSING for key in telling)]
        for name, found in settings.items()
    ]
    return Table(["variant", *telling], rows)


def of_other_commits(results: Results) -> set[str]:
    """Variants of which a training was not made by the commit that made most, or not by one."""
    common = _most_common(results)["other commit"]
    return {
        variant
        for (variant, _), run in results.runs.items()
        if run["commit"] != common or run["earlier_commits"]
    }


def runs(results: Results) -> Table:
    """Where each training was made, with what; the last column flags what stands apart."""
    common = _most_common(results)
    rows = [
        [
            f"{variant}, seed {seed}{_origin(run)}",
            _commit(run),
            f"{run['device']}, {run['threads']} thread{'s' if run['threads'] > 1 else ''}",
            _attention(run),
            f"{run['training_seconds'] / 60:.1f}",
            _versions(run),
            _flags(run, common),
        ]
        for (variant, seed), run in results.runs.items()
    ]
    return Table(
        ["training", "commit", "device", "attention", "minutes", "versions", "stands apart"], rows
    )


def _attention(run: dict[str, Any]) -> str:
    """The paths that were taken and, where they were chosen by measurement, what was found."""
    return "; ".join([", ".join(run["attention_path"]) or "none", *lines(run.get("attention", {}))])


def _origin(run: dict[str, Any]) -> str:
    """Where a training was taken over from."""
    origin = run.get("taken_over")
    return "" if origin is None else f" (trained in study {origin['study']}, {origin['date']})"


def _commit(run: dict[str, Any]) -> str:
    earlier = "".join(f", begun with {sha[:10]}" for sha in run["earlier_commits"])
    return (run["commit"] or "unknown")[:10] + earlier


def _versions(run: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in run["versions"].items())


FLAGGED = {
    "other commit": lambda run: run["commit"],
    "other device": lambda run: run["device"],
    "other versions": _versions,
}
"""What is flagged in a training in which it is not as in most others."""


def _most_common(results: Results) -> dict[str, Any]:
    """What most trainings were made with."""
    return {
        key: Counter(of(run) for run in results.runs.values()).most_common(1)[0][0]
        for key, of in FLAGGED.items()
    }


def _flags(run: dict[str, Any], common: dict[str, Any]) -> str:
    found = [name for name, of in FLAGGED.items() if of(run) != common[name]]
    if run["earlier_commits"]:
        found.append("several commits")
    if run["dirty"]:
        found.append("changes in no commit")
    return f"{FLAG} {', '.join(found)}" if found else MISSING
