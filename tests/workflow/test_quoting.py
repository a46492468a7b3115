"""Names with blanks, quotes and what a shell would run, in folders and datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from workflow_runs import checkout, jobs, snakemake_in, with_stand_in

from airshed.config import read_yaml
from airshed.config.load import merge

HELPERS = Path(__file__).resolve().parents[1] / "helpers"
ODD = """it's a "test" $HOME; touch pwned"""
VARIANTS = ["wind_baseline", "physics_mask", "baseline_finetune"]  # the last has a --start


def study(folder: Path, **changes: Any) -> str:
    values = merge(read_yaml(HELPERS / "tiny_study.yaml"), {"variants": VARIANTS, "seeds": [0]})
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(merge(values, changes)), encoding="utf-8")
    return path.name


def test_a_study_with_odd_names_runs_and_nothing_in_them_is_executed(tmp_path: Path) -> None:
    folder = with_stand_in(tmp_path / ODD)
    files = {name: f"{ODD} #/{name}.nc" for name in ("elevation", "population")}
    raw = f"raw {ODD} && touch pwned #"
    for path in (raw, files["elevation"], files["population"], f"{ODD}.csv", f"{ODD}.nc"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    (folder / raw).unlink()
    (folder / raw).mkdir()
    (folder / raw / "CN-Reanalysis20160226.tar.gz").touch()
    dataset = {"source": "caqra", "path": raw, "mask_file": None}
    dataset |= {f"{name}_file": path for name, path in files.items()}
    given = study(
        folder,
        dataset=dataset,
        stations={"tables": [f"{ODD}.csv"]},
        external={"other": {"path": f"{ODD}.nc"}},
    )
    done = snakemake_in(folder)("--cores", "2", "--printshellcmds", "--configfile", given)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (folder / "results/tiny/manifest.json").exists()
    assert jobs(done.stderr)["ingest"] == 1
    assert f"--raw {quoted(raw)}" in done.stderr
    assert list(tmp_path.rglob("pwned")) == []


def quoted(text: str) -> str:
    """As POSIX has it: in single quotes nothing has a meaning but the quote itself."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def test_a_real_step_in_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    folder = checkout(tmp_path / ODD)
    target = "results/data/tiny/8x16/scan_tables_p4_r2x2_s16.nc"
    done = snakemake_in(folder)("--cores", "1", "--configfile", study(folder), "--", target)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (folder / target).stat().st_size > 0
    assert list(tmp_path.rglob("pwned")) == []
