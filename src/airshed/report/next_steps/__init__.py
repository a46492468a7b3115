"""What to do next: a study's verdicts against the founding study's table of decisions."""

from __future__ import annotations

from airshed.report.next_steps.decisions import CAPTION, IN_SIGHT, by_reason, next_steps

__all__ = ["CAPTION", "IN_SIGHT", "by_reason", "next_steps"]
