"""Garbage is looked for where there may be some, and not in all that is imported."""

from __future__ import annotations

import atexit
import gc

OLDEST = 50  # looked through after some 400,000 new objects; with 10, as in Python, after 80,000


def look_rarely_for_garbage() -> None:
    """For a process that imports much, works and ends.

    Libraries are hundreds of thousands of objects that stay. Python would look through them several
    times while they are imported and again at the end: a third of the time of a step that does
    little else. Young objects are looked through as often as before.
    """
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, OLDEST)
    atexit.register(gc.freeze)
