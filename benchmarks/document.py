"""Measured numbers in pages of docs/: whole sections, so that none is typed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PAGE = Path("docs/statistics.md")
RECORD = Path("results/benchmarks.json")


def document(section: str, text: str, page: Path = PAGE) -> None:
    """Put text between the marks of a section.

    Raises:
        ValueError: The page lacks the marks.
    """
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{page} lacks the marks {begin} and {end}")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def recorded(section: str, record: Path = RECORD) -> Any:
    """A section of the benchmarks' results."""
    return json.loads(record.read_text(encoding="utf-8"))[section]
