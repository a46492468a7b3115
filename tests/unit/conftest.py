"""The small study, its prepared data and one trained run, made once and only to be read.

What needs torch is imported where it is used, since most tests do without its seconds.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import pytest
from made_once import MadeOnce

from airshed.config import Study
from airshed.data.prepared import Prepared


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Random values, dropped paths among them, do not depend on which tests ran before."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def study() -> Study:
    from tiny_runs import tiny_study

    return tiny_study()


@pytest.fixture(scope="session")
def prepared(study: Study, made_once: MadeOnce) -> Prepared:
    from prepared_data import prepare, prepared_in

    return prepared_in(made_once("prepared", partial(prepare, study)))


@pytest.fixture(scope="session")
def run(study: Study, prepared: Prepared, made_once: MadeOnce) -> Path:
    """``run.json`` of a trained ``physics_mask``, which has a barrier bias."""
    from tiny_runs import trained

    return made_once("run", partial(trained, study, "physics_mask", 1, prepared)) / "run.json"


@pytest.fixture(scope="session")
def climatology(study: Study, prepared: Prepared, made_once: MadeOnce) -> Path:
    from airshed.data.climatology import fit_climatology

    harmonics = study.climatology.harmonics

    def make(folder: Path) -> None:
        path = folder / "climatology.nc"
        fit_climatology(
            prepared.hourly,
            prepared.static,
            study.splits.train,
            study.target_variables,
            harmonics,
            path,
        )

    return made_once("climatology", make) / "climatology.nc"
