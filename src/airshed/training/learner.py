"""A network with its optimizer, in one process or shared by several."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from torch import Tensor, nn

from airshed.config.training import TrainConfig
from airshed.data.dataset import Batch
from airshed.training import graphs
from airshed.training.lightning import Fabric
from airshed.training.optimisation import adamw, are_strengths
from airshed.training.sharding import clip_gradients, like, own, whole


class Learner:
    """Forward passes, optimiser steps and states of a network, whatever the strategy.

    Args:
        fabric: Connects the processes.
        network: All its parameters exist; it is changed in place.
        settings: Optimisation settings.

    Attributes:
        network: The network by its own names; call :meth:`forecast` instead of it.
        module: What the processes share.
    """

    def __init__(self, fabric: Fabric, network: nn.Module, settings: TrainConfig) -> None:
        self.fabric, self.network, self.settings = fabric, network, settings
        self.module = fabric.setup_module(network)
        self.parameters: list[nn.Parameter] = list(network.parameters())
        self.optimizer = adamw(network, settings.learning_rate, settings.weight_decay)
        self.precision = torch.bfloat16 if settings.precision == "bf16-mixed" else None
        self.autocast = torch.autocast(
            fabric.device.type, self.precision, enabled=self.precision is not None
        )
        self._to_record = graphs.wanted(settings, fabric.device, fabric.world_size)
        self._keeps_gradients = False

    def forecast(self, batch: Batch, targets: Sequence[str]) -> Tensor:
        """Normalised forecast [B, targets, Y, X]."""
        x, lead_hours, init_hours = batch.x, batch.lead_hours, batch.init_hours
        if self._to_record and self.module.training:
            self._to_record = False
            network, precision = self.network, self.precision
            self._keeps_gradients = graphs.record(
                network, x, lead_hours, targets, precision, init_hours
            )
        with self.autocast:
            forecast: Tensor = self.module(x, lead_hours, targets, init_hours)
        return forecast

    def accumulating(self, more_follows: bool) -> AbstractContextManager[Any]:
        """For a backward pass: the processes exchange gradients in the last one of a step."""
        return self.fabric.no_backward_sync(self.module, enabled=more_follows)

    def step(self, scale: Tensor, rate: float, strength_rate: float) -> None:
        """One step of AdamW with the accumulated gradients times ``scale``, which are used up.

        Args:
            scale: One number on the device, which the host does not wait for.
            rate: Learning rate.
            strength_rate: That of the strengths of biases.
        """
        sharded = self.settings.strategy == "fsdp" and self.fabric.world_size > 1
        gradients = [value.grad for value in self.parameters if value.grad is not None]
        for gradient in gradients:
            if sharded and gradient.dim() == 0:  # which the strategy leaves alone
                gradient.copy_(cast(Tensor, self.fabric.all_reduce(gradient, reduce_op="mean")))
        torch._foreach_mul_([own(gradient) for gradient in gradients], scale.to(gradients[0].dtype))
        clip_gradients(self.parameters, self.settings.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = strength_rate if are_strengths(group["params"]) else rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=not self._keeps_gradients)

    def weights(self) -> dict[str, Tensor]:
        """The whole weights, by the network's own names; called by all processes."""
        weights: dict[str, Tensor] = whole(dict(self.network.state_dict()))
        return weights

    def state_dict(self) -> dict[str, Any]:
        """Weights and the optimizer's moments, the same for all strategies; called by all."""
        return {"network": self.weights(), "optimizer": whole(self.optimizer.state_dict())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state, whatever the strategy that it was saved with."""
        current = self.network.state_dict()
        self.network.load_state_dict(
            {name: like(value, current[name]) for name, value in state["network"].items()}
        )
        ordered = [
            parameter for group in self.optimizer.param_groups for parameter in group["params"]
        ]
        moments = {
            number: {name: like(value, ordered[number]) for name, value in entry.items()}
            for number, entry in state["optimizer"]["state"].items()
        }
        kernels = {"fused": self.optimizer.defaults["fused"]}  # those of this device
        groups = [group | kernels for group in state["optimizer"]["param_groups"]]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
