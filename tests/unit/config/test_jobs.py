"""What each variant's job asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from airshed.cli import app
from airshed.config import dump_study, validate_study
from airshed.config.jobs import JobRequest, JobsConfig
from airshed.errors import AirshedError


def test_a_variant_overrides_single_values() -> None:
    jobs = JobsConfig.model_validate(
        {
            "nodes": 2,
            "devices": 4,
            "mem_mb": 10,
            "runtime_min": 20,
            "variants": {"physics_mlp": {"mem_mb": 99, "nodes": 1}},
        }
    )
    assert jobs.request("climax") == JobRequest(nodes=2, devices=4, mem_mb=10, runtime_min=20)
    assert jobs.request("physics_mlp") == JobRequest(nodes=1, devices=4, mem_mb=99, runtime_min=20)
    assert [jobs.request(name).processes for name in ("climax", "physics_mlp")] == [8, 4]


def test_a_variant_is_trained_with_its_own_precision(
    tiny_values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stanza = tiny_values["variant_stanzas"]["physics_mask"] | {"precision": "bf16-mixed"}
    tiny_values["variant_stanzas"]["physics_mask"] = stanza
    config = tmp_path / "config.yaml"
    config.write_text(dump_study(validate_study(tiny_values, "tiny")))
    trained: list[str] = []
    monkeypatch.setattr(
        "airshed.training.run.train",
        lambda request, *_: trained.append(request.study.train.precision),
    )
    folders = ("hourly",)
    prepared = ("hourly", "static", "patch-elevation", "statistics", "scan-tables")
    options = []
    for name in prepared:
        path = tmp_path / name
        path.mkdir() if name in folders else path.touch()
        options += [f"--{name}", str(path)]
    for variant in ("physics_mask", "wind_baseline"):
        own = ["--variant", variant, "--seed", "0", "--config", str(config)]
        results = ["--run", str(tmp_path / "run.json"), "--history", str(tmp_path / "history.csv")]
        done = CliRunner().invoke(app, ["train", *own, *options, *results])
        assert done.exit_code == 0, done.output
    assert trained == ["bf16-mixed", "32-true"]


@pytest.mark.parametrize(
    ("jobs", "part"),
    [
        ({"variants": {"physics_mlq": {}}}, "did you mean 'physics_mlp'"),
        ({"variants": {"physics_mlp": {"memory": 5}}}, "unknown key 'memory'"),
        ({"devices": 0}, "jobs.devices"),
    ],
)
def test_wrong_jobs_are_refused(
    tiny_values: dict[str, Any], jobs: dict[str, Any], part: str
) -> None:
    with pytest.raises(AirshedError) as caught:
        validate_study(tiny_values | {"jobs": jobs}, "tiny")
    assert part in str(caught.value)
