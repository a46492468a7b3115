from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd

from airshed.comparison.table import COLUMNS
from airshed.config import dump_study, load_study

CONFIG = Path(__file__).resolve().parents[3] / "config"
WORLDS = {"recovery": [], "recovery_flat": ["studies/recovery_flat.yaml"]}


def make_world(results: Path, name: str, verdict: str, limit: str) -> None:
    files = ["config.yaml", "variants.yaml", "studies/recovery.yaml", *WORLDS[name]]
    study = load_study([CONFIG / file for file in files])
    run = results / name / "variants/wind_baseline/seed0/run.json"
    run.parent.mkdir(parents=True)
    record = {"commit": "0123456789abcdef", "parameters": 12345, "optimizer_steps": 678}
    run.write_text(json.dumps(record | {"device": "a processor"}))
    (results / name / "config.resolved.yaml").write_text(dump_study(study))
    beside = {"init_times": 560, "limit": limit}
    overall = ("physics_mask", "wind_baseline", "all", "all", -0.031, -0.05, -0.0123, 0.004, 0.004)
    tests = [("pm25", 12, "helps"), ("pm25", 24, "helps"), ("o3", 12, "equivalent")]
    rows = [(*overall, verdict)] + [
        (*overall[:2], pollutant, horizon, *overall[4:], one) for pollutant, horizon, one in tests
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS[:10])).assign(**beside)
    table.to_csv(results / name / "comparisons.csv", index=False)


def test_both_worlds_are_shown_with_what_was_run(
    benchmark_module: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    make_world(tmp_path, "recovery", "helps", "")
    make_world(tmp_path, "recovery_flat", "inconclusive", "short test")
    benchmark_module("document")
    text = benchmark_module("recovery").section(tmp_path)
    numbers = "physics_mask | wind_baseline | -3.10 % (-5.00 to -1.23) | 0.004"
    assert f"| 95 % | {numbers} | helps | 2, 0, 0, 1, 0 |" in text
    assert f"| 0 % | {numbers} | inconclusive (short test) | 2, 0, 0, 1, 0 |" in text
    assert "`recovery_flat`: 3 seeds, 560 init times every 3 h, 12,345 parameters" in text
    assert "commit 0123456789ab." in text
