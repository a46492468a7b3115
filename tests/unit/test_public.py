"""What ``import airshed`` offers: little, at no cost, and all of it documented."""

from __future__ import annotations

import re
import subprocess
import sys
from inspect import getdoc
from pathlib import Path

import pytest

import airshed

ROOT = Path(__file__).resolve().parents[2]


def test_importing_costs_nothing_until_a_name_is_used() -> None:
    heavy = "{'numpy', 'pandas', 'torch', 'xarray', 'pydantic'}"
    told = f"import sys, airshed; dir(airshed); print(*{heavy} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_every_public_name_is_there_and_documented() -> None:
    page = (ROOT / "docs/python.md").read_text()
    for name in airshed.PUBLIC:
        assert getdoc(getattr(airshed, name))
        assert name in page
    reference = (ROOT / "docs/api.md").read_text()
    assert set(re.findall(r"^\.\. auto\w+:: airshed\.(\w+)(?:\(\))?$", reference, re.M)) == {
        *airshed.PUBLIC
    }
    assert set(dir(airshed)) == {*airshed.PUBLIC, "__version__"}
    with pytest.raises(AttributeError, match="no attribute 'forecast'"):
        _ = airshed.forecast  # type: ignore[attr-defined]
