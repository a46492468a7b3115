"""ClimaX with exchangeable token order and attention bias; needs torch and nothing else."""

from __future__ import annotations

from airshed.model.build import build_model
from airshed.model.climax import ClimaX

__all__ = ["ClimaX", "build_model"]
