"""What is imported is not looked through for garbage again and again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SPARING = "from airshed.garbage import look_rarely_for_garbage; look_rarely_for_garbage()"
PROGRAM = """
import gc, os
{first}
library = [[] for _ in range(300_000)]
while_imported = gc.get_stats()[2]["collections"]
left_open = open({path!r}, "w")
left_open.write("whole")
gc.callbacks.append(lambda *_: os.write(1, b"%d %d\\n" % (while_imported, len(gc.get_objects()))))
"""


@pytest.mark.parametrize(("first", "sparing"), [(SPARING, True), ("", False)])
def test_python_looks_rarely_at_what_stays_and_not_at_the_end(
    tmp_path: Path, first: str, sparing: bool
) -> None:
    program = PROGRAM.format(first=first, path=str(tmp_path / "left_open"))
    said = subprocess.check_output([sys.executable, "-c", program], text=True, timeout=60)
    while_imported, at_the_end = map(int, said.splitlines()[0].split())
    assert (while_imported == 0) is sparing
    assert (at_the_end < 100_000) is sparing
    assert (tmp_path / "left_open").read_text() == "whole"
