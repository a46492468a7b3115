"""Fully sharded training (FSDP2): every process holds a part of each weight and of its moments.

Weights without dimensions, the strengths of biases, cannot be sharded; every process holds them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from airshed.model import Forecaster
from airshed.training.lightning import ModelParallelStrategy


def sharded_strategy(processes: int, timeout: timedelta) -> ModelParallelStrategy:
    """Shards block by block: a process gathers the whole weights of one block at a time."""
    return ModelParallelStrategy(
        _shard,
        data_parallel_size=processes,
        tensor_parallel_size=1,
        save_distributed_checkpoint=False,
        timeout=timeout,
    )


def _shard(network: Forecaster, mesh: DeviceMesh) -> Forecaster:
    network.to(mesh.device_type)
    unsharded = {parameter for parameter in network.parameters() if parameter.dim() == 0}
    for part in (*network.blocks, network):
        fully_shard(part, mesh=mesh["data_parallel"], ignored_params=unsharded)
    return network


def whole(value: Any) -> Any:
    """Nested dicts and lists with every sharded tensor gathered; a collective of all processes."""
    if isinstance(value, DTensor):
        return value.full_tensor()
    if isinstance(value, dict):
        return {key: whole(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [whole(entry) for entry in value]
    return value


def own(value: Tensor) -> Tensor:
    """The part of a tensor that this process holds; a change in place changes the tensor."""
    return value.to_local() if isinstance(value, DTensor) else value


def like(value: Tensor, example: Tensor) -> Tensor:
    """A whole tensor, sharded as another one is."""
    if isinstance(example, DTensor) and value.shape == example.shape:
        local = value.to(example.device)
        return distribute_tensor(local, example.device_mesh, example.placements)
    return value


def clip_gradients(parameters: list[nn.Parameter], limit: float) -> None:
    """Scale all gradients down to a norm, however each of them is sharded."""
    by_kind: dict[type, list[nn.Parameter]] = {}
    gradients: dict[type, list[Tensor]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            by_kind.setdefault(type(parameter.grad), []).append(parameter)
            gradients.setdefault(type(parameter.grad), []).append(parameter.grad)
    norms = [whole(nn.utils.get_total_norm(alike)) for alike in gradients.values()]
    norm = torch.linalg.vector_norm(torch.stack(norms))
    for alike in by_kind.values():
        nn.utils.clip_grads_with_norm_(alike, limit, norm)
