"""``python -m airshed.cli``."""

from __future__ import annotations

from airshed.cli import main

main()
