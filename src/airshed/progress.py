"""Progress of long work: a bar on a terminal, one line a minute with an ETA in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
LOG_INTERVAL_S = 60.0
LOG_LINE = "{desc}: {n_fmt}/{total_fmt} in {elapsed}, {remaining} left\n"


def progress(
    items: Iterable[Item], what: str, total: int | None = None, delay_s: float = 0
) -> Iterator[Item]:
    """Iterate over ``items`` and show progress, rate and time left.

    Nothing is shown before ``delay_s`` have passed.
    """
    known = len(items) if isinstance(items, Sized) else total
    with progress_bar(what, known, delay_s=delay_s) as bar:
        for item in items:
            yield item
            bar.update()


def progress_bar(what: str, total: int | None, initial: int = 0, delay_s: float = 0) -> tqdm[Any]:
    """A bar to be advanced by ``update``; ``initial`` items were done before."""
    terminal = sys.stderr.isatty()
    return tqdm(
        desc=what,
        total=total,
        initial=initial,
        delay=delay_s,
        mininterval=0.5 if terminal else LOG_INTERVAL_S,
        maxinterval=LOG_INTERVAL_S,
        dynamic_ncols=terminal,
        bar_format=None if terminal else LOG_LINE,
    )
