"""A study on three days of hand-made raw files, as the command reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from raw_files import COLUMNS, ROWS, netcdf, positions

from airshed.config import dump_study, read_yaml, validate_study
from airshed.config.load import merge

ROOT = Path(__file__).resolve().parents[2]
DAYS = ("2016-03-01", "2016-03-02", "2016-03-03")


def write_study(folder: Path, **dataset: Any) -> Path:
    """Write a resolved study whose elevation and population lie in ``folder``; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, scale in {"elevation": 4000, "population": 1e5}.items():
        values = scale * np.random.default_rng(0).random((ROWS, COLUMNS))
        (folder / f"{name}.nc").write_bytes(netcdf({name: values} | positions()))
    made = {
        "name": "made",
        "source": "caqra",
        "path": "unused",
        "elevation_file": str(folder / "elevation.nc"),
        "population_file": str(folder / "population.nc"),
        "period": {"start": DAYS[0], "end": DAYS[-1]},
        "grid": {"rows": ROWS, "columns": COLUMNS},
    }
    splits = {
        name: {"start": day, "end": day, "init_every_h": 6}
        for name, day in zip(("train", "validation", "test"), DAYS, strict=True)
    }
    changes = {
        "horizons_h": [12],
        "dataset": made | dataset,
        "splits": splits,
        "model": {"regions": {"rows": 2, "columns": 3}},
    }
    stanzas = {"wind_baseline": {"label": "base", "scan": "wind"}}
    stanzas["physics_mask"] = {"label": "mask", "scan": "wind", "bias": {"kind": "barrier"}}
    tiny = merge(read_yaml(ROOT / "tests/helpers/tiny_study.yaml"), changes)
    study = validate_study(tiny | {"variant_stanzas": stanzas}, "made")
    path = folder / "study.yaml"
    path.write_text(dump_study(study), encoding="utf-8")
    return path


def write_override(path: Path, study: Path, **dataset: Any) -> Path:
    """The study of a file with some keys of its dataset changed."""
    values = read_yaml(study)
    values["dataset"] |= dataset
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def ingest_command(study: Path, raw: Path, out: Path) -> tuple[object, ...]:
    """``airshed ingest`` of raw files into a folder."""
    outputs = {"hourly": "hourly.zarr", "report": "ingest.json", "quality": "quality.csv"}
    named = [part for key, name in outputs.items() for part in (f"--{key}", out / name)]
    return ("ingest", "--config", study, "--raw", raw, *named)
