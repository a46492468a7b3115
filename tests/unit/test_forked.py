"""Processes that tests fork."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from forked import forked


def test_every_thread_that_asks_learns_how_a_process_has_ended() -> None:
    """multiprocessing's own tells one of them, and the others that it failed."""
    process = forked(exec, "import sys, time; time.sleep(0.2); sys.exit(3)", {})
    process.start()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: process.join(), range(8)))
        codes = list(threads.map(lambda _: process.exitcode, range(8)))
    assert codes == [3] * 8
