"""Progress of long work: a bar on a terminal, one line a minute with an ETA in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
LOG_INTERVAL_S = 60.0
LOG_LINE = "{desc}: {n_fmt}/{total_fmt} in {elapsed}, {remaining} left\n"


def progress(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Iterate over ``items`` and show how far it got, the rate and the time left."""
    terminal = sys.stderr.isatty()
    yield from tqdm(
        items,
        desc=what,
        total=total,
        mininterval=0.5 if terminal else LOG_INTERVAL_S,
        maxinterval=LOG_INTERVAL_S,
        dynamic_ncols=terminal,
        bar_format=None
        if terminal
        else "{desc}: {n_fmt}/{total_fmt} in {elapsed}, {remaining} left\n",
    )
