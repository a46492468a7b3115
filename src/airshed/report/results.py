"""Everything that the report is made from, read once and checked."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from airshed.comparison.by_class import COLUMNS as BY_CLASS
from airshed.comparison.by_class import changes_by_class, class_sums
from airshed.comparison.table import ALL
from airshed.config import Study
from airshed.data.stores import open_static, open_wind_roses
from airshed.errors import AirshedError
from airshed.evaluation.baselines import BASELINES
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
from airshed.variables import VARIABLES, Variable

SPECTRA = ("variant", "horizon_h", "pollutant", "wavelength_km", "power_ratio")


@dataclass(frozen=True)
class Unfinished:
    """A training that a partial report is without: how far it is, and what to do."""

    variant: str
    seed: int
    state: str
    next: str


@dataclass(frozen=True)
class Results:
    """Results of a study.

    Attributes:
        scores: ``scores.csv``; baselines have seed -1.
        comparisons: ``comparisons.csv``.
        by_score: ``comparisons_by_score.csv``.
        runs: ``run.json`` by variant and seed.
        histories: ``history.csv`` by variant and seed.
        maps: Mean squared error of each cell (horizon_h, pollutant, y, x), mean over seeds.
        spectra: variant, horizon_h, pollutant, wavelength_km and power_ratio: power of the
            forecasts over that of the observations, all seeds together; empty bands are left out.
        ensembles: ``ensemble.csv`` of every variant; None if the study makes none.
        static: Static fields of the grid.
        ingest: ``ingest.json``.
        quality: ``quality.csv``: what the ingest found, by month and variable.
        interpretations: ``interpretation.json`` of each biased variant and seed that has one.
        cost: ``cost.json``; None if the study has none.
        strata: ``scores_by_stratum.csv``; baselines have seed -1.
        by_class: Changes by class (:func:`airshed.comparison.by_class.changes_by_class`).
        block_mse: Of each variant, mean squared errors by block of days on the coarse grid (seed,
            block, pollutant, coarse), with the first row and column of each square of cells.
        winds: Wind roses of the test period, see :mod:`airshed.evaluation.roses`.
        episodes: ``episode_<name>.nc`` of each episode, variant and seed.
        supplement: ``stations.csv``, ``external.csv`` and ``episodes.csv``, by the name of the
            section, as far as the study has them.
        interventions: ``interventions.csv``; None if the study has none.
        unfinished: The trainings that are not part of it yet, if the study is not finished.
        observed: ``stations/quality.json``: what was taken of tables of observations; None if the
            study has none.
    """

    study: Study
    scores: pd.DataFrame
    comparisons: pd.DataFrame
    by_score: pd.DataFrame
    runs: dict[tuple[str, int], dict[str, Any]]
    histories: dict[tuple[str, int], pd.DataFrame]
    maps: dict[str, xr.DataArray]
    spectra: pd.DataFrame
    ensembles: pd.DataFrame | None
    static: xr.Dataset
    ingest: dict[str, Any]
    quality: pd.DataFrame
    interpretations: dict[tuple[str, int], dict[str, Any]]
    cost: dict[str, Any] | None
    strata: pd.DataFrame
    by_class: pd.DataFrame
    block_mse: dict[str, xr.DataArray]
    winds: xr.Dataset
    episodes: dict[tuple[str, str, int], xr.Dataset]
    supplement: dict[str, pd.DataFrame]
    interventions: pd.DataFrame | None = None
    unfinished: tuple[Unfinished, ...] = ()
    observed: dict[str, Any] | None = None

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated."""
        return self.study.dataset.data_source == "simulated"

    @cached_property
    def dictionary(self) -> dict[str, Variable]:
        """Every quantity that the study knows."""
        return self.study.dataset.dictionary

    def label(self, pollutant: str) -> str:
        """How a target is called."""
        return label_of(pollutant, self.dictionary)

    def units_of(self, pollutant: str) -> str:
        """A target's unit as it is written on axes."""
        return shown_units(self.dictionary[pollutant].units)

    def with_units(self, pollutant: str) -> str:
        """A target with its unit, in a line of its own."""
        return f"{self.label(pollutant)} ({self.units_of(pollutant)})".replace(" ", "\u00a0")

    def overall(self, variant: str) -> pd.Series[Any]:
        """The row of a variant's overall comparison."""
        rows = self.comparisons
        chosen = rows[(rows["variant"] == variant) & (rows["pollutant"] == ALL)]
        return chosen.iloc[0]

    def cells(self, variant: str) -> pd.DataFrame:
        """The comparisons of a variant by pollutant and horizon."""
        rows = self.comparisons
        rows = rows[(rows["variant"] == variant) & (rows["pollutant"] != ALL)]
        return rows.assign(horizon_h=rows["horizon_h"].astype(int))

    def rmse(self) -> pd.DataFrame:
        """RMSE by variant or baseline, pollutant and horizon; mean over seeds."""
        rows = self.scores[self.scores["metric"] == "rmse"]
        return rows.groupby(["variant", "pollutant", "horizon_h"])["value"].mean().reset_index()

    def over_best_reference(self) -> pd.DataFrame:
        """RMSE of each variant over the lowest of all reference forecasts, minus 1.

        Returns:
            A column a variant, a row for each pollutant and horizon.
        """
        rmse = self.rmse().pivot(
            index=["pollutant", "horizon_h"], columns="variant", values="value"
        )
        best = rmse[[name for name in BASELINES if name in rmse]].min(axis=1)
        variants = [name for name in self.study.variants if name in rmse]
        return rmse[variants].div(best, axis=0).sub(1).dropna(how="all")

    def of_variant(self, variant: str) -> list[dict[str, Any]]:
        """The records of a variant's runs, one for each seed that has one."""
        return [run for (name, _), run in self.runs.items() if name == variant]

    def step_seconds(self, variant: str) -> float:
        """Median seconds per step, mean over seeds."""
        medians = [run["seconds_per_step"]["median"] for run in self.of_variant(variant)]
        return float(np.mean(medians))

    def overhead(self, variant: str) -> float | None:
        """Relative extra time per step against the reference; None without a reference.

        From steps that took turns in one process where ``cost.json`` has them, else from the wall
        clock of the trainings, which other work on the machine shifts.
        """
        reference = self.study.references().get(variant)
        if reference is None:
            return None
        if self.cost is not None:
            return float(self.cost["variants"][variant]["overhead"]["median"])
        return self.step_seconds(variant) / self.step_seconds(reference) - 1


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
    tables = tables or results
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
        static=open_static(data / Places(study).static.name),
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


def label_of(pollutant: str, dictionary: Mapping[str, Variable] = VARIABLES) -> str:
    """How a quantity is called; one that is not in the dictionary, by its name."""
    return dictionary[pollutant].long_name if pollutant in dictionary else pollutant


def shown_units(text: str) -> str:
    """Units in a text as they are written on axes."""
    for plain, shown in (("ug", "\u00b5g"), ("m-3", "m\u207b\u00b3"), ("s-1", "s\u207b\u00b9")):
        text = text.replace(plain, shown)
    return text
