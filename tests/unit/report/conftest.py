"""A finished study, made by hand: no training, round numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from made_once import MadeOnce

from airshed.comparison.by_score import COLUMNS as BY_SCORE
from airshed.comparison.other_scores import OTHER_SCORES
from airshed.config import Study, read_yaml, validate_study
from airshed.data.climatology import Climatology
from airshed.data.sphere import axis_directions
from airshed.data.stores import write_netcdf
from airshed.evaluation.aggregation import Period
from airshed.evaluation.baselines import BASELINES
from airshed.evaluation.batch import Batch, Domain, Samples
from airshed.evaluation.gridded import GriddedScores
from airshed.evaluation.roses import PARTS, SECTORS
from airshed.evaluation.scores import Subject, write_scores
from airshed.evaluation.tables import write_stratum_table
from airshed.graph.places import Places
from airshed.integrity.formats import INGEST, RUN, VERSION
from airshed.report.page import build_report
from airshed.variables import HOURLY, TARGETS, VARIABLES

ROWS, COLUMNS = 8, 16
BOTH, LABEL = ("wind_baseline", "physics_mask"), "the mask"
VARIANTS = ("wind_baseline", "physics_mask", "elevation_only", "physics_raster", "climax")
EVIL = "<script>alert(1)</script>"
RMSE = {
    "wind_baseline": 10.0,
    "physics_mask": 9.5,
    "elevation_only": 9.9,
    "physics_raster": 10.4,
    "climax": 11.0,
    "persistence": 12.0,
    "same_hour_persistence": 11.5,
    "damped_persistence": 11.0,
    "climatology": 9.8,
    "ridge": 9.7,
}
SECONDS = dict.fromkeys(VARIANTS, 0.044) | {"wind_baseline": 0.040, "physics_mask": 0.049}
ALPHA_END = {0: 0.5, 1: 0.05}
BESIDE = {
    "beyond_margin": False,
    "detectable_change": 0.051,
    "detectable_low": 0.04,
    "detectable_high": 0.08,
    "seed_variance": 0.02**2,
    "training_variance": 0.02**2,
    "training_degrees": 2,
    "time_variance": 0.002**2,
    "time_degrees": 40.0,
    "init_times": 200,
    "block_length": 1,
    "variant_seeds": 2,
    "reference_seeds": 2,
}


@dataclass
class Made:
    """Folders of the hand-made study."""

    study: Study
    results: Path
    data: Path

    @property
    def page(self) -> str:
        """The HTML of the report."""
        return (self.results / "report.html").read_text(encoding="utf-8")

    def build(self) -> str:
        """Write the report; its HTML."""
        out = self.results
        build_report(
            self.study,
            out,
            self.data,
            out / "report.html",
            out / "report.md",
            out / "figures",
            out / "tables",
        )
        return self.page


def study_in(folder: Path, variants: Sequence[str] = BOTH, label: str = LABEL) -> Made:
    """The study that lies below ``folder``, or will."""
    root = Path(__file__).resolve().parents[3]
    values = read_yaml(root / "tests/helpers/tiny_study.yaml")
    values |= read_yaml(root / "config/variants.yaml")
    values["variants"] = list(variants)
    values["interventions"] = {"apply": ["no_elevation", "no_wind"]}
    values["variant_stanzas"]["physics_mask"]["label"] = label
    return Made(validate_study(values, "made"), folder / "results", folder / "data")


def make_study(
    folder: Path,
    variants: Sequence[str] = BOTH,
    label: str = LABEL,
    verdict: str = "helps",
) -> Made:
    """Write the study below ``folder``; its variants, the mask's label and verdict may be given."""
    made = study_in(folder, variants, label)
    made.results.mkdir()
    made.data.mkdir()
    _write_data(made)
    _write_tables(made, verdict)
    for variant in made.study.variants:
        for seed in made.study.seeds:
            _write_run(made, variant, seed)
    runs = [
        made.results / "variants" / variant / f"seed{seed}" / "scores.nc"
        for variant in made.study.variants
        for seed in made.study.seeds
    ]
    write_stratum_table(runs, made.results / "scores_by_stratum.csv")
    _write_winds(made)
    return made


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Made]:
    """Makes a study that a test may change."""
    return partial(make_study, tmp_path)


@pytest.fixture(scope="session")
def finished(made_once: MadeOnce) -> Made:
    """A study without its report, to be read only."""
    return study_in(made_once("unreported", make_study))


@pytest.fixture(scope="session")
def reported(made_once: MadeOnce) -> Made:
    """A study of five variants with its report, to be read only; one label is no plain text."""
    given = (VARIANTS, f"the mask {EVIL}")
    folder = made_once("reported", lambda folder: make_study(folder, *given).build())
    return study_in(folder, *given)


def _grid() -> tuple[np.ndarray, np.ndarray]:
    lat, lon = np.meshgrid(np.linspace(20, 45, ROWS), np.linspace(80, 130, COLUMNS), indexing="ij")
    return lat, lon


def _write_data(made: Made) -> None:
    lat, lon = _grid()
    fields = {
        "lat2d": lat,
        "lon2d": lon,
        "elevation": 5000 * np.exp(-(((lon - 95) / 10) ** 2)),
        "population": np.ones_like(lat),
        "domain_mask": np.ones_like(lat),
    } | axis_directions(lat, lon)
    static = xr.Dataset({name: (("y", "x"), values) for name, values in fields.items()})
    places = Places(made.study)
    write_netcdf(static, made.data / places.static.name)
    # nothing of the first target in the west; the mean over the domain is positive
    means = np.ones((1, 2, len(TARGETS), *lat.shape))
    means[:, :, 0, :, : COLUMNS // 2] = 0.01
    units = ("pollutant", [VARIABLES[name].units for name in TARGETS])
    dims = ("term", "hour", "pollutant", "y", "x")
    climatology = {"coefficient": (dims, means), "units": units}
    coordinates = {"pollutant": list(TARGETS), "hour": [0, 12]}
    write_netcdf(xr.Dataset(climatology, coordinates), made.data / places.climatology.name)
    gap = {"start": "2016-02-27T03:00", "end": "2016-02-27T05:00", "hours": 3, "reason": "lost"}
    ingest = {VERSION: INGEST.version, "hours_expected": 288, "hours_present": 285, "gaps": [gap]}
    (made.data / "ingest.json").write_text(json.dumps(ingest))
    quality = pd.DataFrame(
        [
            (month, name, VARIABLES[name].units)
            for month in ("2016-02", "2016-03")
            for name in HOURLY
        ],
        columns=["month", "variable", "units"],
    )
    counts = {"hours_expected": 144, "hours_missing": 0, "hours_duplicate": 0, "hours_constant": 0}
    counts |= {"cells_missing": 0, "cells_implausible": 0, "min": 1.0, "mean": 2.0, "max": 3.0}
    quality = quality.assign(**counts)
    quality.loc[quality["month"] == "2016-02", "hours_missing"] = 3
    quality.loc[0, "cells_implausible"] = 7
    quality.to_csv(made.data / "quality.csv", index=False)


def _write_winds(made: Made) -> None:
    """Wind from the north everywhere, half of the time calm."""
    frequency = np.zeros((*PARTS, SECTORS, 2))
    frequency[:, :, 0] = 0.5
    lat, lon = np.meshgrid(
        np.linspace(25, 40, PARTS[0]), np.linspace(86, 124, PARTS[1]), indexing="ij"
    )
    places = ("region_row", "region_column")
    roses = xr.Dataset(
        {
            "frequency": ((*places, "sector", "speed_class"), frequency),
            "latitude": (places, lat),
            "longitude": (places, lon),
        },
        coords={
            "region_row": range(PARTS[0]),
            "region_column": range(PARTS[1]),
            "from_deg": ("sector", np.arange(SECTORS) * 360 / SECTORS),
            "speed_class": ["below 2 m s-1", "from 2 m s-1"],
        },
    )
    write_netcdf(roses, made.results / "wind_roses.nc")


def _write_tables(made: Made, verdict: str) -> None:
    scores = [
        (name, seed, pollutant, horizon, metric, value, units)
        for name in [*made.study.variants, *BASELINES]
        for seed in (made.study.seeds if name in made.study.variants else [None])
        for pollutant in TARGETS
        for horizon in made.study.horizons_h
        for metric, value, units in (
            ("rmse", RMSE[name], VARIABLES[pollutant].units),
            ("skill_climatology", 1 - (RMSE[name] / RMSE["climatology"]) ** 2, "1"),
        )
    ]
    columns = ["variant", "seed", "pollutant", "horizon_h", "metric", "value", "units"]
    pd.DataFrame(scores, columns=columns).to_csv(made.results / "scores.csv", index=False)
    places = [(pollutant, hour) for pollutant in TARGETS for hour in made.study.horizons_h]
    rows = []
    for variant, reference in made.study.references().items():
        change = RMSE[variant] / RMSE[reference] - 1
        given = verdict if change < 0 else "inconclusive"
        numbers = (change, change - 0.021, change + 0.028, 0.001, 0.01, given, "")
        rows += [(variant, reference, *place, *numbers, "cells", len(places)) for place in places]
        compared = len(made.study.references())
        rows.append((variant, reference, "all", "all", *numbers, "primary", compared))
    names = "variant reference pollutant horizon_h relative_rmse_change ci_low ci_high p_value"
    others = ["p_adjusted", "verdict", "limit", "family", "family_size"]
    table = pd.DataFrame(rows, columns=[*names.split(), *others])
    table.assign(**BESIDE).to_csv(made.results / "comparisons.csv", index=False)
    _write_interventions(made)


def _write_interventions(made: Made) -> None:
    """Without wind errors rise; elevation nobody misses, and one is better off without it."""
    changes = {"no_elevation": (0.0004, 0.003, "equivalent"), "no_wind": (0.25, 0.02, "hurts")}
    rows = []
    for name, (change, width, verdict) in changes.items():
        for variant in made.study.variants:
            better = (name, variant) == ("no_elevation", "physics_mask")
            own = (-0.5, width, "helps") if better else (change, width, verdict)
            numbers = (own[0], own[0] - width, own[0] + width, own[2])
            rows += [(name, variant, place, place, *numbers) for place in ("all", 12)]
    names = "intervention variant pollutant horizon_h relative_rmse_change ci_low ci_high verdict"
    table = pd.DataFrame(rows, columns=names.split())
    beside = {"beyond_margin": table["verdict"] != "equivalent", "p_all_networks": 0.001}
    table = table.assign(**beside, networks=2, limit="")
    table.to_csv(made.results / "interventions.csv", index=False)
    _write_by_score(made)


def _write_by_score(made: Made) -> None:
    """Every score is a tenth better; the variance of forecasts is half of that of observations."""
    numbers = {"change": 0.1, "ci_low": 0.05, "ci_high": 0.15, "p_value": 0.001}
    rows = [
        {
            "variant": variant,
            "reference": reference,
            "score": name,
            "pollutant": pollutant,
            "horizon_h": hour,
            "variant_value": 0.5,
            "reference_value": 0.4,
            "units": score.units,
            "change_is": "relative" if score.relative else "difference",
            **{key: value * (score.better or 1) for key, value in numbers.items()},
            "finding": "better" if score.better else "higher",
            "family": "primary" if pollutant == "all" else "cells",
        }
        for variant, reference in made.study.references().items()
        for name, score in OTHER_SCORES.items()
        for pollutant, hour in [
            ("all", "all"),
            *((pollutant, hour) for pollutant in TARGETS for hour in made.study.horizons_h),
        ]
    ]
    table = pd.DataFrame(rows).reindex(columns=list(BY_SCORE))
    table.to_csv(made.results / "comparisons_by_score.csv", index=False)


def _write_run(made: Made, variant: str, seed: int) -> None:
    folder = made.results / "variants" / variant / f"seed{seed}"
    folder.mkdir(parents=True)
    biased = made.study.variant_stanzas[variant].bias.kind != "none"
    median = SECONDS[variant]
    record = {
        VERSION: RUN.version,
        "variant": variant,
        "seed": seed,
        "best_val_loss": 0.3 + 0.01 * seed,
        "best_epoch": 1,
        "optimizer_steps": 20,
        "checkpoint": {"path": "checkpoints/best.ckpt", "sha256": f"{seed}" * 64},
        "val_loss": [0.4, 0.3 + 0.01 * seed],
        "parameters": 1234,
        "seconds_per_step": {"median": median, "p10": 0.9 * median, "p90": 1.2 * median},
        "training_seconds": 60.0,
        "peak_memory_mb": 800.0,
        "bias": {
            "parameters": {"blocks.0.alpha": ALPHA_END[seed]} if biased else {},
            "reach": 0.25,
        },
        "attention_path": ["plain", "tiled"] if biased else ["plain"],
        "device": "CPU",
        "threads": 1,
        "commit": "0123456789abcdef",
        "dirty": False,
        "earlier_commits": [],
        "versions": {"python": "3.11", "torch": "2.13.0"},
    }
    (folder / "run.json").write_text(json.dumps(record))
    steps = np.arange(2, 21, 2)
    history = pd.DataFrame({"step": steps, "epoch": 0, "train_loss": 1 / steps, "lr": 1e-3})
    history["val_loss"] = np.where(steps % 10 == 0, 2 / steps, np.nan)
    if biased:
        history["alpha_block0"] = np.linspace(0.2, ALPHA_END[seed], len(steps))
    history.to_csv(folder / "history.csv", index=False)
    _write_scores(made, variant, seed, folder / "scores.nc")


def _write_scores(made: Made, variant: str, seed: int, path: Path) -> None:
    lat, lon = _grid()
    inits = pd.date_range("2016-03-05", periods=3, freq="3h")
    horizons = made.study.horizons_h
    samples = pd.DataFrame(
        [(init, horizon) for init in inits for horizon in horizons],
        columns=["init_time", "horizon_h"],
    )
    truth = np.zeros((len(samples), len(TARGETS), ROWS, COLUMNS), dtype=np.float32)
    sign = np.where(samples["init_time"] == inits[1], 1, -1)[:, None, None, None]
    domain = Domain(np.ones(lat.shape, dtype=bool), lat, lon, np.zeros(lat.shape))
    usual = Climatology(np.ones((1, 24, len(TARGETS), ROWS, COLUMNS), dtype=np.float32))
    period = Period(inits, tuple(horizons), made.study.target_variables)
    gridded = GriddedScores(period, domain, usual)
    fields = (truth + RMSE[variant] * sign, truth, truth, truth[:, 0])
    gridded.add(Batch(Samples.of(samples.assign(input_index=0, target_index=0)), *fields))
    subject = Subject("variant", variant, seed, "made", "simulated", "0123456789abcdef")
    write_scores(gridded.dataset(subject), path)
