"""Runs, variants or studies beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from airshed.comparison.compare import Compared
from airshed.comparison.study import compare_as, sample_differences
from airshed.comparison.table import ALL
from airshed.comparison.verdict import in_words
from airshed.config.evaluation import ComparisonConfig
from airshed.errors import AirshedError
from airshed.report import learned
from airshed.report.tables import MISSING, Table, change_table
from airshed.report.text import interval, percent
from airshed.side_by_side.document import Document, Section
from airshed.side_by_side.runs import Trained, trained_in

TASK = ("dataset.", "splits.test.", "horizons_h")  # settings that define what is forecast
PATHS = ("path", "_file")  # these may differ
Pair = tuple[Trained, Trained]


def compare_runs(a: Path, b: Path, reference: str | None, variant: str | None) -> Document:
    """Compare what was trained in one folder with what was trained in another.

    Args:
        a: Folder of a run, a variant or a study: the reference.
        b: The same for what is compared with it.
        reference: Variant of ``a`` that is meant; None if it has one only, or for all in common.
        variant: Variant of ``b`` that is meant.

    Raises:
        AirshedError: A folder holds nothing finished, both hold nothing in common, or they do not
            forecast the same; everything that differs is listed.
    """
    pairs = _pairs(a, b, reference, variant)
    for pair in pairs:
        _check_same_task(*pair)
    scored = [pair for pair in pairs if pair[0].scored and pair[1].scored]
    tables = [_compare(*pair) for pair in scored]
    return Document(
        title=f"{_title(b, variant)} against {_title(a, reference)}",
        simulated=any(
            record["data_source"] == "simulated" for pair in pairs for record in pair[1].records
        ),
        answers=[_answer(table) for table in tables] or ["No scores to compare on both sides yet."],
        sections=[
            *_change_sections(tables),
            Section("Settings that differ", "Nothing else differs.", _differences(pairs)),
            Section("Training and cost", COST_CAPTION, _cost(pairs)),
        ],
        limits=[*dict.fromkeys(limit for pair in pairs for limit in _limits(*pair))],
        drawings=[],
        data={"comparisons": pd.concat(tables, ignore_index=True)} if tables else {},
    )


COST_CAPTION = (
    "Validation loss: the lowest of each seed. Seconds per step: wall clock, median and 10th to"
    " 90th percentile, mean of the seeds; the overhead is from it, so other work on the machines is"
    " in it. Memory: the largest of the seeds."
)


def _pairs(a: Path, b: Path, reference: str | None, variant: str | None) -> list[Pair]:
    """Which variants of the two folders are compared with each other."""
    if a.resolve() == b.resolve() and reference == variant:
        raise AirshedError(
            "both are one and the same folder",
            where=a,
            hint="compare two variants of a study with --reference and --variant",
        )
    ones, others = trained_in(a), trained_in(b)
    if reference or variant or len(ones) == len(others) == 1:
        return [(_chosen(a, ones, reference), _chosen(b, others, variant))]
    common = [name for name in ones if name in others]
    if not common:
        raise AirshedError(
            "the two have no variant in common",
            where=f"{a} and {b}",
            found=f"{', '.join(ones)}; and {', '.join(others)}",
            hint="choose one of each with --reference and --variant",
        )
    return [(ones[name], others[name]) for name in common]


def _chosen(path: Path, found: dict[str, Trained], name: str | None) -> Trained:
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name not in found:
        raise AirshedError(
            "which variant is meant is not clear"
            if name is None
            else f"there is no finished run of '{name}'",
            where=path,
            expected=f"one of {', '.join(found)}",
            hint="--reference names the variant of A, --variant that of B",
        )
    return found[name]


def _check_same_task(one: Trained, other: Trained) -> None:
    problems = [
        f"{key}: {mine} and {theirs}"
        for key, mine, theirs in _differing(one, other)
        if key.startswith(TASK) and not key.endswith(PATHS)
    ]
    if not problems and one.scored and other.scored:
        problems = sample_differences(one.scores[0], other.scores[0])
    if problems:
        raise AirshedError(
            "these runs do not forecast the same, so their errors do not compare",
            where=f"{one.folders[0]} and {other.folders[0]}",
            found="; ".join(problems),
            hint="evaluate both on the same data, grid, test split and horizons",
        )


def _compare(one: Trained, other: Trained) -> pd.DataFrame:
    settings = ComparisonConfig.model_validate(other.config["comparison"])
    if len(one.records) == len(other.records) == 1:
        settings = settings.model_copy(update={"accept_single_seed": True})
    step_h = int(other.config["splits"]["test"]["init_every_h"])
    names = _names(other, one)
    models = {
        "variant": other.squared_errors(names[0]),
        "reference": one.squared_errors(names[1]),
    }
    return compare_as(settings, step_h, models, [Compared("variant", "reference")])


def _names(one: Trained, other: Trained) -> list[str]:
    """What tells the two apart: their variants, else their studies, else their seeds."""
    if one.name != other.name:
        return [one.name, other.name]
    if one.study != other.study:
        return [f"{side.study}/{side.name}" for side in (one, other)]
    return [one.label, other.label]


def _answer(table: pd.DataFrame) -> str:
    row = table[table["pollutant"] == ALL].iloc[0]
    return (
        f"{row['variant']} changes RMSE by {interval(row)} against {row['reference']},"
        f" over all pollutants and horizons: "
        f"{in_words(row)}."
    )


def _change_sections(tables: list[pd.DataFrame]) -> list[Section]:
    return [
        Section(
            f"Change of RMSE: {table['variant'].iloc[0]} against {table['reference'].iloc[0]}",
            "With 95\u00a0% intervals; negative is better. Verdicts after Holm's adjustment;"
            " * by at least the margin.",
            change_table(table),
        )
        for table in tables
    ]


def _differing(one: Trained, other: Trained) -> list[tuple[str, Any, Any]]:
    mine, theirs = one.settings(), other.settings()
    return [
        (key, mine.get(key, MISSING), theirs.get(key, MISSING))
        for key in dict.fromkeys((*mine, *theirs))
        if not _equal(mine.get(key, MISSING), theirs.get(key, MISSING))
    ]


def _equal(one: Any, other: Any) -> bool:
    both_missing = one is None or other is None
    return one is other if both_missing else bool(one == other)


def _differences(pairs: list[Pair]) -> Table:
    rows = [
        [one.name if one.name == other.name else f"{other.name} / {one.name}", key, *map(str, both)]
        for one, other in pairs
        for key, *both in _differing(one, other)
    ]
    return Table(["variant", "setting", "A", "B"], rows or [["all", "none", "", ""]])


def _cost(pairs: list[Pair]) -> Table:
    records = [record for pair in pairs for side in pair for record in side.records]
    names = [name for record in records for _, name, _ in learned.finals(record)]
    header = [
        *("", "trained", "validation loss", "epochs", "s per step", "overhead", "MB"),
        *("parameters", learned.heading(names), "device", "commit"),
    ]
    rows = []
    for one, other in pairs:
        extra = _step_seconds(other)[0] / _step_seconds(one)[0] - 1
        rows.append(["A", *_cost_row(one, MISSING)])
        rows.append(["B", *_cost_row(other, percent(extra))])
    return Table(header, rows)


def _cost_row(side: Trained, overhead: str) -> list[str]:
    records = side.records
    median, p10, p90 = _step_seconds(side)
    numbers = [
        learned.named(name, f"{value:.3f}")
        for record in records
        for _, name, value in learned.finals(record)
    ]
    return [
        side.label,
        ", ".join(f"{record['best_val_loss']:.4f}" for record in records),
        ", ".join(dict.fromkeys(str(len(record["val_loss"])) for record in records)),
        f"{median:.3g} ({p10:.3g} to {p90:.3g})",
        overhead,
        f"{max(record['peak_memory_mb'] for record in records):.0f}",
        f"{records[0]['parameters']:,}",
        ", ".join(numbers) or MISSING,
        ", ".join(dict.fromkeys(str(record["device"]) for record in records)),
        ", ".join(dict.fromkeys(_commit(record) for record in records)),
    ]


def _step_seconds(side: Trained) -> tuple[float, float, float]:
    keys = ("median", "p10", "p90")
    mean = [
        float(np.mean([record["seconds_per_step"][key] for record in side.records])) for key in keys
    ]
    return mean[0], mean[1], mean[2]


def _commit(record: dict[str, Any]) -> str:
    changed = " with changes" if record["dirty"] else ""
    return f"{(record['commit'] or 'unknown')[:10]}{changed}"


def _limits(one: Trained, other: Trained) -> list[str]:
    found = []
    if len(one.records) == len(other.records) == 1:
        found.append(
            "One seed each: a verdict holds for these two trained networks, not for their kinds."
        )
    for side in (one, other):
        if not side.scored:
            missing = [str(path) for path in side.folders if not (path / "scores.nc").is_file()]
            found.append(
                f"{side.label} has no scores in {', '.join(missing)}: snakemake makes them, or"
                " airshed evaluate."
            )
        if side.unfinished:
            seeds = ", ".join(folder.name for folder in side.unfinished)
            found.append(f"Of {side.study}/{side.name}, {seeds} is not finished and left out.")
    commits = {_commit(record) for side in (one, other) for record in side.records}
    if len(commits) > 1:
        found.append(
            "The runs were made by different commits of the code: what changed between them may be"
            " part of the difference."
        )
    if len({record["device"] for side in (one, other) for record in side.records}) > 1:
        found.append("The runs were made on different devices: times per step do not compare.")
    if any(key.startswith("splits.train") for key, *_ in _differing(one, other)):
        found.append("They were trained on other hours, which is part of the difference.")
    return found


def _title(path: Path, variant: str | None) -> str:
    return f"{path}" if variant is None else f"{path} ({variant})"
