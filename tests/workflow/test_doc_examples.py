"""Examples of the docs that read a finished study, run on the small one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import xarray as xr
from doc_examples import ROOT, examples, replaced, run_python
from tutorial import TUTORIAL
from workflow_runs import WHOLE, Run, environment

# what pages say of the demo and of CAQRA, as it is called in the small study
INSTEAD = {
    "config/studies/demo.yaml": "tiny.yaml",
    "results/demo": "results/tiny",
    "results/data/simulated_china/32x64": "results/data/tiny/8x16",
    "results/data/caqra/128x256": "results/data/tiny/8x16",
    "2015-12-01T08:00": "2016-03-01T08:00",
    "2015-05-01T06": "2016-03-06T06",
}


@pytest.fixture
def folder(finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the finished study's results, into which examples may write."""
    for name in ("results", "config"):
        (tmp_path / name).symlink_to(finished.folder / name)
    Run(tmp_path).configure(WHOLE)  # its own file: other tests change that of the finished study
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    return tmp_path


def test_forecasts_are_kept_and_scored_as_the_page_shows(
    folder: Path, quickly: dict[str, str]
) -> None:
    page, variables = "docs/forecast-archive.md", environment()
    variables["PATH"] = f"{quickly['AIRSHED_BIN']}:{variables['PATH']}"
    for shown in examples(page, ""):
        command = ["sh", "-ec", replaced(shown.text, INSTEAD)]
        done = subprocess.run(command, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    before = xr.open_dataset("results/tiny/variants/physics_mask/seed0/scores.nc")
    with before, xr.open_dataset("elsewhere/physics_mask.zarr.scores.nc") as again:
        xr.testing.assert_equal(before, again)
    with xr.open_zarr("elsewhere/physics_mask.zarr", chunks=None) as archive:
        assert archive["pm25"].notnull().any()
    for shown in examples(page, "python"):
        run_python(shown, INSTEAD)


@pytest.mark.parametrize("page", ["docs/scores.md", "docs/data-format.md"])
def test_results_are_read_as_the_page_shows(folder: Path, page: str) -> None:
    for shown in examples(page, "python"):
        run_python(shown, INSTEAD)


def test_a_finished_study_is_used_in_python_as_the_page_shows(folder: Path) -> None:
    """One example after the other: forecasts, tables, a training by Lightning, its weights."""
    names: dict[str, Any] = {}
    for shown in examples("docs/python.md", "python"):
        names = run_python(shown, INSTEAD, **names)
    assert names["forecast"]["pm25"].sel(horizon=24).notnull().any()
    assert names["members"].seeds == [0, 1]
    assert names["trainer"].global_step > 0
    assert Path("mine.ckpt").is_file()


def test_the_tutorial_runs_and_says_what_the_study_says(
    finished: Run, quickly: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cell by cell, as in Jupyter, in a checkout to which it adds a study."""
    checkout = tmp_path / "copy"
    shutil.copytree(finished.folder, checkout, symlinks=True)
    (checkout / "docs").mkdir()
    monkeypatch.chdir(checkout / "docs")
    for name, value in (quickly | {"AIRSHED_STUDY": "results/tiny"}).items():
        monkeypatch.setenv(name, value)
    mpl.use("Agg")
    plt.close("all")
    names: dict[str, Any] = {}
    for number, cell in enumerate(nbformat.read(ROOT / TUTORIAL, as_version=4).cells):
        if cell.cell_type == "code":
            exec(compile(cell.source, f"{TUTORIAL}, cell {number}", "exec"), names)  # noqa: S102
    drawn = [plt.figure(number).axes for number in plt.get_fignums()]
    assert [sum(panel.has_data() for panel in panels) for panels in drawn] == [2, 6, 1, 2, 2]
    plt.close("all")

    scored = xr.open_dataset("results/tiny/variants/physics_mask/seed0/scores.nc")["sums"].sel(
        init_time=names["INIT"], horizon_h=names["HORIZON_H"], bin="all", pollutant="pm25"
    )
    of = {name: scored.sel(statistic=name).item() for name in scored["statistic"].values}
    assert names["rmse"] == pytest.approx(np.sqrt(of["squared"] / of["count"]), rel=1e-4)
    persistence = np.sqrt(of["persistence_squared"] / of["paired_count"])
    assert names["rmse_of_persistence"] == pytest.approx(persistence, rel=1e-4)
    assert sorted(names["trained"]) == [("everywhere", "0"), ("everywhere", "1")]
    assert names["overall"]["variant"].tolist() == ["physics_mask", "everywhere"]
    assert names["overall"]["family_size"].tolist() == [2, 2]
    records = list(Path("results/tutorial").glob("variants/*/seed*/run.json"))
    taken_over = {path.parts[3] for path in records if '"taken_over": {' in path.read_text()}
    assert (len(records), taken_over) == (6, {"wind_baseline", "physics_mask"})
