"""A device's memory that does not suffice: one message says what is needed and what helps."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny_runs import SEED, VARIANT, progress, tiny_study, trained

from airshed.data.prepared import Prepared
from airshed.errors import AirshedError
from airshed.integrity.formats import COST, VERSION
from airshed.model import Forecaster
from airshed.training.attempts import lacks_device_memory
from airshed.training.memory import device_memory_error
from airshed.training.processes import Processes

SAID = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has"


def test_a_training_says_what_it_needs_and_what_helps(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tiny_study()
    cost = {
        "environment": {"device": "a card", "cpu": "a CPU"},
        "config": study.model_dump(mode="json"),
        "variants": {VARIANT: {"seconds_per_step": {"median": 1}, "peak_memory_mb": 14800.0}},
    }
    folder = tmp_path / "tiny/variants/physics_mask/seed1"
    folder.mkdir(parents=True)
    (tmp_path / "tiny/cost.json").write_text(json.dumps({VERSION: COST.version} | cost))

    def exhausted(*_: object) -> None:
        raise torch.OutOfMemoryError(SAID)

    monkeypatch.setattr(Forecaster, "forward", exhausted)
    with pytest.raises(AirshedError) as refused:
        trained(study, VARIANT, SEED, prepared, folder)
    message = str(refused.value)
    assert "14,800 MB for a step by the plan (tiny/cost.json (a card))" in message
    assert SAID in message
    for setting in ("batch_size", "recompute_blocks: true", "precision: bf16-mixed"):
        assert f"train.{setting}" in message
    assert progress(folder)["state"] == "failed"
    assert lacks_device_memory(folder / "checkpoints/attempts.json")
    monkeypatch.setattr(Forecaster, "forward", lambda *_: pytest.fail("it was tried again"))
    with pytest.raises(AirshedError, match=f"(?s){SAID}.*attempts.json"):
        trained(study, VARIANT, SEED, prepared, folder)


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError(SAID), RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling")],
    ids=["allocator", "cublas"],
)
def test_the_device_is_named_with_what_it_has(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = SimpleNamespace(name="a card", total_memory=80_000_000_000)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: facts)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1_000_000_000, 80_000_000_000))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 78_000_000_000)
    train = {"batch_size": 1, "precision": "bf16-mixed", "recompute_blocks": True}
    study, cuda = tiny_study(train=train), torch.device("cuda")
    meant = device_memory_error(study, VARIANT, Processes(), cuda, tmp_path / "run.json", error)
    assert meant is not None
    assert "a card, 80,000 MB (1,000 MB free, 78,000 MB at most taken here)" in str(meant)
    assert "was not measured (airshed bench step)" in str(meant)
    assert meant.details["next"].startswith("a device with more memory")


def test_memory_of_the_host_is_another_matter(tmp_path: Path) -> None:
    error = RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate")
    run, cpu = tmp_path / "run.json", torch.device("cpu")
    assert device_memory_error(tiny_study(), VARIANT, Processes(), cpu, run, error) is None
