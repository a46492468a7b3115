"""Networks whose parts read fields as they are, or as they are changed; biases of other strength.

Where fields are changed is a matter of which part is given which: embedding, scan and blocks each
get the inputs as they are, or the changed ones behind them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from airshed.config.interventions import Intervention, Place
from airshed.model import Forecaster
from airshed.model.geography import Fields, Geography, WindFields
from airshed.model.scan import RasterScan
from airshed.training.learned import BIAS
from airshed.variables import WIND

AS_IT_IS, CHANGED = 0, 1


class Half(nn.Module):
    """A part of a network that reads one half of twice as many inputs.

    Args:
        part: Takes x [B, V, Y, X].
        which: AS_IT_IS or CHANGED.
    """

    def __init__(self, part: nn.Module, which: int) -> None:
        super().__init__()
        self.part, self.which = part, which

    def forward(self, x: Tensor) -> Any:
        """What the part makes of its half of x [B, 2 V, Y, X]."""
        return self.part(x.chunk(2, dim=1)[self.which])


class TwoGeographies(nn.Module):
    """Wind for the scan from one geography, fields for the blocks from another."""

    def __init__(self, for_scan: nn.Module, for_blocks: nn.Module) -> None:
        super().__init__()
        self.for_scan, self.for_blocks = for_scan, for_blocks

    def forward(self, x: Tensor) -> tuple[WindFields, Fields]:
        """Wind in cells, and fields of patches, for x [B, 2 V, Y, X]."""
        winds, _ = self.for_scan(x)
        _, fields = self.for_blocks(x)
        return winds, fields


def intervened(
    network: Forecaster,
    intervention: Intervention,
    met: Collection[Place],
    as_it_is: Geography,
    changed: Geography,
) -> Forecaster:
    """A network that reads changed fields in some of its parts; it is changed itself.

    Args:
        network: Takes x [B, V, Y, X]; afterwards [B, 2 V, Y, X], see
            :class:`airshed.evaluation.interventions.fields.ChangedFields`.
        intervention: What is changed. Where the wind is gone, tokens stay in raster order.
        met: Where the network is to meet it.
        as_it_is: The geography of the network.
        changed: The same with changed terrain.
    """
    geographies = Half(as_it_is, AS_IT_IS), Half(changed, CHANGED)
    network.inputs = Half(network.inputs, int("input" in met))  # type: ignore[assignment]
    network.channels *= 2
    for_scan = geographies["scan" in met]
    for_blocks = geographies[not {"bias", "backbone"}.isdisjoint(met)]
    apart = TwoGeographies(for_scan, for_blocks)
    network.geography = for_scan if for_scan is for_blocks else apart  # type: ignore[assignment]
    if "scan" in met and intervention.change == "zero" and set(intervention.changed()) >= {*WIND}:
        network.scan = RasterScan()
    return network


@contextmanager
def strength_times(network: Forecaster, factor: float) -> Iterator[None]:
    """The network with the strength of each bias multiplied, inside the context."""
    trained = {parameter: parameter.detach().clone() for parameter in strengths(network)}
    with torch.no_grad():
        for parameter in trained:
            parameter.mul_(factor)
        try:
            yield
        finally:
            for parameter, value in trained.items():
                parameter.copy_(value)


def strengths(network: Forecaster) -> list[nn.Parameter]:
    """The learned strength of each bias."""
    return [
        parameter for name, parameter in network.named_parameters() if name.endswith(f"{BIAS}alpha")
    ]
