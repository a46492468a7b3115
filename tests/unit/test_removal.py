"""A study is removed with what it alone depends on, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from airshed.cli import app
from airshed.config import load_study
from airshed.errors import AirshedError
from airshed.graph.notes import note_path
from airshed.graph.places import Places
from airshed.integrity.formats import PROGRESS, VERSION
from airshed.removal import plan_removal

SPLITS = {"train": ("2016-02-26", "2016-03-01"), "test": ("2016-03-05", "2016-03-08")}
GRID, DATA = {"rows": 8, "columns": 16}, "results/data/air/8x16"
TRAINED = "variants/a/seed0/checkpoints/best.ckpt"
SHARED = ("hourly.zarr/pm25/c/0", "static.nc", "statistics_20160226-20160301.nc")


def made(name: str, **changes: Any) -> dict[str, Any]:
    """A study, with the data that it depends on."""
    splits = {key: {"start": a, "end": b} for key, (a, b) in SPLITS.items()}
    config = {"study": name, "dataset": {"name": "air", "grid": GRID}, "splits": splits} | changes
    dataset = config["dataset"]
    grid = "{rows}x{columns}".format(**dataset["grid"])
    data = Path("results/data", dataset["name"])
    files = [data / "raw/day.tar.gz", *(data / grid / part for part in SHARED)]
    for path in (*files, Path("results", name, TRAINED)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1000))
    Path("results", name, "config.resolved.yaml").write_text(yaml.safe_dump(config))
    return config


def there() -> set[str]:
    return {str(path) for path in Path("results").rglob("*") if path.is_file()}


def removed(name: str) -> set[str]:
    """What `airshed remove` takes away."""
    before = there()
    done = CliRunner().invoke(app, ["remove", name, "--yes"])
    assert done.exit_code == 0, done.output
    return before - there()


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_alone_it_takes_everything_along() -> None:
    made("demo")
    removed("demo")
    assert there() == set()
    assert [path.name for path in Path("results").iterdir()] == ["data"]


def test_another_dataset_is_not_its_business() -> None:
    made("demo")
    made("other", dataset={"name": "water", "grid": GRID})
    assert all("water" not in path and "other" not in path for path in removed("results/demo"))
    assert not Path("results/data/air").exists()


def test_data_of_the_same_grid_stay_but_for_what_a_split_of_its_own_gave() -> None:
    made("demo")
    longer = {"train": {"start": "2016-01-01", "end": "2016-03-01"}}
    made("longer", splits=longer)
    own = [
        f"{DATA}/statistics_20160101-20160301.nc",
        f"{DATA}/normalised/x/20160101-20160301_y.f32",
    ]
    for path in map(Path, own):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    taken = {"results/longer/config.resolved.yaml", f"results/longer/{TRAINED}", *own}
    assert removed("longer") == taken


def test_files_of_settings_of_its_own_go_with_their_notes(root: Path) -> None:
    tiny = yaml.safe_load((root / "tests/helpers/tiny_study.yaml").read_text())
    tiny["variants"] = ["wind_baseline"]
    stanzas = {"wind_baseline": {"label": "wind", "scan": "wind"}}
    own: dict[str, set[Path]] = {}
    for name, coverage in (("demo", 0.99), ("loose", 0.6), ("same", 0.6)):
        dataset = tiny["dataset"] | {"min_coverage": coverage}
        made(name, **tiny | {"study": name, "dataset": dataset, "variant_stanzas": stanzas})
        places = Places(load_study([Path("results", name, "config.resolved.yaml")]))
        own[name] = {places.static, places.statistics, places.scan_tables("wind_baseline")}
        for path in own[name]:
            note_path(path).parent.mkdir(parents=True, exist_ok=True)
            for file in (path, note_path(path)):
                file.write_text("")
    cached = [places.data / f"normalised/x/{split}_y.f32" for split in ("20160226-20160301", "z")]
    for file in cached:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert not any("/data/" in path for path in removed("same"))
    alone = own["loose"] - own["demo"]
    assert len(alone) == 2
    taken = {path for path in removed("loose") if "/data/" in path}
    expected = {str(file) for path in alone for file in (path, note_path(path))}
    assert taken == expected | {str(cached[0])}


def test_another_grid_goes_and_raw_data_stay() -> None:
    made("demo")
    made("fine", dataset={"name": "air", "grid": {"rows": 16, "columns": 32}})
    taken = removed("fine")
    assert {path for path in taken if "/data/" in path} == {
        f"results/data/air/16x32/{part}" for part in SHARED
    }


def test_data_that_another_configuration_names_by_a_path_stay() -> None:
    made("demo")
    made("other", dataset={"name": "water", "grid": GRID, "path": "results/data/air/raw"})
    assert "results/data/air/raw/day.tar.gz" not in removed("demo")
    assert not Path(DATA).exists()


@pytest.mark.parametrize("absolute", [False, True])
def test_a_study_whose_weights_another_starts_from_is_not_removed(absolute: bool) -> None:
    made("demo")
    path = Path("results/demo", TRAINED)
    made("tuned", variant_stanzas={"b": {"pretrained": str(path.resolve() if absolute else path)}})
    before = there()
    with pytest.raises(AirshedError, match=r"(?s)another study reads files.*tuned"):
        plan_removal(Path("results/demo"))
    assert there() == before


def test_it_says_how_much_room_it_frees_and_asks() -> None:
    made("demo")
    Path("results/kept").mkdir()
    os.link(f"results/demo/{TRAINED}", "results/kept/best.ckpt")  # taken over by another study
    before = there()
    done = CliRunner().invoke(app, ["remove", "demo"], input="n\n")
    assert done.exit_code == 0
    assert before == there()
    assert "goes:   results/data/air\n" in done.output
    config = Path("results/demo/config.resolved.yaml").stat().st_size
    assert plan_removal(Path("results/demo")).freed_bytes() == 4 * 1000 + config
    removed("demo")
    assert there() == {"results/kept/best.ckpt"}


def test_an_interrupted_removal_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    made("demo")
    with monkeypatch.context() as patch:
        patch.setattr("airshed.removal.remove", lambda path: None)
        removed("demo")
    assert all(path.startswith("results/.removed/") for path in there())
    removed("demo")
    assert there() == set()


def test_nothing_is_removed_while_something_runs() -> None:
    made("demo")
    told = {VERSION: PROGRESS.version, "state": "running", "updated": "2999-01-01T00:00:00"}
    Path("results/demo/variants/a/seed0/progress.json").write_text(json.dumps(told))
    with pytest.raises(AirshedError, match=r"(?s)still at work.*seed0.*running"):
        plan_removal(Path("results/demo"))
    Path(".snakemake/locks").mkdir(parents=True)
    Path(".snakemake/locks/0.input.lock").write_text("")
    with pytest.raises(AirshedError, match="--unlock"):
        plan_removal(Path("results/demo"))


def test_what_is_no_study_and_links_are_refused(tmp_path: Path) -> None:
    made("demo")
    with pytest.raises(AirshedError, match=r"(?s)no such study.*demo"):
        plan_removal(Path("results/data"))
    elsewhere = Path("results/data/air").rename(tmp_path / "scratch")
    Path("results/data/air").symlink_to(elsewhere)
    with pytest.raises(AirshedError, match=r"(?s)link to another place.*scratch"):
        plan_removal(Path("results/demo"))
