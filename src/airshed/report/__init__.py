"""The report of a study: one page that answers its question."""

from __future__ import annotations

from airshed.report.page import build_report

__all__ = ["build_report"]
