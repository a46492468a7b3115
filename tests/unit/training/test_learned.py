"""What biases learn is told whatever their parameters are called."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from airshed.assembly import build_network
from airshed.config import Study
from airshed.data.dataset import Batch
from airshed.data.prepared import Prepared
from airshed.training.history import History
from airshed.training.learned import learned, numbers
from airshed.training.learner import Learner
from airshed.training.lightning import Fabric
from airshed.training.optimisation import reach
from airshed.variables import INPUTS, TARGETS


def with_parameters(**parameters: torch.Tensor) -> nn.Module:
    """A network whose block 1 has a bias with these parameters; ``__`` stands for a point."""
    network = nn.Module()
    network.register_parameter("alpha", nn.Parameter(torch.tensor(9.0)))  # no bias's
    for name, values in parameters.items():
        module = network
        *parts, own = f"blocks.1.attn.core.bias.{name.replace('__', '.')}".split(".")
        for part in parts:
            if not hasattr(module, part):
                module.add_module(part, nn.Module())
            module = getattr(module, part)
        module.register_parameter(own, nn.Parameter(values))
    return network


def test_numbers_are_told_by_value_and_all_others_by_size_and_root_mean_square() -> None:
    network = with_parameters(
        beta=torch.tensor([0.5]),
        gate__temperature=torch.tensor(-2.0),
        table=torch.full((4, 5), -3.0),
        perceptron__first__weight=torch.zeros(3, 2),
        perceptron__first__bias=torch.tensor([3.0, 4.0]),
        perceptron__last__bias=torch.zeros(1),  # as wide as its output
    )
    start = learned(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
    assert learned(network).since(start) == {
        "parameters": {"blocks.1.beta": 1.0, "blocks.1.gate.temperature": -4.0},
        "initial": {"blocks.1.beta": 0.5, "blocks.1.gate.temperature": -2.0},
        "arrays": {
            "blocks.1.table": {"size": 20, "initial_rms": 3.0, "final_rms": 6.0},
            "blocks.1.perceptron": {
                "size": 9,
                "initial_rms": pytest.approx(math.sqrt(25 / 9)),
                "final_rms": pytest.approx(math.sqrt(100 / 9)),
            },
        },
    }


def test_a_strength_reaches_as_far_as_its_learning_rates_add_up() -> None:
    """Two steps of warm-up to 0.3, then half a cosine over four: 0.1, 0.2, 0.3 times these."""
    cosine = [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]
    assert reach(0.3, 2, 6) == pytest.approx(0.1 + 0.2 + 0.3 * sum(cosine))


def test_strengths_have_a_learning_rate_of_their_own(study: Study, prepared: Prepared) -> None:
    """One step of Adam moves each by its own rate, whatever the gradient."""
    network = build_network(study, "physics_mask", prepared, 0)
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    fabric = Fabric(accelerator="cpu", devices=1)
    learner = Learner(fabric, network, study.train.model_copy(update={"weight_decay": 0.0}))
    x = torch.randn(2, len(INPUTS), 8, 16, generator=torch.Generator().manual_seed(0))
    hours = torch.tensor([12.0, 24.0])
    batch = Batch(x, x[:, : len(TARGETS)], hours, torch.zeros(2, dtype=torch.int64))
    learner.forecast(batch, TARGETS).square().sum().backward()
    learner.step(torch.tensor(1.0), 1e-3, 0.05)
    moved = {name: (value - before[name]).abs() for name, value in network.named_parameters()}
    alpha = moved.pop("blocks.0.attn.core.bias.alpha")
    assert float(alpha) == pytest.approx(0.05, rel=0.05)
    assert max(float(change.max()) for change in moved.values()) == pytest.approx(1e-3, rel=1e-2)


def test_each_number_has_a_column_in_the_history() -> None:
    network = with_parameters(beta=torch.tensor(0.5), alpha=torch.tensor(0.25))
    history = History(every_steps=1)
    history.stepped(0.1, 1.0)
    history.add_row(1, 0, 1e-3, numbers(network))
    assert history.rows[0]["beta_block1"] == 0.5
    assert history.rows[0]["alpha_block1"] == 0.25
