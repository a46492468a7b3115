"""What changed since the manifest was written, and whether two studies have the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airshed.config import Study
from airshed.config.load import validate_study
from airshed.errors import AirshedError
from airshed.export.crate import export_study
from airshed.integrity.manifest import write_manifest
from airshed.integrity.verify import compare_numbers, verify_study

RESULTS = Path("results/tiny")
SCORES = "variant,seed,metric,value\nphysics_mask,0,rmse,1.5\nphysics_mask,1,rmse,1.6\n"


@pytest.fixture
def make(tmp_path: Path, tiny_study: Study, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a project with a finished study; its folder."""

    def made(name: str, scores: str = SCORES, study: Study = tiny_study) -> Path:
        project = tmp_path / name
        files = {
            RESULTS / "scores.csv": scores,
            RESULTS / "comparisons.csv": "variant,verdict\nphysics_mask,helps\n",
            RESULTS / "logs/compare.log": "",
            Path("raw/day.tar"): "raw",
            Path("prepared/hourly.zarr/c/0"): "hours",
        }
        for path, text in files.items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(text)
        monkeypatch.chdir(project)
        inputs = [Path("raw"), Path("prepared/hourly.zarr")]
        write_manifest(study, RESULTS, inputs, RESULTS / "manifest.json")
        return project

    return made


def test_an_untouched_study_is_as_its_manifest_says(make: Callable[..., Path]) -> None:
    make("a")
    assert verify_study(RESULTS) == 4
    assert verify_study(RESULTS, with_inputs=False) == 2


def test_reports_that_are_drawn_later_may_lie_beside_the_results(
    make: Callable[..., Path],
) -> None:
    make("a")
    (RESULTS / "partial").mkdir()
    for name in ("workflow.html", "workflow.zip", "partial/report.html"):
        (RESULTS / name).write_text("drawn")
    assert verify_study(RESULTS, with_inputs=False) == 2
    (RESULTS / "report.html").write_text("not by the workflow")
    with pytest.raises(AirshedError, match=r"new .*report.html"):
        verify_study(RESULTS)


def test_it_is_found_from_another_folder_and_after_a_move(
    make: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make("a")
    monkeypatch.chdir(tmp_path)
    project.rename(tmp_path / "b")
    assert verify_study(Path("b") / RESULTS) == 4
    (tmp_path / "b" / RESULTS).rename(tmp_path / "b/results/kept")
    assert verify_study(Path("b/results/kept")) == 4


def test_what_changed_is_named_and_nothing_else(make: Callable[..., Path]) -> None:
    project = make("a")
    (project / RESULTS / "scores.csv").write_text(SCORES.replace("1.5", "1.4"))
    (project / RESULTS / "comparisons.csv").unlink()
    (project / RESULTS / "added.csv").touch()
    (project / RESULTS / "logs/compare.log").write_text("another time")
    (project / "raw/day.tar").write_text("other")
    (project / "prepared/hourly.zarr/c/1").touch()
    with pytest.raises(AirshedError, match="5 differences in 4 files") as caught:
        verify_study(RESULTS)
    named = [line.split() for line in str(caught.value).splitlines()[1:6]]
    assert [(state, Path(name).name) for state, name in named] == [
        ("changed", "day.tar"),
        ("changed", "scores.csv"),
        ("missing", "comparisons.csv"),
        ("new", "1"),
        ("new", "added.csv"),
    ]


def test_what_is_exported_holds_and_has_its_workflow(
    make: Callable[..., Path], tiny_study: Study
) -> None:
    project = make("a")
    with pytest.raises(AirshedError, match="with the workflow that made it") as caught:
        export_study(tiny_study, RESULTS, project / "a.zip")
    assert str(project) in str(caught.value)
    (project / RESULTS / "scores.csv").write_text(SCORES.replace("1.5", "1.4"))
    with pytest.raises(AirshedError, match="not what its manifest says"):
        export_study(tiny_study, RESULTS, project / "a.zip")
    assert not (project / "a.zip").exists()


def test_equal_numbers_are_equal_whatever_else_differs(make: Callable[..., Path]) -> None:
    one, two = make("a"), make("b")
    (two / "raw/day.tar").touch()
    compare_numbers(one / RESULTS, two / RESULTS)


def test_other_numbers_are_counted_and_explained(
    make: Callable[..., Path], tiny_values: dict[str, object]
) -> None:
    more = validate_study(tiny_values | {"seeds": [0, 1, 2]}, "more")
    one, two = make("a"), make("b", SCORES.replace("1.5", "1.4"), more)
    with pytest.raises(AirshedError) as caught:
        compare_numbers(one / RESULTS, two / RESULTS)
    assert "scores.csv: 1 of 2 rows differ" in str(caught.value)
    assert "comparisons.csv" not in str(caught.value)
    assert "found:    different settings" in str(caught.value)


def test_settings_that_shape_no_number_explain_nothing(
    make: Callable[..., Path], tiny_values: dict[str, object]
) -> None:
    same = validate_study(tiny_values | {"jobs": {"mem_mb": 9000}}, "same")
    one, two = make("a"), make("b", SCORES.replace("1.5", "1.4"), same)
    with pytest.raises(AirshedError, match="nothing in their manifests that would explain it"):
        compare_numbers(one / RESULTS, two / RESULTS)
