"""Changing a trained bias: what is changed, what comes back, and the losses in between."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from airshed.assembly import build_network
from airshed.config import Study
from airshed.data.dataset import Batch, ForecastDataset
from airshed.data.prepared import Prepared
from airshed.errors import AirshedError
from airshed.evaluation.interpretation import bias_removed, interpret
from airshed.evaluation.interventions.networks import strength_times
from airshed.model import ClimaX
from airshed.training.finished import trained_weights
from airshed.variables import TARGETS


@pytest.fixture
def network(study: Study, prepared: Prepared, run: Path) -> ClimaX:
    network = build_network(study, "physics_mask", prepared, 1)
    network.load_state_dict(trained_weights(run))
    return network.eval()


@pytest.fixture
def items(study: Study, prepared: Prepared) -> Batch:
    """Every sample of the test split as one batch."""
    samples = ForecastDataset.of(study, prepared, study.splits.test)
    return samples.__getitems__(range(len(samples)))


def forecast(network: ClimaX, items: Batch) -> Tensor:
    with torch.no_grad():
        return network(items.x, items.lead_hours, TARGETS)


def test_alpha_at_zero_is_the_network_without_the_bias(
    study: Study, prepared: Prepared, network: ClimaX, items: Batch
) -> None:
    """The unbiased variant, given the same backbone weights, forecasts the same."""
    unbiased = build_network(study, "wind_baseline", prepared, 1).eval()
    weights = network.state_dict()
    unbiased.load_state_dict({name: weights[name] for name in unbiased.state_dict()})
    trained = forecast(network, items)
    with strength_times(network, 0):
        torch.testing.assert_close(forecast(network, items), forecast(unbiased, items))
    with bias_removed(network):
        assert torch.equal(forecast(network, items), forecast(unbiased, items))
    assert not torch.allclose(trained, forecast(unbiased, items))
    assert torch.equal(forecast(network, items), trained)  # all is as it was


def test_a_failure_inside_leaves_the_trained_bias(network: ClimaX) -> None:
    core = network.cores[0]
    strength = core.bias.alpha.item()
    for changed in (strength_times(network, 3), bias_removed(network)):
        with pytest.raises(RuntimeError), changed:
            raise RuntimeError
    assert network.cores[0] is core
    assert core.bias.alpha.item() == strength


def test_alpha_doubled_is_a_network_that_learned_twice_the_strength(
    network: ClimaX, items: Batch
) -> None:
    with strength_times(network, 2):
        doubled = forecast(network, items)
    with torch.no_grad():
        network.cores[0].bias.alpha.add_(network.cores[0].bias.alpha.clone())
    assert torch.equal(doubled, forecast(network, items))


def test_the_file_holds_losses_of_the_test_split(
    study: Study,
    prepared: Prepared,
    run: Path,
    network: ClimaX,
    items: Batch,
    tmp_path: Path,
) -> None:
    output = tmp_path / "interpretation.json"
    interpret(study, run, prepared, output)
    found = json.loads(output.read_text())
    inside = items.y.numpy()
    error = np.where(np.isfinite(inside), forecast(network, items).numpy() - inside, np.nan)
    loss = found["loss"]
    assert loss["as_trained"] == pytest.approx(np.nanmean(error**2), rel=1e-5)
    assert loss["alpha_zero"] == pytest.approx(loss["bias_removed"], rel=1e-5)
    assert found["relative_loss_change"]["alpha_doubled"] == pytest.approx(
        loss["alpha_doubled"] / loss["as_trained"] - 1
    )
    assert found["samples"]["used"] == found["samples"]["of"] == len(inside)
    assert found["data_source"] == "simulated"
    history = pd.read_csv(run.with_name("history.csv"))["alpha_block0"]
    path = found["alpha"]["0"]
    assert path["initial"] == 0.2
    assert path["final"] == pytest.approx(history.iloc[-1])
    assert path["lowest"] <= path["best_weights"] <= path["highest"]
    shares = found["moved_attention_share"]
    assert list(shares["by_block_and_head"]) == ["0"]
    assert len(shares["by_block_and_head"]["0"]) == study.model.heads
    assert 0 < shares["mean"] < 1


def test_fewer_samples_and_queries_are_named(
    study: Study, prepared: Prepared, run: Path, tmp_path: Path
) -> None:
    few = study.interpretation.model_copy(update={"samples": 5, "queries": 7})
    interpret(study.model_copy(update={"interpretation": few}), run, prepared, tmp_path / "i.json")
    found = json.loads((tmp_path / "i.json").read_text())
    assert found["samples"]["used"] == 5
    assert found["queries"] == {"used": 7, "of": 32}


def test_a_variant_without_a_bias_is_refused(
    study: Study, prepared: Prepared, run: Path, tmp_path: Path
) -> None:
    record = json.loads(run.read_text()) | {"variant": "wind_baseline"}
    other = tmp_path / "run.json"
    other.write_text(json.dumps(record))
    with pytest.raises(AirshedError, match="nothing to interpret"):
        interpret(study, other, prepared, tmp_path / "i.json")
