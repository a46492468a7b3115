"""A study in small: which days it has, and what it tells of the whole."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airshed.cluster.measured import work_of
from airshed.cluster.rehearsal import STEPS, ingest_estimate, rehearsal_of
from airshed.config import Study, load_study, validate_study
from airshed.config.load import merge
from airshed.graph.places import Places

STUDIES = ("demo", "founding", "ablation", "cams_eac4", "backbones")


@pytest.mark.parametrize("name", STUDIES)
def test_days_follow_each_other_and_belong_to_the_study(root: Path, name: str) -> None:
    defaults = (root / "config/config.yaml", root / "config/variants.yaml")
    study = load_study([*defaults, root / f"config/studies/{name}.yaml"])
    rehearsal = rehearsal_of(study)
    splits, day = rehearsal.splits, timedelta(days=1)
    assert splits.train.end + day == splits.validation.start
    assert splits.validation.end + day == splits.test.start
    assert splits.test.start == study.splits.test.start
    assert study.dataset.period.contains(rehearsal.dataset.period)
    assert len(rehearsal.dataset.period.days) <= 20
    steps = splits.train.samples(study.horizons_h) / study.train.global_batch_size
    assert rehearsal.train.epochs * max(1, steps) >= STEPS
    assert rehearsal.variants == study.variants
    own, whole = (
        work_of(each.model_dump(mode="json"), study.variants[-1], 1, 1)
        for each in (rehearsal, study)
    )
    assert own == whole  # so its steps take as long
    assert not {rehearsal.study, rehearsal.dataset.name} & {study.study, study.dataset.name}


def test_a_short_study_is_rehearsed_on_all_its_days(tiny_values: dict[str, Any]) -> None:
    """Its test split comes first and is shorter than is wanted; other days' episode goes."""
    splits = {
        "test": {"start": "2016-02-26", "end": "2016-02-27"},
        "train": {"start": "2016-02-28", "end": "2016-03-04"},
        "validation": {"start": "2016-03-05", "end": "2016-03-06"},
    }
    box = {"south": 20, "north": 45, "west": 90, "east": 120}
    haze = {"start": "2016-02-26", "end": "2016-02-27", "box": box}
    changes = {
        "splits": splits,
        "dataset": {"period": {"start": "2016-02-26", "end": "2016-03-06"}},
        "episodes": {"haze": haze},
        "evaluation": {"ensemble": True},
    }
    rehearsal = rehearsal_of(validate_study(merge(tiny_values, changes), "short"))
    found = [str(getattr(rehearsal.splits, name)) for name in ("train", "validation", "test")]
    assert found == ["20160226-20160301", "20160302-20160303", "20160304-20160305"]
    assert rehearsal.seeds == [0, 1]
    assert rehearsal.episodes == {}


def test_the_ingest_is_scaled_by_days(
    tiny_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rehearsal = rehearsal_of(tiny_study)
    assert ingest_estimate(tiny_study, rehearsal) == "Ingest: not measured."
    noted = Places(rehearsal).data / "benchmarks/ingest.tsv"
    noted.parent.mkdir(parents=True)
    noted.write_text("s\th:m:s\n3300.0\t0:55:00\n")
    estimate = ingest_estimate(tiny_study, rehearsal)
    assert "at most 1.00 h for 12 days (3300 s for 11 days" in estimate
