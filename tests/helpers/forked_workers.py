"""Processes that share the tests, forked from one that has imported what all of them need.

Importing takes each of them a quarter of a minute otherwise, and as long again those that it forks.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack

import forked
import pytest
from forked_command import forked_command


def fork_workers(config: pytest.Config) -> None:
    """Have xdist start its processes like this, if it starts any."""
    if specifications := getattr(config.option, "tx", None):
        forked.preload("all_imports")
        forked.start_importing()
        until_the_end = ExitStack()
        python = until_the_end.enter_context(forked_command("python", _python))
        config.add_cleanup(until_the_end.close)
        config.option.tx = [f"{one}//python={python}" for one in specifications]


def _python() -> None:
    """What ``python -u -c PROGRAM`` is, in this process."""
    import all_imports  # noqa: F401  # is there; else this says what could not be imported

    forked.fork_from_the_same()
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    exec(sys.argv[-1], {"__name__": "__main__"})  # noqa: S102
