"""Trained runs below a folder of results, as one side of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from airshed.comparison.study import of_all_seeds, read_errors
from airshed.config.study import shapes_of
from airshed.errors import AirshedError
from airshed.graph.products import leading_to
from airshed.integrity.formats import RUN, read_json

STANZA = "variant_stanzas.*"
NEEDED = (
    *("study", "variant", "seed", "config", "data_source", "val_loss", "best_val_loss", "bias"),
    *("seconds_per_step", "peak_memory_mb", "parameters", "device", "commit", "dirty"),
)


@dataclass(frozen=True)
class Trained:
    """The finished seeds of one variant of one study.

    Attributes:
        name: Name of the variant.
        folders: Folder of each seed.
        records: ``run.json`` of each seed.
        unfinished: Folders of seeds that have none yet.
    """

    name: str
    folders: Sequence[Path]
    records: Sequence[dict[str, Any]]
    unfinished: Sequence[Path]

    @property
    def study(self) -> str:
        """Name of the study."""
        return str(self.records[0]["study"])

    @property
    def config(self) -> dict[str, Any]:
        """The resolved study as its first seed was trained."""
        config: dict[str, Any] = self.records[0]["config"]
        return config

    @property
    def label(self) -> str:
        """Study, variant and seeds in words."""
        seeds = ", ".join(str(record["seed"]) for record in self.records)
        return f"{self.study}/{self.name} (seed{'s' if len(self.records) > 1 else ''} {seeds})"

    @property
    def scored(self) -> bool:
        """Whether every finished seed has scores."""
        return all((folder / "scores.nc").is_file() for folder in self.folders)

    @cached_property
    def scores(self) -> list[xr.Dataset]:
        """The scores of every seed."""
        return [read_errors(folder / "scores.nc") for folder in self.folders]

    def squared_errors(self, name: str) -> xr.DataArray:
        """Of every seed and init time, under a name."""
        offset = self.config["variant_stanzas"][self.name].get("seed_offset", 0)
        return of_all_seeds(self.scores, name, offset)

    def settings(self) -> dict[str, Any]:
        """Every setting that belongs to the data, the model or its training, by dotted name."""
        return model_settings(self.config, self.name)


def model_settings(config: dict[str, Any], variant: str) -> dict[str, Any]:
    """The settings of a resolved study that shape a variant's scores, by dotted name."""
    shared = {key: config[key] for key in config if key != "variant_stanzas"}
    own = {STANZA: config["variant_stanzas"][variant]}
    flat = pd.json_normalize(shared | own).iloc[0]
    products = leading_to("scores")
    return {
        str(key).replace(STANZA, "variant"): value
        for key, value in flat.items()
        if products.intersection(shapes_of(str(key)).products)
    }


def trained_in(path: Path) -> dict[str, Trained]:
    """The variants with at least one finished seed in the folder of a run, variant or study.

    Raises:
        AirshedError: There is no such folder, no finished run in it, or one that cannot be read.
    """
    if not path.is_dir():
        raise AirshedError(
            "there is no folder of results",
            where=path,
            expected="results/<study>, results/<study>/variants/<variant>, or its seed<k>",
            found="a file" if path.is_file() else "nothing",
            hint="for logs: airshed compare --baseline wind.out --physics physics.out"
            if path.is_file()
            else None,
        )
    seeds = _seed_folders(path)
    finished = [folder for folder in seeds if (folder / "run.json").is_file()]
    if not finished:
        raise AirshedError(
            "no training is finished there",
            where=path,
            expected="run.json, which a training writes when it ends",
            found=f"{len(seeds)} unfinished" if seeds else "no training",
            hint="airshed status shows how far trainings are",
        )
    found = {}
    for variant in dict.fromkeys(folder.parent.name for folder in finished):
        own = [folder for folder in finished if folder.parent.name == variant]
        left = [folder for folder in seeds if folder.parent.name == variant and folder not in own]
        records = [_record(folder / "run.json") for folder in own]
        name = str(records[0]["variant"])
        found[name] = Trained(name, own, records, left)
    return found


def _seed_folders(path: Path) -> list[Path]:
    if (path / "run.json").is_file() or (path / "progress.json").is_file():
        return [path]
    patterns = ("seed*", "variants/*/seed*")
    return sorted(
        folder for pattern in patterns for folder in path.glob(pattern) if folder.is_dir()
    )


def _record(path: Path) -> dict[str, Any]:
    record = read_json(path, RUN)
    lacking = [key for key in NEEDED if key not in record]
    if lacking:
        raise AirshedError(
            "the record of a run lacks a part",
            where=path,
            expected=", ".join(lacking),
            hint=RUN.remake,
        )
    return record
