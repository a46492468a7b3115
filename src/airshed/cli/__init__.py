"""The ``airshed`` command: one subcommand for each step of the workflow.

Every step takes the paths that it reads and writes, so that it runs by hand, under ``srun`` and
under Snakemake alike. Heavy libraries are imported by the step that needs them.
"""

from __future__ import annotations

from importlib import import_module

from airshed.cli.app import app, main

MODULES = (
    *("bench", "check", "cluster", "comparing", "data", "evaluation", "export", "forecast"),
    *("inspect", "rehearsal", "report", "study", "supplement", "training"),
)
"""Each adds its commands to the app, in this order."""
for module in MODULES:
    import_module(f"{__name__}.{module}")

__all__ = ["app", "main"]
