"""Tables of all scores of a study and of the comparisons of variants with their references."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from statsmodels.stats.multitest import multipletests

from airshed.atomic import write_text
from airshed.comparison.bootstrap import Changes, Floats, Resampling, paired_changes
from airshed.comparison.table import ALL, COMPARISONS
from airshed.comparison.verdict import verdict
from airshed.config import Study
from airshed.errors import AirshedError
from airshed.evaluation.scores import domain_metrics, metric_units, read_scores

SCORES = ("variant", "seed", "pollutant", "horizon_h", "metric", "value", "units")
FLOAT_FORMAT = "%.10g"

Run = tuple[str, int]
"""Name and seed of a scored variant or baseline; the seed of a baseline is -1."""


def compare(study: Study, files: Sequence[Path], scores: Path, comparisons: Path) -> None:
    """Write ``scores.csv`` and ``comparisons.csv``; the same input gives the same bytes.

    The change is the RMSE of the variant over the RMSE of its reference, minus 1, for each
    pollutant and horizon; this RMSE is the root of the mean over seeds and init times of the mean
    squared error of each init time. Intervals and p-values come from
    :func:`airshed.comparison.bootstrap.paired_changes`; p-values of a variant are adjusted by Holm
    (1979) over its pollutants and horizons. The overall row is the mean of the relative changes
    over pollutants and horizons; it is one test, so its adjusted p-value is the p-value itself.

    Args:
        study: The resolved study.
        files: ``scores.nc`` of every variant and seed of the study, and of baselines.
        scores: The table of scores to write.
        comparisons: The table of comparisons to write.

    Raises:
        AirshedError: A run is missing or not of this study, or two runs were scored on different
            samples, cells, pollutants or horizons.
    """
    runs = _read_runs(study, files)
    write_text(scores, _csv(_score_rows(runs), SCORES))
    rows: list[tuple[object, ...]] = []
    for variant, reference in study.references().items():
        rows += _comparison_rows(study, runs, variant, reference)
    write_text(comparisons, _csv(rows, COMPARISONS))


def _read_runs(study: Study, files: Sequence[Path]) -> dict[Run, xr.Dataset]:
    """All runs in the order of the study, baselines last; every pair is comparable."""
    found: dict[Run, tuple[Path, xr.Dataset]] = {}
    for path in files:
        dataset = _with_domain(read_scores(path))
        run = dataset.attrs["name"], int(dataset.attrs["seed"])
        if run in found:
            raise AirshedError("a run is given twice", where=f"{found[run][0]} and {path}")
        found[run] = path, dataset
        first_path, first = next(iter(found.values()))
        _check_same_samples(first_path, first, path, dataset)
    wanted = [(variant, seed) for variant in study.variants for seed in study.seeds]
    _check_complete(study, found, wanted)
    baselines = sorted(run for run in found if run not in wanted)
    return {run: found[run][1] for run in wanted + baselines}


def _with_domain(scores: xr.Dataset) -> xr.Dataset:
    """Scores with the domain in place of the maps, which are large."""
    domain = scores["map_mse"].notnull().any(["horizon_h", "pollutant"])
    return scores.drop_vars(["map_mse", "map_bias"]).assign(domain=domain)


def _check_same_samples(path: Path, one: xr.Dataset, other_path: Path, other: xr.Dataset) -> None:
    problem = None
    for name in ("dataset", "data_source"):
        if one.attrs[name] != other.attrs[name]:
            problem = f"{name}: {one.attrs[name]} and {other.attrs[name]}"
    for name in ("horizon_h", "pollutant", "init_time", "lat2d", "lon2d", "domain"):
        if not np.array_equal(one[name].values, other[name].values):
            problem = problem or f"different {name}"
    if problem is None:
        pairs = (one["init_mse"].notnull() != other["init_mse"].notnull()).any("pollutant")
        if pairs.any():
            first = pairs.stack(sample=("init_time", "horizon_h"))
            time, horizon = first["sample"].values[int(first.values.argmax())]
            problem = f"only one has the sample at {time} + {horizon} h"
    if problem:
        raise AirshedError(
            "two runs were not scored on the same samples",
            where=f"{path} and {other_path}",
            found=problem,
            hint="evaluate both again with the same study and data",
        )


def _check_complete(
    study: Study, found: dict[Run, tuple[Path, xr.Dataset]], wanted: list[Run]
) -> None:
    for run, (path, dataset) in found.items():
        foreign = dataset.attrs["kind"] == "variant" and run not in wanted
        if foreign or dataset.attrs["study"] != study.study:
            raise AirshedError(
                "a scored run does not belong to the study",
                where=path,
                expected=f"study {study.study}, variants {', '.join(study.variants)},"
                f" seeds {', '.join(map(str, study.seeds))}",
                found=f"study {dataset.attrs['study']}, {run[0]}, seed {run[1]}",
            )
    missing = [f"{name} with seed {seed}" for name, seed in wanted if (name, seed) not in found]
    if missing:
        raise AirshedError(
            "a comparison pairs the seeds of variants: every variant needs every seed",
            where=f"study {study.study}",
            expected=f"scores of {len(wanted)} runs",
            found=f"missing: {', '.join(missing)}",
        )


def _score_rows(runs: dict[Run, xr.Dataset]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for (name, seed), scores in runs.items():
        for pollutant in scores["pollutant"].values:
            at_pollutant = scores.sel(pollutant=pollutant)
            units = str(at_pollutant["units"].item())
            for horizon in scores["horizon_h"].values:
                rows += [
                    (
                        name,
                        "" if seed < 0 else seed,
                        pollutant,
                        horizon,
                        metric,
                        at_pollutant[metric].sel(horizon_h=horizon).item(),
                        metric_units(metric, units),
                    )
                    for metric in domain_metrics(scores)
                ]
    return rows


def _comparison_rows(
    study: Study, runs: dict[Run, xr.Dataset], variant: str, reference: str
) -> list[tuple[object, ...]]:
    settings = study.comparison
    first = runs[variant, study.seeds[0]]
    tests = [
        (pollutant, horizon)
        for pollutant in first["pollutant"].values
        for horizon in first["horizon_h"].values
    ]
    _check_resamples(settings.resamples, len(tests), settings.significance)
    block = math.ceil(settings.block_length_h / study.splits.test.init_every_h)
    changes = paired_changes(
        _squared_errors(study, runs, variant),
        _squared_errors(study, runs, reference),
        Resampling(settings.resamples, block, settings.seed),
    )
    adjusted = multipletests(changes.p_values(), method="holm")[1]
    overall = changes.mean()
    judged = [
        *zip([(ALL, ALL)], _judged(study, overall, overall.p_values()), strict=True),
        *zip(tests, _judged(study, changes, adjusted), strict=True),
    ]
    return [(variant, reference, *test, *values) for test, values in judged]


def _judged(study: Study, changes: Changes, adjusted: Floats) -> list[tuple[object, ...]]:
    """The columns of the table from the change to the verdict, for each test."""
    settings = study.comparison
    low, high = changes.interval()
    columns = zip(changes.observed, low, high, changes.p_values(), adjusted, strict=True)
    return [
        (
            change,
            *(lower, upper, p_value, p_adjusted),
            verdict(change, lower, upper, p_adjusted, settings.margin, settings.significance),
        )
        for change, lower, upper, p_value, p_adjusted in columns
    ]


def _squared_errors(study: Study, runs: dict[Run, xr.Dataset], variant: str) -> Floats:
    """[seed, init_time, pollutant x horizon]."""
    arrays = [
        runs[variant, seed]["init_mse"].transpose("init_time", "pollutant", "horizon_h").values
        for seed in study.seeds
    ]
    stacked = np.stack(arrays)
    return stacked.reshape(*stacked.shape[:2], -1)


def _check_resamples(resamples: int, tests: int, significance: float) -> None:
    """Refuse settings with which no adjusted p-value could ever be significant."""
    smallest = 2 * tests / (1 + resamples)
    if smallest >= significance:
        raise AirshedError(
            "too few resamples for any change to be significant after adjustment",
            where="comparison.resamples",
            expected=f"more than {2 * tests / significance:.0f} for {tests} pollutants x horizons",
            found=resamples,
        )


def _csv(rows: list[tuple[object, ...]], columns: Sequence[str]) -> str:
    table = pd.DataFrame(rows, columns=list(columns))
    return table.to_csv(index=False, float_format=FLOAT_FORMAT, lineterminator="\n")
