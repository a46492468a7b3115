"""Networks that depart from a reference forecast: before they have learned anything they are it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from raw_files import statistics_into
from tiny_runs import tiny_study, trained

from airshed.assembly import build_network
from airshed.config import Study
from airshed.data.damping import fit_damping
from airshed.data.prepared import Prepared
from airshed.data.stores import open_statistics
from airshed.errors import AirshedError
from airshed.evaluation.evaluate import Evaluation, evaluate_baseline
from airshed.evaluation.interpretation import interpret
from airshed.evaluation.network import evaluate_run
from airshed.evaluation.scores import read_scores
from airshed.graph.identity import training_identity
from airshed.training.checkpoints import load_checkpoint
from airshed.training.start import load_start
from airshed.variables import INPUTS, TARGETS

UNTRAINED = {"epochs": 1, "learning_rate": 1e-30, "weight_decay": 0.0}
"""Steps so small that nothing moves which is not 0."""


def departing(kind: str, **changes: object) -> Study:
    return tiny_study(model={"departs_from": kind}, **changes)


@pytest.fixture(scope="module")
def with_damping(
    study: Study, prepared: Prepared, climatology: Path, tmp_path_factory: pytest.TempPathFactory
) -> Prepared:
    path = tmp_path_factory.mktemp("damping") / "damping.nc"
    fields = prepared.hourly, prepared.static, climatology
    fit_damping(*fields, study.splits.train, study.horizons_h, study.target_variables, path)
    return replace(prepared, climatology=climatology, damping=path)


@pytest.fixture(scope="module")
def run(with_damping: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``run.json`` of an untrained network that departs from damped persistence."""
    study, folder = departing("damped_persistence", train=UNTRAINED), tmp_path_factory.mktemp("run")
    return trained(study, "physics_mask", 0, with_damping, folder)


def forecasts(evaluation: Evaluation) -> xr.Dataset:
    return xr.open_zarr(evaluation.forecasts, consolidated=True)[list(TARGETS)].load()


@pytest.mark.parametrize("kind", ["damped_persistence", "persistence", "with logarithms"])
def test_an_untrained_network_is_the_reference_forecast(
    with_damping: Prepared, climatology: Path, run: Path, kind: str, tmp_path: Path
) -> None:
    """Scores and kept forecasts are equal to the last bit; the run brings along what it needs."""
    prepared, damping = with_damping, with_damping.damping
    name = "persistence" if kind == "persistence" else "damped_persistence"
    study = departing(name, train=UNTRAINED)
    if kind == "with logarithms":
        moments = tmp_path / "statistics.nc"
        where = prepared.hourly, prepared.static, study.splits.train
        statistics_into(moments, *where, log={"pm25": 10.0, "co": 0.3})
        prepared = replace(prepared, statistics=moments)
    if kind == "persistence":
        prepared = replace(prepared, climatology=None, damping=None)
    if kind != "damped_persistence":
        run = trained(study, "physics_mask", 0, prepared, tmp_path / "run")
    needed = replace(prepared, climatology=None, damping=None)
    made = [
        Evaluation(
            *(prepared.hourly, prepared.static, climatology, tmp_path / which / "scores.nc"),
            forecasts=tmp_path / which / "forecasts.zarr",
        )
        for which in ("network", "baseline")
    ]
    evaluate_run(study, run, needed, made[0])
    evaluate_baseline(study, name, made[1], damping)
    found, expected = (read_scores(one.output) for one in made)
    assert set(found) == set(expected)
    for score in expected:
        np.testing.assert_array_equal(found[score], expected[score], err_msg=str(score))
    xr.testing.assert_equal(*map(forecasts, made))


def test_losses_are_those_of_the_whole_forecast(
    with_damping: Prepared, climatology: Path, run: Path, tmp_path: Path
) -> None:
    """From the baseline's scores in physical units: those of the normalised fields."""
    study = departing("damped_persistence", train=UNTRAINED)
    interpret(study, run, with_damping, tmp_path / "interpretation.json")
    loss = json.loads((tmp_path / "interpretation.json").read_text())["loss"]["as_trained"]
    scored = Evaluation(with_damping.hourly, with_damping.static, climatology, tmp_path / "s.nc")
    evaluate_baseline(study, "damped_persistence", scored, with_damping.damping)
    mse = read_scores(scored.output)["rmse"] ** 2
    std = open_statistics(with_damping.statistics)["std"].sel(variable=list(TARGETS)).values
    np.testing.assert_allclose(loss, (mse / std**2).mean(), rtol=1e-4)


def test_a_network_learns_to_depart(
    with_damping: Prepared, run: Path, study: Study, tmp_path: Path
) -> None:
    changed = departing("damped_persistence")
    record = json.loads(trained(changed, "physics_mask", 0, with_damping, tmp_path).read_text())
    untrained = json.loads(run.read_text())["val_loss"][0]
    assert record["best_val_loss"] < untrained
    reference = load_checkpoint(tmp_path / "checkpoints/best.ckpt")["reference"]
    assert reference["horizons_h"] == study.horizons_h


def test_only_the_last_layer_starts_at_zero_and_not_after_another_training(
    with_damping: Prepared, run: Path
) -> None:
    study = departing("damped_persistence")
    plain, network = (build_network(study, "wind_baseline", with_damping, 3) for _ in range(2))
    load_start(network, study, "wind_baseline", 3, None)
    changed = [
        name
        for (name, one), other in zip(plain.named_parameters(), network.parameters(), strict=True)
        if not torch.equal(one, other)
    ]
    assert changed == ["head.2.weight"]  # its bias was zero
    x = torch.randn(2, len(INPUTS), 8, 16)
    assert not network.eval()(x, torch.tensor([12.0, 24.0]), TARGETS).any()
    with torch.no_grad():
        network.head[-1].weight.fill_(0.5)
    begun = tiny_study(
        model={"departs_from": "damped_persistence"},
        variants=["physics_mask", "on"],
        variant_stanzas={
            "on": {
                "label": "trained on",
                "scan": "wind",
                "bias": {"kind": "barrier"},
                "start_from": "physics_mask",
                "learning_rate": 1e-4,
            },
            "physics_mask": {"reference": None},
        },
    )
    network = build_network(begun, "on", with_damping, 0)
    load_start(network, begun, "on", 0, run)
    weights = load_checkpoint(run.parent / "checkpoints/best.ckpt")["state_dict"]
    assert weights["head.2.weight"].any()
    assert torch.equal(network.state_dict()["head.2.weight"], weights["head.2.weight"])


def test_what_a_network_departs_from_is_part_of_its_training_and_nothing_else_of_others(
    study: Study, prepared: Prepared, with_damping: Prepared, tmp_path: Path
) -> None:
    def identity(of: Study, data: Prepared) -> str:
        return training_identity(of, "physics_mask", 0, data, None)

    other = tmp_path / "damping.nc"
    other.write_bytes(b"other coefficients")
    departs = departing("damped_persistence")
    assert identity(departs, with_damping) != identity(
        departs, replace(with_damping, damping=other)
    )
    assert identity(departs, with_damping) != identity(study, prepared)
    seasons = study.climatology.model_copy(update={"harmonics": 5})
    changed = study.model_copy(update={"climatology": seasons})
    assert identity(changed, prepared) == identity(study, prepared)


def test_what_is_departed_from_has_to_be_given_and_no_more(
    study: Study, prepared: Prepared, with_damping: Prepared, tmp_path: Path
) -> None:
    for of, data in ((departing("damped_persistence"), prepared), (study, with_damping)):
        with pytest.raises(AirshedError, match="do not fit what the networks depart from"):
            trained(of, "wind_baseline", 0, data, tmp_path)
