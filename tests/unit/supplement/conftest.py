"""The small study's prepared data and one trained run with a barrier bias, made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prepared_data import prepare

from airshed.config import Study, read_yaml, validate_study
from airshed.data.prepared import Prepared
from airshed.evaluation.climatology import fit_climatology
from airshed.training.run import train
from airshed.training.stopping import StopRequest

ROOT = Path(__file__).resolve().parents[3]


def small_study(**changes: Any) -> Study:
    """The small study with sections exchanged."""
    tiny = read_yaml(ROOT / "tests/helpers/tiny_study.yaml")
    return validate_study(tiny | read_yaml(ROOT / "config/variants.yaml") | changes, "tiny")


@pytest.fixture(scope="session")
def study() -> Study:
    return small_study()


@pytest.fixture(scope="session")
def prepared(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(study, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def run(study: Study, prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``run.json`` of a trained ``physics_mask``."""
    folder = tmp_path_factory.mktemp("run")
    run = folder / "run.json"
    with StopRequest() as stop:
        train(study, "physics_mask", 1, prepared, None, run, folder / "history.csv", stop)
    return run


@pytest.fixture(scope="session")
def climatology(study: Study, prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("climatology") / "climatology.nc"
    harmonics = study.evaluation.climatology_harmonics
    fit_climatology(prepared.hourly, prepared.static, study.splits.train, harmonics, path)
    return path
