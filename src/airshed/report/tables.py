"""Tables of the report: a header and rows of text each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from airshed.comparison.table import ALL
from airshed.comparison.verdict import in_short
from airshed.config import Study
from airshed.evaluation.baselines import BASELINES
from airshed.report import text
from airshed.report.results import Results, label_of, shown_units

MISSING = "\u2013"
TRAININGS_CAPTION = (
    "Lowest validation loss: mean of the seeds, and each. Memory: peak of the trainings."
)

LOST = ("cells_missing", "cells_implausible")

Value = str | float


@dataclass(frozen=True)
class Table:
    """Column names and rows, all text.

    Attributes:
        header: Names of the columns.
        rows: Cells as they are shown.
        values: What each cell is sorted by, empty text where it is missing; None for a table that
            is not sorted.
    """

    header: list[str]
    rows: list[list[str]]
    values: list[list[Value]] | None = None


def trainings(results: Results) -> Table:
    """Losses, time and memory of each variant's trainings."""
    rows = []
    for variant in results.study.variants:
        runs = results.of_variant(variant)
        losses = [run["best_val_loss"] for run in runs]
        each = ", ".join(f"{loss:.4f}" for loss in losses)
        memory_mb = max(run["peak_memory_mb"] for run in runs)
        rows.append([variant, f"{np.mean(losses):.4f} ({each})", f"{memory_mb:.0f}"])
    return Table(["variant", "validation loss", "memory (MB)"], rows)


def beaten(results: Results) -> tuple[Table, str]:
    """Whether trained models are worth comparing: where each beats each baseline; a caption."""
    rmse = results.rmse().set_index(["variant", "pollutant", "horizon_h"])["value"]
    targets, horizons = results.study.targets, sorted(results.study.horizons_h)
    scored = [name for name in BASELINES if name in rmse.index]
    rows = []
    for variant in results.study.variants:
        shown = [variant]
        for baseline in scored:
            won = [
                sum(rmse[variant, name, hour] < rmse[baseline, name, hour] for name in targets)
                for hour in horizons
            ]
            shown.append(f"{', '.join(map(str, won))} of {len(targets)}")
        rows.append(shown)
    caption = (
        "For how many pollutants a variant's RMSE is lower than that of a reference forecast"
        f" without a network, at {text.listed([str(hour) for hour in horizons])} h."
    )
    if (reference := results.study.model.departs_from) != "none":
        caption += (
            f" The networks predict their departure from {reference.replace('_', ' ')}: before they"
            " are trained they are that forecast."
        )
    return Table(["variant", *scored], rows), caption


RMSE_TITLE = (
    "RMSE of every variant, mean of the seeds and their range, and of reference forecasts without a"
    " network"
)
RMSE_CAPTION = "*: below all others by more than the margin, in every seed."


def rmse(results: Results) -> Table:
    """RMSE of every pollutant and horizon with the range of seeds; clear winners have a star."""
    scores = results.scores[results.scores["metric"] == "rmse"]
    of = scores.groupby(["pollutant", "horizon_h", "variant"])["value"]
    spread = of.agg(["mean", "min", "max"])
    scored = set(spread.index.get_level_values("variant"))
    names = [*results.study.variants, *BASELINES]
    names += [name for name in results.study.external if name in scored]
    rows = []
    for pollutant in results.study.targets:
        for horizon in results.study.horizons_h:
            found = pd.DataFrame(spread.xs((pollutant, horizon))).reindex(names)
            winner = _clear_winner(found, results.study.comparison.margin)
            shown = [
                f"{_rmse(row)}{' *' if name == winner else ''}" for name, row in found.iterrows()
            ]
            rows.append([results.with_units(pollutant), f"{horizon} h", *shown])
    return Table(["pollutant", "horizon", *names], rows)


def _clear_winner(found: pd.DataFrame, margin: float) -> str | None:
    """The one whose every seed is below all others by more than the margin, if there is one."""
    known = found.dropna()
    if len(known) < 2:
        return None
    best = str(known["mean"].idxmin())
    others = known.drop(index=best)["min"].min()
    return best if known.loc[best, "max"] < (1 - margin) * others else None


def _rmse(row: pd.Series[Any]) -> str:
    if np.isnan(row["mean"]):
        return "missing"
    ends = f" ({row['min']:.4g} to {row['max']:.4g})" if row["max"] > row["min"] else ""
    return f"{row['mean']:.4g}{ends}"


def samples(results: Results) -> Table:
    """The splits."""
    splits = results.study.splits
    rows = [
        [name, f"{split.start} to {split.end}", f"every {split.init_every_h} h"]
        for name, split in (
            ("training", splits.train),
            ("validation", splits.validation),
            ("test", splits.test),
        )
    ]
    return Table(["split", "days (UTC)", "init times"], rows)


def settings(results: Results) -> Table:
    """What was run on what data."""
    study = results.study
    data, model, train = study.dataset, study.model, study.train
    present, expected = (results.ingest[f"hours_{key}"] for key in ("present", "expected"))
    source = "simulated by Airshed" if results.simulated else data.data_source
    source = "a gridded series" if data.source == "gridded" else source
    step = "hourly" if data.time_step_h == 1 else f"every {data.time_step_h} h"
    rows = [
        ["data", f"{data.name} ({source}), {data.period.start} to {data.period.end}, {step}"],
        ["grid", f"{data.grid.rows} x {data.grid.columns} cells, patches of {model.patch}"],
        ["hours", f"{present:,} of {expected:,} present"],
        ["inputs", f"{len(study.inputs)}: {', '.join(study.inputs)}"],
        ["targets", ", ".join(study.targets)],
        ["seeds", ", ".join(map(str, study.seeds))],
        [
            "networks",
            f"width {model.dim}, {model.depth} blocks, {model.heads} heads, decoder of"
            f" {model.decoder_depth}, dropout {model.dropout}, drop path {model.drop_path}",
        ],
        ["wind scan", f"{model.regions} regions, {model.sectors} sectors"],
        [
            "training",
            f"{train.epochs} epochs, batch {train.global_batch_size}, AdamW, learning"
            f" rate {train.learning_rate:g}, {train.warmup_steps} warm-up steps, {train.precision}",
        ],
        [
            "comparison",
            f"{study.comparison.resamples} resamples in {_block_length(study)}, margin"
            f" {text.percent(study.comparison.margin, signed=False)}",
        ],
    ]
    if results.simulated:
        blocking = text.percent(data.simulator.terrain_blocking, signed=False)
        rows.insert(1, ["simulated terrain", f"blocks up to {blocking} of transport uphill"])
    conversions = results.ingest.get("conversions", {}).items()
    rows[2:2] = [[f"{name} in the files", how] for name, how in conversions]
    return Table(["", ""], rows)


def _block_length(study: Study) -> str:
    length = study.comparison.block_length_h
    return "blocks as long as the errors ask for" if length == "auto" else f"blocks of {length} h"


QUALITY_CAPTION = (
    "What the ingest found on the study grid, over the whole period: values beside those that are"
    " plausible; hours that cannot be used; values that are missing where the first hour has one,"
    " and implausible ones."
)


def quality(results: Results) -> Table:
    """Values and losses of every hourly variable."""
    dataset = results.study.dataset
    found = results.quality.groupby("variable").agg(
        {"min": "min", "mean": "mean", "max": "max"}
        | dict.fromkeys(("hours_missing", "hours_expected", *LOST), "sum")
    )
    rows = []
    for name in dataset.quantities.hourly:
        row: dict[Any, Any] = found.loc[name].to_dict()
        variable = dataset.quantities[name]
        low, high = dataset.quality.bounds(variable)
        rows.append(
            [
                f"{label_of(name, results.dictionary)} ({name})",
                shown_units(variable.units),
                *(_amount(row[key]) for key in ("min", "mean", "max")),
                f"{low:g} to {high:g}".replace("-", "\u2212"),
                f"{int(row['hours_missing']):,} of {int(row['hours_expected']):,}",
                *(f"{int(row[key]):,}" for key in LOST),
            ]
        )
    return Table(
        [
            *("variable", "unit", "smallest", "mean", "largest", "plausible"),
            *("hours lost", "values missing", "implausible"),
        ],
        rows,
    )


def _amount(value: float) -> str:
    shown = f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return shown.replace("-", "\u2212")


def gaps(results: Results) -> Table:
    """Hours that are missing."""
    rows = [
        [gap["start"], gap["end"], str(gap["hours"]), str(gap["reason"])]
        for gap in results.ingest["gaps"]
    ]
    return Table(["from", "to", "hours", "reason"], rows)


def warnings(results: Results) -> list[str]:
    """What a reader must know before comparing these runs."""
    records = pd.DataFrame(results.runs.values())
    found = []
    if records["commit"].nunique(dropna=False) > 1 or records["earlier_commits"].map(len).any():
        found.append("The runs were made by different commits of the code.")
    if records["dirty"].eq(True).any():
        found.append("Some runs were made with changes that are in no commit.")
    if records["device"].nunique() > 1:
        found.append("The runs were made on different devices: times per step do not compare.")
    return found


def change_table(comparisons: pd.DataFrame) -> Table:
    """The comparisons of one variant with its reference."""
    cells = comparisons[comparisons["pollutant"] != ALL]
    horizons = list(dict.fromkeys(cells["horizon_h"].astype(int)))
    placed = {(str(row["pollutant"]), int(row["horizon_h"])): row for _, row in cells.iterrows()}
    rows = [
        [
            label_of(pollutant),
            *(_cell(placed.get((pollutant, horizon))) for horizon in horizons),
        ]
        for pollutant in dict.fromkeys(cells["pollutant"].astype(str))
    ]
    return Table(["pollutant", *(f"{horizon} h" for horizon in horizons)], rows)


def _cell(row: Any) -> str:
    return "missing" if row is None else f"{text.interval(row)}, {in_short(row)}"
