"""What each variant's job asks for."""

from __future__ import annotations

from typing import Any

import pytest

from airshed.config import validate_study
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
