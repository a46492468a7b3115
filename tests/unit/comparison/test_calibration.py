"""Error rates of the comparison on simulated errors: few replicates of what the benchmark counts.

A method that errs in a third of the cases fails here nearly surely.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

Load = Callable[[str], ModuleType]

REPLICATES = 60
MOST = binom.ppf(0.999, REPLICATES, 0.05)


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": 2, "seed_sd": 0.2, "correlation": 0.5},
        {"seeds": 3, "structure_sd": 0.0, "correlation": 0.0},
        {"seeds": 5, "seed_sd": 0.0, "correlation": 0.5},
    ],
)
def test_models_of_equal_skill_are_rarely_called_different(
    benchmark_module: Load, changes: dict[str, Any]
) -> None:
    design = replace(benchmark_module("errors").Design(init_times=240, step_h=6), **changes)
    found = benchmark_module("calibration").rates(design, REPLICATES, seed=0)
    assert found["days_only"] < REPLICATES / 3
    assert found["any_significant"] <= MOST
    assert found["overall_significant"] <= MOST
    assert 0.93 < found["covered"] < 0.985
    assert found["overall_covered"] >= REPLICATES - MOST


def test_persistent_errors_are_judged_for_these_days_only(benchmark_module: Load) -> None:
    design = benchmark_module("errors").Design(
        init_times=240, step_h=2, correlation=0.98, structure_sd=0.0
    )
    found = benchmark_module("calibration").rates(design, 40, 0, these_days=True)
    assert found["days_only"] >= 36
    assert found["any_significant"] <= binom.ppf(0.999, 40, 0.05)
    assert found["overall_covered"] >= 40 - binom.ppf(0.999, 40, 0.05)


def test_a_change_is_found(benchmark_module: Load) -> None:
    design = benchmark_module("errors").Design(
        init_times=400, correlation=0.5, seeds=5, change=-0.1
    )
    found = benchmark_module("calibration").rates(design, 20, seed=0)
    assert found["verdicts"] > 0.9
    assert found["overall_significant"] == 20
    assert 0.9 < found["covered"] <= 1


def test_studies_without_a_change_rarely_find_one(benchmark_module: Load) -> None:
    """Summaries of errors, judged by the package: families, margins and models that stand out."""
    studies = benchmark_module("studies")
    count = 1000
    most = binom.ppf(0.999, count, 0.05) / count
    for design in (studies.StudyDesign(seeds=2), studies.StudyDesign(seeds=3, noisy=3.0)):
        found = studies.errors(design, count)
        for kind in ("different", "equivalent", "beyond"):
            assert found[f"overall {kind}"] <= most
            assert found[f"cells {kind}"] <= most
        assert found["last cells different"] <= most
        assert found["overall alone"] > most  # what the family is for


def test_the_smallest_change_is_found_as_often_as_is_said(benchmark_module: Load) -> None:
    studies = benchmark_module("studies")
    design = studies.StudyDesign(seeds=3)
    smallest = design.precision().smallest
    found = studies.counted(replace(design, change=(smallest,)), 1000)
    assert found["first different"] == pytest.approx(0.8, abs=0.06)


def test_studies_are_drawn_as_the_design_says(benchmark_module: Load) -> None:
    studies = benchmark_module("studies")
    design = studies.StudyDesign(variants=1, seeds=4, seed_correlation=0.6, noisy=2.0)
    drawn = studies.draw(design, 4000, np.random.default_rng(0))
    one, other = drawn.trainings
    assert one[..., 1:].std() == pytest.approx(2 * 0.012, rel=0.05)
    assert other[..., 0].std() == pytest.approx(0.012 * np.sqrt(design.overall_share), rel=0.05)
    assert np.corrcoef(one[..., 1].ravel(), other[..., 1].ravel())[0, 1] == pytest.approx(
        0.6, abs=0.03
    )
    assert np.corrcoef(one[..., 1].ravel(), one[..., 2].ravel())[0, 1] == pytest.approx(
        0.64, abs=0.03
    )


def test_simulated_errors_are_what_the_design_says(benchmark_module: Load) -> None:
    made = benchmark_module("errors")
    design = made.Design(
        init_times=4000, correlation=0.8, seeds=40, seed_sd=0.1, change=-0.2, missing=0.1
    )
    variant, reference = made.simulate(design, np.random.default_rng(0))
    logs = np.log(variant.stack(cell=("pollutant", "horizon_h"))).mean("init_time") / 2
    assert logs.std("seed", ddof=1).mean() == pytest.approx(0.1, rel=0.1)
    assert variant.isnull().mean() == pytest.approx(0.1, abs=0.02)
    assert (variant.isnull() == reference.isnull()).all()
    ratios = np.sqrt(variant.mean(["seed", "init_time"]) / reference.mean(["seed", "init_time"]))
    assert ratios.mean() == pytest.approx(0.8, abs=0.01)
    whole = replace(design, missing=0.0, weather_sd=0.0, structure_sd=0.0, training_sd=1.0)
    series = np.log(made.simulate(whole, np.random.default_rng(0))[0])
    series = series - series.mean("init_time")
    lagged = (series * series.shift(init_time=1)).mean() / (series**2).mean()
    assert lagged == pytest.approx(0.8, abs=0.01)


def test_tables_show_counts_as_rates(benchmark_module: Load, tmp_path: Path) -> None:
    calibration = benchmark_module("calibration")
    row = dict.fromkeys(("any_significant", "any_dm", "overall_significant"), 3)
    row |= {"replicates": 60, "days_only": 0, "overall_covered": 57, "covered": 0.951}
    row |= {"covered_se": 0.004, "verdicts": 0.25, "blocks": 20.0}
    text = calibration.tables({group: {"a design": row} for group in calibration.GROUPS})
    assert text.count("| a design | 60 | ") == len(calibration.GROUPS)
    assert "5.0 (1.0\u201313.9)" in text  # exact interval of 3 in 60
    assert "95.1 \u00b1 0.8" in text
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- calibration: begin -->\nformer\n<!-- calibration: end -->\nafter\n"
    )
    document = benchmark_module("document").document
    document("calibration", text, page)
    assert page.read_text().startswith("before\n<!-- calibration: begin -->\n| test period")
    assert page.read_text().endswith("|\n<!-- calibration: end -->\nafter\n")
    assert "former" not in page.read_text()
    with pytest.raises(ValueError, match="lacks the marks"):
        document("recovery", text, page)
