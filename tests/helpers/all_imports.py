"""Imports all helpers, and what they want to be imported where processes are forked."""

from __future__ import annotations

import importlib
from pathlib import Path

import forked

for path in sorted(Path(__file__).parent.glob("*.py")):
    importlib.import_module(path.stem)
for name in forked.preloaded():
    importlib.import_module(name)
