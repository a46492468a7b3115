"""Attention biases: what terrain and wind add to the score of a query and a key.

A bias is one small class. ``features`` gives what it needs to know of every token, ``score`` the
bias of queries and keys from their features. Every attention path calls that one definition; none
of them forms the bias of all N x N pairs at once unless N is small.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from airshed.model.geography import Fields


class Bias(nn.Module, ABC):
    """A function of query and key, added to the attention scores before softmax."""

    @abstractmethod
    def features(self, fields: Fields) -> Tensor:
        """What the bias needs of each patch: [B, F, N] in raster order, not differentiated."""

    @abstractmethod
    def score(self, query: Tensor, key: Tensor) -> Tensor:
        """Bias [B, 1 or heads, Q, K] of queries [B, F, Q] and keys [B, F, K]."""


class Barrier(Bias):
    """Higher ground between a query and its key is a barrier; a learnable alpha scales it.

    ``alpha * clamp(-0.5 relu((e_j - e_i) / 1000) factor_ij, -10, 0)`` for query i and key j, with
    elevation e in metres. ``factor_ij = 1 - 0.3 sigmoid(min(s_i, s_j) - 5)`` lets wind of speed s
    (m s-1) weaken the barrier. The sigmoid is monotone, so the factor of a pair is the larger one
    of the factors of its tokens.

    Args:
        alpha_init: Initial strength.
        wind_factor: Factor of a token from its wind speed.
    """

    def __init__(self, alpha_init: float, wind_factor: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(float(alpha_init)))
        self.wind_factor = wind_factor

    def features(self, fields: Fields) -> Tensor:
        """Elevation in km and wind factor of each patch."""
        return torch.stack(
            [fields.elevation_m / 1000, self.wind_factor(fields.wind_speed_ms)], dim=1
        )

    def score(self, query: Tensor, key: Tensor) -> Tensor:
        """Zero for keys that lie lower, negative for keys that lie higher."""
        rise_km = (key[:, 0, None, :] - query[:, 0, :, None]).relu()
        factor = torch.maximum(query[:, 1, :, None], key[:, 1, None, :])
        return self.alpha * (-0.5 * rise_km * factor).clamp(-10, 0).unsqueeze(1)


def storm_opens(wind_speed_ms: Tensor) -> Tensor:
    """Wind factor 1 - 0.3 sigmoid(s - 5): barriers weigh up to 30 % less in strong wind."""
    return 1 - 0.3 * torch.sigmoid(wind_speed_ms - 5)


def wind_ignored(wind_speed_ms: Tensor) -> Tensor:
    """Wind factor 1 whatever the wind."""
    return torch.ones_like(wind_speed_ms)


def _barrier(alpha_init: float, wind_modulation: bool) -> Bias:
    return Barrier(alpha_init, storm_opens if wind_modulation else wind_ignored)


KINDS: dict[str, Callable[..., Bias]] = {"barrier": _barrier}
"""Every kind of bias by its name in the configuration; the rest of a stanza are its arguments."""


def build_bias(stanza: Mapping[str, Any]) -> Bias:
    """A bias from its stanza of configuration (``kind``, its arguments; ``blocks`` is left out).

    Raises:
        ValueError: The kind is unknown.
    """
    arguments = {key: value for key, value in stanza.items() if key not in ("kind", "blocks")}
    if stanza["kind"] not in KINDS:
        raise ValueError(f"unknown kind of bias '{stanza['kind']}'; known: {', '.join(KINDS)}")
    return KINDS[stanza["kind"]](**arguments)
