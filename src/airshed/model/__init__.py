"""ClimaX with exchangeable token order and attention bias; needs torch and nothing else."""

from __future__ import annotations

from airshed.model.build import build_model
from airshed.model.climax import ClimaX
from airshed.model.forecaster import Forecaster

__all__ = ["ClimaX", "Forecaster", "build_model"]
