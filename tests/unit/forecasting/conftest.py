"""The tiny study's results as the workflow lays them out, with trained runs of several kinds."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from laid_out import Laid, lay_out
from raw_files import statistics_into
from tiny_runs import tiny_study, trained

from airshed.config import Study
from airshed.data.damping import fit_damping
from airshed.data.prepared import Prepared


@pytest.fixture(scope="session")
def plain(
    study: Study,
    prepared: Prepared,
    run: Path,
    climatology: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Laid:
    """Two seeds of ``physics_mask``, whose networks predict fields."""
    results = tmp_path_factory.mktemp("plain") / "results"
    laid = lay_out(results, study, "physics_mask", prepared, climatology)
    trained(study, "physics_mask", 0, prepared, laid.runs[0])
    shutil.copytree(run.parent, laid.runs[1])
    return laid


@pytest.fixture(scope="session")
def departing(
    study: Study,
    prepared: Prepared,
    climatology: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Laid:
    """A random scan that departs from damped persistence, with a logarithm."""
    folder = tmp_path_factory.mktemp("departing")
    where = prepared.hourly, prepared.static, study.splits.train
    logged = statistics_into(folder / "statistics.nc", *where, log={"pm25": 10.0})
    fields, horizons = (prepared.hourly, prepared.static, climatology), study.horizons_h
    damping = folder / "damping.nc"
    fit_damping(*fields, study.splits.train, horizons, study.target_variables, damping)
    changed = tiny_study(
        model={"departs_from": "damped_persistence"},
        variants=["wind_baseline", "random_scan"],
        normalisation={"log": {"pm25": 10.0}},
        train={"epochs": 1},
    )
    given = replace(prepared, statistics=logged)
    laid = lay_out(folder / "results", changed, "random_scan", given, climatology)
    learned_from = replace(given, climatology=climatology, damping=damping)
    trained(changed, "random_scan", 0, learned_from, laid.runs[0])
    return laid
