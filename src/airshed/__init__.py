"""Airshed: ablation studies of air-quality forecasting transformers in one workflow."""

from __future__ import annotations

__version__ = "0.1.0"
