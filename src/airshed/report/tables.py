"""Tables of the report: a header and rows of text each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from airshed.config import Study
from airshed.report import text
from airshed.report.results import BASELINES, POLLUTANT_LABELS, Results, units_of
from airshed.variables import TARGETS

MISSING = "\u2013"
ABLATION_CAPTION = (
    "Change of RMSE with its 95\u00a0% interval, over all pollutants and horizons. Validation loss:"
    " mean of the seeds, and each. Seconds per step: wall clock of the trainings, median, and 10th"
    " to 90th percentile. MB: peak memory of the trainings. Alpha: at the end, for each seed."
)
OVERHEAD_MEASURED = (
    " Overhead against the reference: steps that took turns in one process, median of the ratios"
    " round by round, and quartiles."
)
OVERHEAD_WALL_CLOCK = (
    " Overhead against the reference: from the wall clock of different jobs, so other work on the"
    " machine is in it."
)


@dataclass(frozen=True)
class Table:
    """Column names and rows, all text."""

    header: list[str]
    rows: list[list[str]]


def ablation_caption(results: Results) -> str:
    """What the columns are, and where the overhead comes from."""
    source = OVERHEAD_WALL_CLOCK if results.cost is None else OVERHEAD_MEASURED
    return ABLATION_CAPTION + source


def ablation(results: Results) -> Table:
    """One row per variant: what it is, what it gave, what it cost."""
    header = [
        "variant",
        "differs from its reference in",
        "change of RMSE",
        "verdict",
        "validation loss",
        "s per step",
        "overhead",
        "MB",
        "parameters",
        "alpha",
    ]
    return Table(header, [_ablation_row(results, variant) for variant in results.study.variants])


def _ablation_row(results: Results, variant: str) -> list[str]:
    runs = results.of_variant(variant)
    compared = variant in results.study.references()
    change, verdict = "reference", MISSING
    if compared:
        row = results.overall(variant)
        change = (
            f"{text.percent(row['relative_rmse_change'])}"
            f" ({text.percent(row['ci_low'])} to {text.percent(row['ci_high'])})"
        )
        verdict = str(row["verdict"])
    losses = [run["best_val_loss"] for run in runs]
    return [
        variant,
        text.differences(results, variant),
        change,
        verdict,
        f"{np.mean(losses):.4f} ({', '.join(f'{loss:.4f}' for loss in losses)})",
        _step_time(runs),
        _overhead(results, variant),
        f"{max(run['peak_memory_mb'] for run in runs):.0f}",
        f"{runs[0]['parameters']:,}",
        _final_alphas(runs),
    ]


def _overhead(results: Results, variant: str) -> str:
    overhead = results.overhead(variant)
    if overhead is None:
        return MISSING
    if results.cost is None:
        return text.percent(overhead)
    found = results.cost["variants"][variant]["overhead"]
    return (
        f"{text.percent(overhead)} ({text.percent(found['p25'])} to {text.percent(found['p75'])})"
    )


def _step_time(runs: list[dict[str, Any]]) -> str:
    median, p10, p90 = (
        float(np.mean([run["seconds_per_step"][key] for run in runs]))
        for key in ("median", "p10", "p90")
    )
    return f"{median:.3g} ({p10:.3g} to {p90:.3g})"


def _final_alphas(runs: list[dict[str, Any]]) -> str:
    values = [
        f"{value:.3f}"
        for run in runs
        for name, value in run["bias"]["parameters"].items()
        if name.endswith("alpha")
    ]
    return ", ".join(values) or MISSING


def rmse(results: Results) -> Table:
    """RMSE (mean of seeds) of every pollutant and horizon; the lowest is marked by a star."""
    values = results.rmse().set_index(["pollutant", "horizon_h", "variant"])["value"]
    scored = set(values.index.get_level_values("variant"))
    names = [*results.study.variants, *BASELINES]
    names += [name for name in results.study.external if name in scored]
    rows = []
    for pollutant in TARGETS:
        for horizon in results.study.horizons_h:
            found = {name: values.get((pollutant, horizon, name), np.nan) for name in names}
            best = min((value for value in found.values() if np.isfinite(value)), default=np.nan)
            shown = [_rmse(value, best) for value in found.values()]
            label = f"{POLLUTANT_LABELS[pollutant]} ({units_of(pollutant)})"
            rows.append([label, f"{horizon} h", *shown])
    return Table(["pollutant", "horizon", *names], rows)


def _rmse(value: float, best: float) -> str:
    return "missing" if np.isnan(value) else f"{value:.4g}{' *' if value == best else ''}"


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
    rows = [
        ["data", f"{data.name} ({source}), {data.period.start} to {data.period.end}, hourly"],
        ["grid", f"{data.grid.rows} x {data.grid.columns} cells, patches of {model.patch}"],
        ["hours", f"{present:,} of {expected:,} present"],
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
    return Table(["", ""], rows)


def _block_length(study: Study) -> str:
    length = study.comparison.block_length_h
    return "blocks as long as the errors ask for" if length == "auto" else f"blocks of {length} h"


def gaps(results: Results) -> Table:
    """Hours that are missing."""
    rows = [
        [gap["start"], gap["end"], str(gap["hours"]), str(gap["reason"])]
        for gap in results.ingest["gaps"]
    ]
    return Table(["from", "to", "hours", "reason"], rows)


def runs(results: Results) -> Table:
    """Where each run was made, with what."""
    rows = [
        [
            f"{variant}, seed {seed}",
            (run["commit"] or "unknown")[:10] + (" with changes" if run["dirty"] else ""),
            f"{run['device']}, {run['threads']} thread{'s' if run['threads'] > 1 else ''}",
            ", ".join(run["attention_path"]) or "none",
            f"{run['training_seconds'] / 60:.1f}",
            f"Python {run['versions']['python']}, torch {run['versions']['torch']}",
        ]
        for (variant, seed), run in results.runs.items()
    ]
    return Table(["run", "commit", "device", "attention", "minutes", "versions"], rows)


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
