"""The results of the recovery of a planted truth, as its page shows them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from airshed.comparison.table import COLUMNS
from airshed.config import Study, dump_study, load_study
from airshed.config.data import Period

CONFIG = Path(__file__).resolve().parents[3] / "config"
WORLDS = {"recovery": [], "recovery_flat": ["studies/recovery_flat.yaml"]}


def study_of(name: str) -> Study:
    files = ["config.yaml", "variants.yaml", "studies/recovery.yaml", *WORLDS[name]]
    return load_study([CONFIG / file for file in files])


@pytest.fixture
def recovery(benchmark_module: Callable[[str], ModuleType]) -> ModuleType:
    for beside in ("document", "planted", "worlds"):
        benchmark_module(beside)
    return benchmark_module("recovery")


def make_world(results: Path, name: str, verdict: str, limit: str) -> None:
    run = results / name / "variants/physics_mask/seed0/run.json"
    run.parent.mkdir(parents=True)
    record = {"commit": "0123456789abcdef", "parameters": 12345, "optimizer_steps": 678}
    bias = {"parameters": {"blocks.0.alpha": 0.456}}
    run.write_text(json.dumps(record | {"device": "a processor", "bias": bias}))
    (results / name / "config.resolved.yaml").write_text(dump_study(study_of(name)))
    overall = ("physics_mask", "wind_baseline", "all", "all", -0.031, -0.05, -0.0123, 0.004, 0.004)
    rows = [(*overall, verdict), (*overall[:2], "pm25", 12, *overall[4:], "helps")]
    beside = {"init_times": 560, "limit": limit, "beyond_margin": verdict == "helps"}
    table = pd.DataFrame(rows, columns=list(COLUMNS[:10])).assign(**beside)
    table.to_csv(results / name / "comparisons.csv", index=False)
    table.assign(intervention="no_wind").to_csv(results / name / "interventions.csv", index=False)


def test_each_world_is_shown_with_what_was_run(recovery: ModuleType, tmp_path: Path) -> None:
    make_world(tmp_path, "recovery", "helps", "")
    make_world(tmp_path, "recovery_flat", "inconclusive", "short test")
    worlds = [recovery.Ran.of(tmp_path / name) for name in WORLDS]
    numbers = "-3.10 % (-5.00 to -1.23)"
    both = f"{numbers}, helps* | {numbers}, inconclusive (short test) |"
    assert recovery.alone(worlds).splitlines()[0].count("blocked 95 %") == 1
    assert recovery.alone(worlds).splitlines()[2:] == [
        f"| physics_mask | wind_baseline | {both}",
        f"| physics_mask, no_wind | physics_mask | {both}",
    ]
    text = recovery.provenance(worlds[1])
    assert "`recovery_flat`: 3 seeds, 560 init times every 3 h, 12,345 parameters" in text
    assert "commit 0123456789ab; alpha of the biases at the end: 0.46." in text


@pytest.mark.parametrize(
    ("verdict", "change", "predicted", "said"),
    [
        ("helps", -0.02, -1, "recovered"),
        ("helps", -0.02, 1, "contradicted"),
        ("hurts", 0.02, 1, "recovered"),
        ("small", -0.002, -1, "recovered, but small"),
        ("small", 0.002, -1, "contradicted, but small"),
        ("equivalent", -0.002, -1, "not recovered"),
        ("inconclusive", -0.02, -1, "undecided"),
    ],
)
def test_what_is_said_follows_the_sign_that_was_predicted(
    recovery: ModuleType, verdict: str, change: float, predicted: int, said: str
) -> None:
    row = {"verdict": verdict, "relative_rmse_change": change, "predicted": predicted}
    assert recovery.outcome(row | {"limit": ""}) == said
    assert recovery.outcome(row | {"limit": "these days only"}) == f"{said} (these days only)"


def test_what_came_out_is_one_sentence(recovery: ModuleType) -> None:
    rows = [("a", "undecided"), ("b", "recovered"), ("c", "undecided")]
    said = recovery.summary(pd.DataFrame(rows, columns=["variant", "outcome"]))
    assert said.endswith("truth is **undecided** by a; c, **recovered** by b.")


def test_predictions_are_about_networks_of_the_study(recovery: ModuleType) -> None:
    study = study_of("recovery")
    compared = study.references()
    assert {name: compared[name] for name in recovery.VARIANTS} == {
        "physics_mask": "wind_baseline",
        "wind_graph": "wind_graph_flat",
        "no_elevation_input": "wind_baseline",
    }
    graphs = [study.variant_stanzas[name] for name in ("wind_graph", "wind_graph_flat")]
    backbones = [stanza.backbone.model_dump() for stanza in graphs]
    assert [backbone.pop("terrain") for backbone in backbones] == [True, False]
    assert backbones[0] == backbones[1]
    notices = study.intervention_stanzas[recovery.INTERVENTION]
    stanzas = study.variant_stanzas
    seen = [name for name in study.variants if notices.affects(stanzas[name], study.inputs)]
    assert sorted(seen) == sorted(recovery.NOTICED)
    assert notices.affects(stanzas["wind_graph_flat"], study.inputs) == ("input",)
    assert not {"psfc", "temp", "rh"} & set(study.inputs)


@pytest.mark.parametrize(("blocking", "lost"), [(0.0, False), (0.95, True)])
def test_only_where_terrain_blocks_is_anything_lost_over_flat_ground(
    benchmark_module: Callable[[str], ModuleType], blocking: float, lost: bool
) -> None:
    study = study_of("recovery")
    world = study.dataset.simulator.model_copy(update={"terrain_blocking": blocking})
    period = Period(start=date(2015, 3, 1), end=date(2015, 3, 4))
    test = study.splits.test.model_copy(update={"start": date(2015, 3, 2), "end": period.end})
    changed = {
        "dataset": study.dataset.model_copy(update={"simulator": world, "period": period}),
        "splits": study.splits.model_copy(update={"test": test}),
    }
    study = study.model_copy(update=changed)
    found = benchmark_module("planted").losses(study, every_h=24)
    assert found[["pollutant", "horizon_h"]].values.tolist() == [
        [name, hours] for hours in (12, 24) for name in ("pm25", "so2", "co")
    ]
    assert (found["persistence"] > 0).all()
    assert (found["flat"] > 0).all() == lost
    assert lost or (found["flat"] == 0).all()
