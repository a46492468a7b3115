"""CUDA graphs: forward and backward pass of a micro-batch are recorded once, and launched whole.

A small micro-batch is computed faster than a processor launches its kernels one by one. Recording
needs fixed shapes, so every other shape, and everything but training, runs as it is. Parameters
keep their gradients' memory from step to step: what a graph writes stays in buffers of its own,
which the next replay overwrites.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from airshed.errors import brief

if TYPE_CHECKING:
    from airshed.config.training import TrainConfig

log = logging.getLogger(__name__)

# Two plain passes differ themselves where a library adds in no fixed order (cuDNN's attention)
TIMES_SPREAD, LARGEST_DIFFERENCE = 3, 0.05


class _Pass(nn.Module):
    """A forward pass for given targets, by a network's forward function as it is now."""

    def __init__(
        self, network: nn.Module, targets: Sequence[str], autocast: torch.dtype | None
    ) -> None:
        super().__init__()
        self.network, self.targets, self.autocast = network, targets, autocast
        self.plain: Callable[..., Tensor] = network.forward

    def forward(self, x: Tensor, lead_hours: Tensor, *init_hours: Tensor) -> Tensor:
        """Forecast fields; products of matrices in the precision of ``autocast``."""
        # a cast that is kept for later would not be part of the recording
        with torch.autocast(
            x.device.type, self.autocast, enabled=self.autocast is not None, cache_enabled=False
        ):
            return self.plain(x, lead_hours, self.targets, *init_hours)


def wanted(settings: TrainConfig, device: torch.device, processes: int = 1) -> bool:
    """Whether a training may record its passes.

    Sharded weights are gathered, and blocks computed again, by more than kernels; with several
    processes recording was never tried.
    """
    plain = settings.strategy != "fsdp" and not settings.recompute_blocks
    return plain and device.type == "cuda" and processes == 1


def record(
    network: nn.Module,
    x: Tensor,
    lead_hours: Tensor,
    targets: Sequence[str],
    autocast: torch.dtype | None,
    init_hours: Tensor | None = None,
) -> bool:
    """Let a network in training replay a recording for inputs of one shape, if that is exact.

    Args:
        network: In training mode on its GPU; its forward function is replaced. All its parameters
            get gradients of zero, to which the passes add; they must never be set to None.
        x: [B, V, Y, X] of the shape to record.
        lead_hours: [B].
        targets: Names of the variables to forecast.
        autocast: Precision of products of matrices; None for that of the parameters.
        init_hours: [B], for networks that are called with it.

    Returns:
        Whether passes are replayed; where they cannot be, the reason is logged.
    """
    one_pass = _Pass(network, targets, autocast)
    given = x, lead_hours, *_given(init_hours)
    own = [x.device] if x.is_cuda else []
    with torch.random.fork_rng(devices=own):  # recording draws random numbers
        try:
            expected, again = (_results(one_pass, given) for _ in range(2))
            copies = tuple(tensor.clone() for tensor in given)
            replayed: Any = torch.cuda.make_graphed_callables(one_pass, copies)
            found = _results(replayed, given)
        except RuntimeError as error:  # what a recording cannot hold
            log.warning("passes are not recorded: %s", brief(error))
            return False
    spread, apart = _difference(again, expected), _difference(found, expected)
    if apart > min(TIMES_SPREAD * spread, LARGEST_DIFFERENCE):
        log.warning(
            "passes are not recorded: a replay differs by %.1e, two plain passes by %.1e",
            *(apart, spread),
        )
        return False

    def forward(
        x_: Tensor,
        lead_hours_: Tensor,
        out_variables: Sequence[str],
        init_hours_: Tensor | None = None,
    ) -> Tensor:
        now = x_, lead_hours_, *_given(init_hours_)
        fits = x_.shape == x.shape and tuple(out_variables) == tuple(targets)
        if fits and len(now) == len(given) and network.training and torch.is_grad_enabled():
            out: Tensor = replayed(*now)
            return out
        return one_pass.plain(x_, lead_hours_, out_variables, *now[2:])

    network.forward = forward
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    return True


def forget(network: nn.Module) -> None:
    """Let a network compute as it did before; the memory of its recording is free then."""
    vars(network).pop("forward", None)


def _given(init_hours: Tensor | None) -> tuple[Tensor, ...]:
    return () if init_hours is None else (init_hours,)


def _results(run: nn.Module, given: Sequence[Tensor]) -> list[Tensor]:
    """A forecast and its gradients, always with the same draws of dropout."""
    torch.manual_seed(0)
    out = run(*given)
    gradients = torch.autograd.grad(out.float().square().sum(), [*run.parameters()])
    return [tensor.clone() for tensor in (out.detach(), *gradients)]


def _difference(found: list[Tensor], expected: list[Tensor]) -> float:
    """The largest difference of a tensor from what is expected, relative to its norm."""
    pairs = zip(found, expected, strict=True)
    apart = [(one - other).norm() / other.norm().clamp(min=1e-12) for one, other in pairs]
    return float(torch.stack([each.float() for each in apart]).max())
