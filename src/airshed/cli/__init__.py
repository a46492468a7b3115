"""The ``airshed`` command: one subcommand for each step of the workflow.

Every step takes the paths that it reads and writes, so that it runs by hand, under ``srun`` and
under Snakemake alike. Heavy libraries are imported by the step that needs them.
"""

from __future__ import annotations

from airshed.cli import (
    bench,
    check,
    cluster,
    comparing,
    data,
    evaluation,
    export,
    forecast,
    inspect,
    rehearsal,
    report,
    study,
    supplement,
    training,
)
from airshed.cli.app import app, main

__all__ = [
    "app",
    "bench",
    "check",
    "cluster",
    "comparing",
    "data",
    "evaluation",
    "export",
    "forecast",
    "inspect",
    "main",
    "rehearsal",
    "report",
    "study",
    "supplement",
    "training",
]
