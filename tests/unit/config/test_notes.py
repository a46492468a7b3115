"""A step refuses data that were made with other settings than those of its study."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from airshed.config import Study
from airshed.errors import AirshedError
from airshed.graph.notes import Making, check_read, making
from airshed.graph.settings import SettingsFiles


@pytest.fixture(params=["by hand", "by snakemake"])
def given(
    request: pytest.FixtureRequest,
    tiny_study: Study,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> list[Path]:
    """What a training of the study is given: its YAML file, or the files of its settings."""
    monkeypatch.chdir(tmp_path)
    if request.param == "by hand":
        path = Path("study.yaml")
        path.write_text(yaml.safe_dump(tiny_study.model_dump(mode="json")))
        return [path]
    files = SettingsFiles(tiny_study)
    of = ("training", "physics_mask")
    paths = [Path(each) for each in (files.shaping(*of), files.work(*of))]
    files.write()
    return paths


def test_of_other_settings_than_the_study_s(tiny_study: Study, given: list[Path]) -> None:
    """Statistics of another normalisation; a setting that shapes none of them is another too."""
    output = Path("statistics.nc")
    read = {"statistics": output, "static": Path("static.nc"), "hourly": None}
    check_read("training", given, read)  # without notes nothing is known
    dataset = tiny_study.dataset.model_copy(update={"name": "another"})
    Making("statistics", tiny_study.model_copy(update={"dataset": dataset}), output).done()
    check_read("training", given, read)
    before = tiny_study.normalisation.model_copy(update={"log": {"pm25": 9.0}})
    Making("statistics", tiny_study.model_copy(update={"normalisation": before}), output).done()
    refused = r"statistics: made with other settings(.|\n)*diff results/settings/\{statistics-"
    with pytest.raises(AirshedError, match=refused):
        check_read("training", given, read)


def test_refused_before_anything_is_made(tiny_study: Study, tmp_path: Path) -> None:
    study, static, output = (tmp_path / name for name in ("study.yaml", "static.nc", "patches.nc"))
    study.write_text(yaml.safe_dump(tiny_study.model_dump(mode="json")))
    filled = tiny_study.dataset.model_copy(update={"min_coverage": 0.9})
    Making("static", tiny_study.model_copy(update={"dataset": filled}), static).done()
    Making("patch_elevation", tiny_study, output).done()
    with (
        pytest.raises(AirshedError, match="static fields: made with"),
        making("patch_elevation", [study], output, read={"static": static}),
    ):
        pytest.fail("it began")
    assert (tmp_path / "made/patches.nc.json").exists()
