"""Cost and the bias's use on the page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

Made = Any  # see conftest.py
Make = Callable[..., Made]


def text_of(page: str) -> str:
    """The page's words on one line, tags removed."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("\u00a0", " ")


def test_measured_overhead_replaces_the_wall_clock(make: Make) -> None:
    made = make()
    before = text_of(made.build())
    assert "A training step takes 22.5 % longer." in before  # 0.049 s against 0.040 s
    assert "from the wall clock of different jobs" in before
    overhead = {"reference": "wind_baseline", "median": 0.031, "min": -0.01, "max": 0.05}
    variants = {"wind_baseline": {"overhead": None}, "physics_mask": {"overhead": overhead}}
    (made.results / "cost.json").write_text(json.dumps({"variants": variants}))
    after = text_of(made.build())
    assert "A training step takes 3.1 % longer." in after
    assert "+3.1 % (\u22121.0 % to +5.0 %)" in after
    assert "steps that took turns in one process" in after
    assert "from the wall clock of different jobs" not in after
    assert "+22.5 %" not in after


def interpretation(final: float, zero: float, moved: float) -> str:
    """The parts of interpretation.json that are shown."""
    return json.dumps(
        {
            "samples": {"used": 512, "of": 34656},
            "queries": {"used": 1024, "of": 8192},
            "alpha": {"0": {"final": final}},
            "relative_loss_change": {
                "alpha_zero": zero,
                "alpha_doubled": -zero / 2,
                "bias_removed": zero,
            },
            "moved_attention_share": {"mean": moved},
        }
    )


def test_the_use_of_the_bias_is_told_with_its_spread_over_seeds(make: Make) -> None:
    made = make()
    assert "Is the bias used?" not in made.build()
    for seed, values in {0: (0.5, 0.02, 0.08), 1: (0.3, 0.04, 0.06)}.items():
        folder = made.results / f"variants/physics_mask/seed{seed}"
        (folder / "interpretation.json").write_text(interpretation(*values))
    text = text_of(made.build())
    assert "Is the bias used?" in text
    row = "physics_mask 2 0.400 \u00b1 0.141 +3.0 % (+2.0 % to +4.0 %) \u22121.5 %"
    assert row in text
    assert "7.0 % (6.0 % to 8.0 %)" in text
    assert "From 512 of 34,656 test samples, and 1,024 of 8,192 tokens" in text
    assert "Is the bias used?" in (made.results / "report.md").read_text(encoding="utf-8")
