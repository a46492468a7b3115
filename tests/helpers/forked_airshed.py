"""An ``airshed`` whose processes are forked from one that has imported what its steps need.

It stands in for the command where a whole study runs and only its results are looked at: imports
take most of each step of a tiny study. Runs that are killed, watched or sent to a cluster start the
command itself, and end where these do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forked import preload
from forked_command import forked_command
from reading import READ, noted

preload(
    *("airshed.cli", "airshed.simulate", "airshed.data.ingest", "airshed.evaluation.network"),
    *("airshed.training.run", "airshed.bench.cost", "airshed.report.page"),
    "distributed",  # which xarray asks for a scheduler whenever it writes
)


@contextmanager
def forked_airshed() -> Iterator[Path]:
    """A folder for PATH with such a command, which works until the end of the context."""
    with forked_command("airshed", _airshed) as command:
        yield command.parent


def _airshed() -> None:
    from airshed.cli import main

    with noted(Path(sys.argv[0]).parent / READ):
        main()
