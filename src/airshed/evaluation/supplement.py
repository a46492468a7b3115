"""What an evaluation gathers beside its gridded scores: stations and episodes of the study."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
import xarray as xr

from airshed.config import Study
from airshed.data.climatology import Climatology
from airshed.data.stores import write_netcdf
from airshed.errors import AirshedError
from airshed.evaluation.aggregation import Period
from airshed.evaluation.batch import Domain, Scorer
from airshed.evaluation.episodes import EpisodeMaps, episode_table
from airshed.evaluation.stations.scorer import StationScores, open_observations
from airshed.integrity.atomic import atomic_path
from airshed.integrity.provenance import sha256

SHOWN_ATTRIBUTES = ("kind", "name", "seed", "data_source")


class Supplement:
    """Scorers of the stations and episodes of a study, and their results.

    Attributes:
        scorers: By a name that depends on their settings, so that an interrupted evaluation is
            continued with equal ones only.

    Raises:
        AirshedError: The study has stations and there are no observations.
    """

    def __init__(
        self,
        study: Study,
        grid: xr.Dataset,
        observations: Path | None,
        period: Period,
        climatology: Climatology,
    ) -> None:
        if study.stations is not None and observations is None:
            raise AirshedError(
                "the study has stations, and the evaluation has no observations",
                expected="--observations with the file that 'airshed stations' makes",
            )
        self._study, self._grid = study, grid
        self.scorers: dict[str, Scorer] = {}
        self._stations = None
        if study.stations is not None and observations is not None:
            measured = open_observations(observations, period.targets)
            self._stations = StationScores(period, measured, grid, climatology)
            self.scorers[f"stations {sha256(observations)}"] = self._stations
        self._episodes = []
        for name, episode in study.episodes.items():
            maps = EpisodeMaps(name, episode, grid, period)
            settings = json.dumps(episode.model_dump(mode="json"), sort_keys=True)
            digest = hashlib.sha256(settings.encode()).hexdigest()
            self.scorers[f"episode {name} {digest}"] = maps
            self._episodes.append(maps)

    def add_to(self, scores: xr.Dataset) -> xr.Dataset:
        """Scores with the sums at stations, where there are any."""
        return scores.assign(self._stations.variables()) if self._stations else scores

    def write(self, scores: xr.Dataset, folder: Path) -> None:
        """Write the results of a complete evaluation.

        Args:
            scores: Its scores, which say whose forecasts these are.
            folder: Where ``stations.csv``, ``episodes.csv`` and ``episode_<name>.nc`` go; it
                appears when all are there.
        """
        about = {key: scores.attrs[key] for key in SHOWN_ATTRIBUTES}
        with atomic_path(folder) as temporary:
            temporary.mkdir()
            if self._stations is not None:
                _write(self._stations.table(), about, temporary / "stations.csv")
            if self._episodes:
                table = episode_table(scores, self._study.episodes, Domain.of(self._grid))
                _write(table, about, temporary / "episodes.csv")
            for episode in self._episodes:
                maps = episode.dataset().assign_attrs(about)
                write_netcdf(maps, temporary / f"episode_{episode.name}.nc")


def _write(table: pd.DataFrame, about: dict[str, object], path: Path) -> None:
    """A table with the subject in front of every row; the seed is empty without a training."""
    shown = {key: about[key] for key in ("kind", "name")}
    shown["seed"] = "" if about["seed"] == -1 else about["seed"]
    pd.DataFrame(shown, index=table.index).join(table).to_csv(path, index=False)
