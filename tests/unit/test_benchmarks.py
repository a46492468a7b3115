"""The benchmarks measure what the configuration has, and keep what was measured."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from forked import exit_code


def benchmark(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of ``benchmarks/``."""
    spec = importlib.util.spec_from_file_location(name, root / f"benchmarks/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def problem(root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return benchmark(root, "problem", monkeypatch)


def test_the_measured_model_is_the_seed_configuration(problem: ModuleType) -> None:
    assert (problem.DIM, problem.DEPTH, problem.HEADS, problem.PATCH) == (768, 6, 8, 2)
    assert problem.SEED_GRID == (128, 256)
    assert problem.PATCH_GRIDS[8192] == (64, 128)


def test_a_kept_report_has_its_figures_and_no_maps(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, page = tmp_path / "study", tmp_path / "docs/page"
    (study / "figures").mkdir(parents=True)
    for name in ("curve.png", "map.png", "curve.svg"):
        (study / "figures" / name).write_bytes(name.encode())
    parts = [
        "# study\n\nThe data are simulated.",
        "Error\n\n![A curve.](figures/curve.png)",
        "Maps\n\n![A map.](figures/map.png)",
        "What was run",
    ]
    (study / "report.md").write_text("\n## ".join(parts))
    (study / "comparisons.csv").write_text("variant\n")
    (study / "cost.json").write_text("{}")
    (study / "scores.csv").write_text("variant,metric,value\na,rmse,1.5\na,bias,2.0\na,mae,0.5\n")
    page.mkdir(parents=True)
    (page / "stale.png").touch()
    benchmark(root, "backbones", monkeypatch).keep(study, page)
    kept = sorted(str(path.relative_to(page)) for path in page.rglob("*") if path.is_file())
    names = ["README.md", "comparisons.csv", "cost.json", "figures/curve.png", "scores.csv"]
    assert kept == names
    assert (page / "README.md").read_text() == "\n## ".join([*parts[:2], parts[3]])
    assert (page / "scores.csv").read_text() == "variant,metric,value\na,rmse,1.5\na,mae,0.5\n"


def test_every_part_is_there(root: Path) -> None:
    """A name that is wrong would end a run of hours at that part."""
    program = f"""
import importlib, sys
sys.path.insert(0, {str(root / "benchmarks")!r})
import run
for part in run.PARTS.values():
    module, function = part.split(":")
    assert callable(getattr(importlib.import_module(module), function)), part
"""
    assert exit_code(program) == 0


BARE = """
import contextlib, runpy, sys, torch
lacking = "yaml pydantic pandas xarray zarr snakemake rasterio lightning_fabric triton scipy"
sys.modules |= dict.fromkeys(lacking.split())
sys.path.insert(0, "benchmarks")
sys.argv[1:] = []
for program in ("benchmarks/gpu.py", "tests/gpu/exactness.py"):
    with contextlib.suppress(SystemExit):
        runpy.run_path(program, run_name="__main__")
"""


def test_on_a_bare_machine_without_a_gpu_its_checks_say_so(root: Path) -> None:
    """``make test-gpu`` and ``make bench-gpu`` with torch and the source tree alone."""
    environment = {"PYTHONPATH": "src", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", BARE], cwd=root, env=environment, capture_output=True, text=True
    )
    said = "there is no GPU that torch can use: nothing is"
    assert (done.stdout, done.stderr) == (f"{said} measured\n{said} checked\n", "")
