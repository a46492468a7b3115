"""What was found of attention paths, in words, for the log, ``airshed status`` and the report.

Nothing is imported here: showing a study's status needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

BLOCKS = {"plain": "blocks without a bias", "biased": "blocks with a bias"}


def described(what: str, path: str, found: Mapping[str, Mapping[str, Any]]) -> str:
    """One choice in a line: the path, and time and error of each candidate, or what it lacks."""
    parts = [
        f"{name}: {facts['lacking']}"
        if "lacking" in facts
        else f"{name} {facts['ms']:.3g} ms, error {facts['error']:.0e}"
        for name, facts in found.items()
    ]
    return f"{what}: {path} ({'; '.join(parts)})"


def lines(choices: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line for each kind of block whose path was chosen by measurement."""
    for blocks, choice in choices.items():
        yield described(BLOCKS[blocks], choice["path"], choice["found"])
