"""What an evaluation checks beside its scores: stations and episodes, as the study names them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd

from airshed.config import Study
from airshed.data.stores import open_static, write_netcdf
from airshed.errors import AirshedError
from airshed.evaluation.batch import Scorer
from airshed.evaluation.episodes import EpisodeScores
from airshed.evaluation.evaluate import Evaluation
from airshed.evaluation.scores import read_scores
from airshed.evaluation.stations.scorer import StationScores, open_observations
from airshed.integrity.atomic import atomic_path
from airshed.integrity.provenance import sha256


@contextmanager
def supplemented(
    study: Study, evaluation: Evaluation, observations: Path | None, folder: Path | None
) -> Iterator[Evaluation]:
    """An evaluation that scores stations and episodes as well, and their results at its end.

    Args:
        study: The resolved study.
        evaluation: What is scored.
        observations: ``observations.nc``, if the study has stations.
        folder: Where results go; None leaves the evaluation as it is.
    """
    if folder is None:
        yield evaluation
        return
    supplement = Supplement(study, evaluation.static, observations)
    yield replace(evaluation, scorers={**evaluation.scorers, **supplement.scorers})
    supplement.write(evaluation.output, folder)


class Supplement:
    """Scorers of the stations and episodes of a study, and their results.

    Args:
        study: The resolved study.
        static: The static fields.
        observations: ``observations.nc``, if the study has stations.

    Attributes:
        scorers: By a name that tells their settings, so that an interrupted evaluation is taken up
            with equal ones only.

    Raises:
        AirshedError: The study has stations and there are no observations.
    """

    def __init__(self, study: Study, static: Path, observations: Path | None) -> None:
        if study.stations is not None and observations is None:
            raise AirshedError(
                "the study has stations, and the evaluation has no observations",
                expected="--observations with the file that 'airshed stations' makes",
            )
        grid = open_static(static)
        self.scorers: dict[str, Scorer] = {}
        self._stations = None
        if study.stations is not None and observations is not None:
            self._stations = StationScores(open_observations(observations), grid, study.horizons_h)
            self.scorers[f"stations {sha256(observations)}"] = self._stations
        self._episodes = []
        for name, episode in study.episodes.items():
            scores = EpisodeScores(name, episode, grid, study.horizons_h)
            settings = json.dumps(episode.model_dump(mode="json"), sort_keys=True)
            digest = hashlib.sha256(settings.encode()).hexdigest()
            self.scorers[f"episode {name} {digest}"] = scores
            self._episodes.append(scores)

    def write(self, scores: Path, folder: Path) -> None:
        """Write the results of a complete evaluation.

        Args:
            scores: Its ``scores.nc``, which says whose forecasts these are.
            folder: Where ``stations.csv``, ``episodes.csv`` and ``episode_<name>.nc`` go; it
                appears when all are there.
        """
        about = read_scores(scores).attrs
        labels = {key: about[key] for key in ("kind", "name", "seed")}
        with atomic_path(folder) as temporary:
            temporary.mkdir()
            if self._stations is not None:
                _write(self._stations.table(), labels, temporary / "stations.csv")
            if self._episodes:
                tables = [episode.table() for episode in self._episodes]
                _write(pd.concat(tables, ignore_index=True), labels, temporary / "episodes.csv")
            for episode in self._episodes:
                found = episode.dataset().assign_attrs({k: about[k] for k in (*labels, "study")})
                found.attrs["data_source"] = about["data_source"]
                write_netcdf(found, temporary / f"episode_{episode.name}.nc")


def _write(table: pd.DataFrame, labels: dict[str, object], path: Path) -> None:
    """A table with the subject in front of every row; the seed is empty without a training."""
    shown = labels | {"seed": "" if labels["seed"] == -1 else labels["seed"]}
    pd.DataFrame(shown, index=table.index).join(table).to_csv(path, index=False)
