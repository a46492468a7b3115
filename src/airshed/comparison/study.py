"""Tables of a study: all scores, and the comparisons of variants with their references."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from airshed.comparison.by_score import COLUMNS as BY_SCORE
from airshed.comparison.by_score import compare_scores
from airshed.comparison.compare import Compared, compare_all
from airshed.comparison.other_scores import score_sums
from airshed.comparison.table import COLUMNS
from airshed.config import Study
from airshed.config.evaluation import ComparisonConfig
from airshed.errors import AirshedError
from airshed.evaluation.rescoring import init_mse
from airshed.evaluation.scores import domain_metrics, metric_units, opened_scores
from airshed.evaluation.tables import write_table

SCORES = ("variant", "seed", "pollutant", "horizon_h", "metric", "value", "units")

Run = tuple[str, int]
"""Name and seed of a scored variant or baseline; the seed of a baseline is -1."""


class Tables(NamedTuple):
    """The tables of a study's comparison, to be written.

    Attributes:
        scores: ``scores.csv``: every score of every run.
        comparisons: ``comparisons.csv``: the RMSE of every variant against its reference
            (:func:`airshed.comparison.compare.compare_all`).
        by_score: ``comparisons_by_score.csv``: the other scores
            (:func:`airshed.comparison.by_score.compare_scores`).
    """

    scores: Path
    comparisons: Path
    by_score: Path

    @classmethod
    def within(cls, folder: Path) -> Tables:
        """Under their own names."""
        names = "scores.csv", "comparisons.csv", "comparisons_by_score.csv"
        return cls(*(folder / name for name in names))


def write_comparisons(study: Study, files: Sequence[Path], tables: Tables) -> None:
    """Write the tables of a study's comparison; the same input gives the same bytes.

    Raises:
        AirshedError: A run is missing or not of this study, or two runs were scored on different
            samples, cells, pollutants or horizons.
    """
    runs = _read_runs(study, files)
    _check_complete(study, runs)
    _write(study, runs, tables)


def write_available_comparisons(study: Study, files: Sequence[Path], tables: Tables) -> None:
    """As :func:`write_comparisons`, from those seeds that are there; each variant has one at least.

    Raises:
        AirshedError: A run is not of this study, or two runs were scored on different samples.
    """
    _write(study, _read_runs(study, files), tables)


def _write(study: Study, runs: dict[Run, xr.Dataset], tables: Tables) -> None:
    write_table(pd.DataFrame(_score_rows(runs), columns=list(SCORES)), tables.scores)
    pairs = [
        Compared(
            variant,
            reference,
            str(study.variant_stanzas[variant].family),
            study.start_of(variant) == study.start_of(reference),
        )
        for variant, reference in study.references().items()
    ]
    table, by_score = (pd.DataFrame(columns=list(names)) for names in (COLUMNS, BY_SCORE))
    if pairs:
        settings, step_h = study.comparison, study.splits.test.init_every_h
        table = compare_as(settings, step_h, _of_variants(study, runs, "init_mse"), pairs)
        by_score = compare_scores(
            _of_variants(study, runs, "score_sums"),
            table,
            settings.significance / max(1, len(settings.looks)),
            settings.resamples,
            settings.seed,
        )
    write_table(table, tables.comparisons)
    write_table(by_score, tables.by_score)


def _of_variants(study: Study, runs: dict[Run, xr.Dataset], part: str) -> dict[str, xr.DataArray]:
    """What the comparison needs of all seeds of each variant that are there."""
    found = {}
    for variant in study.variants:
        of_seeds = [scores for (name, _), scores in runs.items() if name == variant]
        offset = study.variant_stanzas[variant].seed_offset
        found[variant] = of_all_seeds(of_seeds, variant, offset, part)
    return found


def compare_as(
    settings: ComparisonConfig,
    step_h: int,
    models: Mapping[str, xr.DataArray],
    pairs: Sequence[Compared],
) -> pd.DataFrame:
    """Compare squared errors with a study's settings; ``step_h``: hours between its init times."""
    fixed = settings.block_length_h
    return compare_all(
        models,
        pairs,
        margin=settings.margin,
        significance=settings.significance,
        looks=max(1, len(settings.looks)),
        rng=settings.seed,
        resamples=settings.resamples,
        block_length=None if fixed == "auto" else math.ceil(fixed / step_h),
        accept_single_seed=settings.accept_single_seed,
    )


def of_all_seeds(
    scores: Sequence[xr.Dataset], name: str, seed_offset: int, part: str = "init_mse"
) -> xr.DataArray:
    """A part of what :func:`read_errors` gives, with a first dimension ``seed``, under a name.

    Its coordinate is what random numbers were drawn from: the study's seed and the offset.
    """
    seeds = [int(one.attrs["seed"]) + seed_offset for one in scores]
    values = xr.concat([one[part] for one in scores], dim="seed")
    return values.assign_coords(seed=seeds).rename(name)


def _read_runs(study: Study, files: Sequence[Path]) -> dict[Run, xr.Dataset]:
    """All runs that are there, in the order of the study, baselines last, pairwise comparable."""
    found: dict[Run, tuple[Path, xr.Dataset]] = {}
    for path in files:
        dataset = read_errors(path)
        run = dataset.attrs["name"], int(dataset.attrs["seed"])
        if run in found:
            raise AirshedError("a run is given twice", where=f"{found[run][0]} and {path}")
        found[run] = path, dataset
        first_path, first = next(iter(found.values()))
        _check_same_samples(first_path, first, path, dataset)
        _check_belongs(study, path, dataset)
    wanted = [run for run in _wanted(study) if run in found]
    baselines = sorted(run for run in found if run not in wanted)
    return {run: found[run][1] for run in wanted + baselines}


def _wanted(study: Study) -> list[Run]:
    return [(variant, seed) for variant in study.variants for seed in study.seeds]


def read_errors(path: Path) -> xr.Dataset:
    """The part of a file of scores that comparisons need: no maps, and sums of the domain alone."""
    with opened_scores(path) as scores:
        domain = scores["map_mse"].notnull().any(["horizon_h", "pollutant"])
        metrics = scores[[*domain_metrics(scores), "scored"]]
        found = {"init_mse": init_mse(scores), "score_sums": score_sums(scores), "domain": domain}
        return metrics.assign(found).load()


def sample_differences(one: xr.Dataset, other: xr.Dataset) -> list[str]:
    """In what the samples and cells differ on which two runs were scored; empty if in nothing."""
    found = [
        f"{name}: {one.attrs[name]} and {other.attrs[name]}"
        for name in ("dataset", "data_source")
        if one.attrs[name] != other.attrs[name]
    ]
    found += [
        f"different {name}"
        for name in ("horizon_h", "pollutant", "init_time", "lat2d", "lon2d", "domain")
        if not np.array_equal(one[name].values, other[name].values)
    ]
    if not found:
        pairs = (one["init_mse"].notnull() != other["init_mse"].notnull()).any("pollutant")
        if pairs.any():
            first = pairs.stack(sample=("init_time", "horizon_h"))
            time, horizon = first["sample"].values[int(first.values.argmax())]
            found.append(f"only one has the sample at {time} + {horizon} h")
    return found


def _check_same_samples(path: Path, one: xr.Dataset, other_path: Path, other: xr.Dataset) -> None:
    if problems := sample_differences(one, other):
        raise AirshedError(
            "two runs were not scored on the same samples",
            where=f"{path} and {other_path}",
            found="; ".join(problems),
            hint="evaluate both again with the same study and data",
        )


def _check_belongs(study: Study, path: Path, scores: xr.Dataset) -> None:
    name, seed = scores.attrs["name"], int(scores.attrs["seed"])
    foreign = scores.attrs["kind"] == "variant" and (name, seed) not in _wanted(study)
    targets = tuple(scores["pollutant"].values.tolist())
    if foreign or scores.attrs["dataset"] != study.dataset.name or targets != study.targets:
        raise AirshedError(
            "a scored run does not belong to the study",
            where=path,
            expected=f"dataset {study.dataset.name}, variants {', '.join(study.variants)},"
            f" seeds {', '.join(map(str, study.seeds))}, targets {', '.join(study.targets)}",
            found=f"dataset {scores.attrs['dataset']}, {name}, seed {seed},"
            f" targets {', '.join(targets)}",
        )


def _check_complete(study: Study, runs: dict[Run, xr.Dataset]) -> None:
    wanted = _wanted(study)
    missing = [f"{name} with seed {seed}" for name, seed in wanted if (name, seed) not in runs]
    if missing:
        raise AirshedError(
            "every variant of a study needs every seed",
            where=f"study {study.study}",
            expected=f"scores of {len(wanted)} runs",
            found=f"missing: {', '.join(missing)}",
        )


def _score_rows(runs: dict[Run, xr.Dataset]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for (name, seed), scores in runs.items():
        at = {
            m: scores[m].transpose("pollutant", "horizon_h").values for m in domain_metrics(scores)
        }
        for p, pollutant in enumerate(scores["pollutant"].values):
            units = str(scores["units"].values[p])
            for h, horizon in enumerate(scores["horizon_h"].values):
                place = (name, "" if seed < 0 else seed, pollutant, horizon)
                rows += [
                    (*place, metric, values[p, h].item(), metric_units(metric, units))
                    for metric, values in at.items()
                ]
    return rows
