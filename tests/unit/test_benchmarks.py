"""The benchmarks measure the variants that the configuration has."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from airshed.config import read_yaml
from airshed.config.variants import Variant


@pytest.fixture
def problem(root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module ``benchmarks/problem.py``."""
    spec = importlib.util.spec_from_file_location("problem", root / "benchmarks/problem.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "problem", module)
    spec.loader.exec_module(module)
    return module


def test_variants_are_those_of_the_configuration(root: Path, problem: ModuleType) -> None:
    stanzas = read_yaml(root / "config/variants.yaml")["variant_stanzas"]
    ablation = read_yaml(root / "config/studies/ablation.yaml")["variants"]
    assert set(problem.VARIANTS) == set(ablation)
    for name, (scan, bias) in problem.VARIANTS.items():
        backbone = dict(problem.BACKBONES.get(name, {"kind": "climax"}))
        stanza = {"label": "x", "scan": scan, "bias": dict(bias), "backbone": backbone}
        measured = Variant.model_validate(stanza)
        configured = Variant.model_validate(stanzas[name])
        for part in ("scan", "bias", "backbone"):
            assert getattr(measured, part) == getattr(configured, part), name


def test_the_measured_model_is_the_seed_configuration(problem: ModuleType) -> None:
    assert (problem.DIM, problem.DEPTH, problem.HEADS, problem.PATCH) == (768, 6, 8, 2)
    assert problem.SEED_GRID == (128, 256)
    assert problem.PATCH_GRIDS[8192] == (64, 128)
