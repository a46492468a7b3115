"""Recorded passes, as far as they show without a GPU: who is replayed, and who is not trusted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from airshed.bench.problem import random_geography
from airshed.config.training import TrainConfig
from airshed.model import build_model
from airshed.training import graphs

TARGETS = ("o3", "pm25")


class Network(nn.Module):
    """Calls itself ``plain`` passes; a weight and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.drop, self.plain = nn.Parameter(torch.ones(3)), nn.Dropout(0.5), 0

    def forward(self, x: Tensor, lead_hours: Tensor, out_variables: tuple[str, ...]) -> Tensor:
        self.plain += 1
        return self.drop(x * self.weight) + len(out_variables)


def replaying(change: float = 0.0) -> Callable[[nn.Module, Any], nn.Module]:
    """Stands for CUDA's recording: what it gives back deviates by so much."""

    class Replay(nn.Module):
        def __init__(self, recorded: nn.Module) -> None:
            super().__init__()
            self.recorded, self.replays = recorded, 0

        def forward(self, x: Tensor, lead_hours: Tensor) -> Tensor:
            self.replays += 1
            return self.recorded(x, lead_hours) + change

    return lambda module, _: Replay(module)


def test_a_pass_of_the_recorded_shape_in_training_is_replayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []
    record = replaying()
    monkeypatch.setattr(
        torch.cuda, "make_graphed_callables", lambda *a: made.append(record(*a)) or made[-1]
    )
    network, x, lead = Network(), torch.ones(2, 3), torch.ones(2)
    torch.manual_seed(5)
    assert graphs.record(network, x, lead, TARGETS, None)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))  # recording draws nothing
    (replay,) = made
    before = replay.replays

    def replays() -> int:
        return int(replay.replays - before)

    gradients = []
    for _ in range(2):
        torch.manual_seed(6)
        network(x, lead, TARGETS).sum().backward()
        gradients.append(network.weight.grad.clone())
    assert gradients[0].any()
    assert torch.equal(gradients[1], 2 * gradients[0])  # they add up
    assert replays() == 2
    network(x[:1], lead[:1], TARGETS)
    network(x, lead, TARGETS[:1])
    with torch.no_grad():
        network(x, lead, TARGETS)
    network.eval()(x, lead, TARGETS)
    assert replays() == 2
    assert [*network.state_dict()] == ["weight"]
    graphs.forget(network)
    network.train()(x, lead, TARGETS)
    assert replays() == 2


def test_other_devices_of_the_node_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """To save the state of each of their random numbers would start all of them."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda *_: pytest.fail("a device is asked"))
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", replaying())
    assert graphs.record(Network(), torch.ones(2, 3), torch.ones(2), TARGETS, None)
    build_model(
        ("o3",), (4, 4), bias={"kind": "none"}, geography=random_geography((4, 4), 2, None), seed=0,
        depth=1, num_heads=1, embed_dim=8,
    )  # fmt: skip


@pytest.mark.parametrize("fails", [True, False], ids=["fails", "deviates"])
def test_what_cannot_be_recorded_exactly_is_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fails: bool
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(
        torch.cuda, "make_graphed_callables", refuse if fails else replaying(change=1e-6)
    )
    network = Network()
    assert not graphs.record(network, torch.ones(2, 3), torch.ones(2), TARGETS, None)
    assert ("not permitted" if fails else "differs by") in caplog.text
    assert network.weight.grad is None
    assert "forward" not in vars(network)


def test_recording_is_for_plain_trainings_on_one_gpu() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert graphs.wanted(TrainConfig(), gpu)
    assert not graphs.wanted(TrainConfig(), cpu)
    assert not graphs.wanted(TrainConfig(), gpu, processes=2)
    assert not graphs.wanted(TrainConfig(strategy="fsdp"), gpu)
    assert not graphs.wanted(TrainConfig(recompute_blocks=True), gpu)
