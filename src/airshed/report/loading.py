"""Reads everything that the report is made from, once, and checks it."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from airshed.comparison.by_class import COLUMNS as BY_CLASS
from airshed.comparison.by_class import changes_by_class, class_sums
from airshed.comparison.table import ALL
from airshed.config import Study
from airshed.data.climatology import open_mean
from airshed.data.stores import open_static, open_wind_roses
from airshed.errors import AirshedError
from airshed.evaluation.scores import opened_scores
from airshed.graph.places import Places
from airshed.integrity.formats import (
    COST,
    INGEST,
    INTERPRETATION,
    RUN,
    Format,
    read_json,
    read_or_nothing,
)
from airshed.report.results import Results

SPECTRA = ("variant", "horizon_h", "pollutant", "wavelength_km", "power_ratio")


def load_results(
    study: Study,
    results: Path,
    data: Path,
    runs: Collection[tuple[str, int]] | None = None,
    tables: Path | None = None,
) -> Results:
    """Read the results of a study.

    Args:
        study: The resolved study.
        results: Its folder.
        data: The folder of the prepared data.
        runs: The variants and seeds that are there; by default all.
        tables: Where the tables over all runs and the wind roses lie, if not in ``results``.

    Raises:
        AirshedError: A file is missing or cannot be read.
    """
    folders = {
        (variant, seed): results / "variants" / variant / f"seed{seed}"
        for variant in study.variants
        for seed in study.seeds
        if runs is None or (variant, seed) in runs
    }
    tables, places = tables or results, Places(study)
    maps, spectra, block_mse = _from_scores(study, folders)
    comparisons = _table(tables / "comparisons.csv")
    return Results(
        study=study,
        scores=_scores(tables / "scores.csv"),
        comparisons=comparisons,
        by_score=_table(tables / "comparisons_by_score.csv"),
        runs={key: _json(folder / "run.json", RUN) for key, folder in folders.items()},
        histories={key: _table(folder / "history.csv") for key, folder in folders.items()},
        maps=maps,
        spectra=spectra,
        ensembles=_ensembles(study, results),
        static=open_static(data / places.static.name),
        means=open_mean(data / places.climatology.name, study.target_variables),
        ingest=_json(data / "ingest.json", INGEST),
        quality=_table(data / "quality.csv"),
        interpretations={
            key: _json(path, INTERPRETATION)
            for key, folder in folders.items()
            if (path := folder / "interpretation.json").is_file()
        },
        cost=_cost(study, results / "cost.json"),
        strata=_scores(tables / "scores_by_stratum.csv"),
        by_class=_by_class(study, folders, comparisons),
        block_mse=block_mse,
        winds=open_wind_roses(tables / "wind_roses.nc"),
        episodes={
            (episode, *key): _dataset(folder / "supplement" / f"episode_{episode}.nc")
            for episode in study.episodes
            for key, folder in folders.items()
        },
        interventions=_table(tables / "interventions.csv")
        if any(map(study.interventions_on, study.variants))
        else None,
        supplement={
            section: _table(results / f"{section}.csv")
            for section in ("stations", "external", "episodes")
            if getattr(study, section)
        },
        observed=read_or_nothing(results / "stations/quality.json") if study.stations else None,
    )


def _from_scores(
    study: Study, folders: dict[tuple[str, int], Path]
) -> tuple[dict[str, xr.DataArray], pd.DataFrame, dict[str, xr.DataArray]]:
    """Maps, spectra and errors by block of each variant; pollutants in the order of the targets."""
    maps, spectra, block_mse = {}, [], {}
    for variant in study.variants:
        parts = [
            _maps_and_spectra(folder / "scores.nc")
            for (name, _), folder in folders.items()
            if name == variant
        ]
        stacked = xr.concat(parts, dim="seed", coords="minimal", compat="override")
        stacked = stacked.sel(pollutant=list(study.targets))
        maps[variant] = stacked["map_mse"].mean("seed", skipna=False)
        block_mse[variant] = stacked["block_mse"]
        power = stacked[["forecast_power", "truth_power"]].sum("seed")
        ratio = (power["forecast_power"] / power["truth_power"]).rename("power_ratio")
        table = ratio.drop_vars("units").to_dataframe().reset_index().assign(variant=variant)
        spectra.append(table.dropna(subset="power_ratio"))
    return maps, pd.concat(spectra, ignore_index=True)[list(SPECTRA)], block_mse


def _maps_and_spectra(path: Path) -> xr.Dataset:
    with opened_scores(path) as scores:
        sums = scores["block_sums"].sum("horizon_h")
        count = sums.sel(block_statistic="count", drop=True)
        block_mse = sums.sel(block_statistic="squared", drop=True) / count.where(count > 0)
        found = scores[["map_mse", "forecast_power", "truth_power"]]
        return found.assign(block_mse=block_mse).load()


def _by_class(
    study: Study, folders: dict[tuple[str, int], Path], comparisons: pd.DataFrame
) -> pd.DataFrame:
    """Changes by class of every variant; one pair at a time is in memory."""
    parts = [pd.DataFrame(columns=list(BY_CLASS))]
    for _, row in comparisons[comparisons["pollutant"] == ALL].iterrows():
        pair = [
            [_class_sums(path) for (of, _), path in folders.items() if of == row[side]]
            for side in ("variant", "reference")
        ]
        if all(pair) and not math.isnan(row["relative_rmse_change"]):
            parts.append(changes_by_class(pair[0], pair[1], row, study.comparison.seed))
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def _class_sums(folder: Path) -> xr.DataArray:
    with opened_scores(folder / "scores.nc") as scores:
        return class_sums(scores)


def _ensembles(study: Study, results: Path) -> pd.DataFrame | None:
    if not study.evaluation.ensemble:
        return None
    tables = (_table(results / "variants" / name / "ensemble.csv") for name in study.variants)
    return pd.concat(tables, ignore_index=True)


def _cost(study: Study, path: Path) -> dict[str, Any] | None:
    """What was measured, if anything was; it must hold every variant."""
    if not path.is_file():
        return None
    cost = _json(path, COST)
    lacking = [name for name in study.variants if name not in cost["variants"]]
    if lacking:
        raise AirshedError(
            "the measured cost lacks variants of the study",
            where=path,
            expected=", ".join(study.variants),
            found=f"no {', '.join(lacking)}",
            hint="delete it and run the workflow, which measures all of them in one job",
        )
    return cost


def _scores(path: Path) -> pd.DataFrame:
    """A table of scores; a row without a seed belongs to what has no training."""
    scores = _table(path)
    return scores.assign(seed=scores["seed"].fillna(-1).astype(int))


def _dataset(path: Path) -> xr.Dataset:
    _require(path)
    with xr.open_dataset(path) as opened:
        return opened.load()


def _table(path: Path) -> pd.DataFrame:
    _require(path)
    return pd.read_csv(path)


def _json(path: Path, kind: Format) -> dict[str, Any]:
    _require(path)
    return read_json(path, kind)


def _require(path: Path) -> None:
    if not path.is_file():
        raise AirshedError(
            "the report needs a file that is not there",
            where=path,
            hint="run the workflow; it makes every file that the report needs",
        )
