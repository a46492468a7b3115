"""What a finished study says, as data frames."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from airshed.comparison.table import read_comparisons
from airshed.config import read_yaml
from airshed.errors import AirshedError
from airshed.integrity.formats import check_folder
from airshed.side_by_side.runs import trained_in


@dataclass(frozen=True)
class StudyResults:
    """A finished study.

    Attributes:
        path: Its folder.
        config: The resolved study, as plain values.
        scores: variant, seed, pollutant, horizon_h, metric, value, units; ``seed`` is missing for
            what has no training.
        comparisons: Changes of RMSE with intervals and verdicts: one row of each variant over all,
            whose pollutant and horizon are ``all``, and one for each pollutant and horizon.
        runs: A row for each training: study, variant, seed, its folder, losses, speed, device and
            commit; ``bias.<name>`` are numbers that its bias has learned.
    """

    path: Path
    config: dict[str, Any]
    scores: pd.DataFrame
    comparisons: pd.DataFrame
    runs: pd.DataFrame

    def __repr__(self) -> str:
        return f"<results of {self.path}: {len(self.runs)} trainings>"


def read_study(path: str | PathLike[str]) -> StudyResults:
    """Read the tables of a finished study.

    Raises:
        AirshedError: It is no finished study, or one of another version.
    """
    folder = Path(path)
    names = ("config.resolved.yaml", "scores.csv", "comparisons.csv")
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise AirshedError(
            "there is no finished study",
            where=folder,
            expected=", ".join(names),
            found=f"no {', no '.join(missing)}",
            hint="let snakemake finish it; airshed status shows how far it is",
        )
    check_folder(folder)
    config, scores, comparisons = (folder / name for name in names)
    table = pd.read_csv(scores)
    return StudyResults(
        folder,
        read_yaml(config),
        table.assign(seed=table["seed"].astype("Int64")),
        read_comparisons(comparisons),
        pd.DataFrame(
            _row(run, record)
            for trained in trained_in(folder).values()
            for run, record in zip(trained.folders, trained.records, strict=True)
        ),
    )


def _row(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """What a record says in single values."""
    columns = (
        *("study", "variant", "seed", "label", "parameters", "best_epoch", "best_val_loss"),
        *("optimizer_steps", "training_seconds", "peak_memory_mb", "device", "commit", "dirty"),
    )
    row = {name: record.get(name) for name in columns}
    row |= {"path": str(folder), "epochs": len(record["val_loss"])}
    row |= {"seconds_per_step": record["seconds_per_step"]["median"]}
    return row | {f"bias.{name}": value for name, value in record["bias"]["parameters"].items()}
