"""What to do next: a study's verdicts against the founding study's table of decisions."""

from __future__ import annotations

from airshed.report.next_steps.decisions import CAPTION, next_steps, table

__all__ = ["CAPTION", "next_steps", "table"]
