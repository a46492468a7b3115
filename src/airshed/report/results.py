"""Everything that the report is made from, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from airshed.comparison.table import ALL
from airshed.config import Study
from airshed.evaluation.baselines import BASELINES
from airshed.variables import VARIABLES, Variable


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
        means: Mean of each target in the training split (pollutant, y, x), physical units.
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
        observed: ``stations/quality.json``: what was read of tables of observations; None if the
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
    means: xr.DataArray
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


def label_of(pollutant: str, dictionary: Mapping[str, Variable] = VARIABLES) -> str:
    """How a quantity is called; one that is not in the dictionary, by its name."""
    return dictionary[pollutant].long_name if pollutant in dictionary else pollutant


def shown_units(text: str) -> str:
    """Units in a text as they are written on axes."""
    for plain, shown in (("ug", "\u00b5g"), ("m-3", "m\u207b\u00b3"), ("s-1", "s\u207b\u00b9")):
        text = text.replace(plain, shown)
    return text
