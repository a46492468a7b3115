"""Wrong inputs as a user meets them: in a process of its own, and through Snakemake."""

from __future__ import annotations

import gzip
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import raw_files as made
import yaml
from forked_airshed import forked_airshed
from made_study import ingest_command, write_study
from workflow_runs import checkout, planning_in

from airshed.config import read_yaml

ENDLESS = gzip.decompress((Path(__file__).parent / "corpus/endless.nc.gz").read_bytes())
IMPATIENT = """
import time

from airshed.data import netcdf_library, rawfile

netcdf_library.LIMIT_S = 2
stored = rawfile._stored

def endless(content, *others):
    while content == b"endless":
        time.sleep(1)
    return stored(content, *others)

rawfile._stored = endless

from airshed.cli import main

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize(
    ("content", "files"), [(ENDLESS, 1), (b"endless", 2)], ids=["HDF5's, here", "made, in a worker"]
)
def test_a_read_that_does_not_come_to_an_end_is_given_up(
    tmp_path: Path, content: bytes, files: int
) -> None:
    """Said once, by worker processes too, and without traceback.

    A library that has mended its file may call it damaged; the made one stays endless.
    """
    study, raw, out = write_study(tmp_path / "study"), tmp_path / "raw", tmp_path / "out"
    raw.mkdir()
    out.mkdir()
    bad = raw / made.member(made.START + timedelta(days=files - 1))
    (raw / made.member(made.START)).write_bytes(made.whole_hour(made.START))
    bad.write_bytes(content)
    program = tmp_path / "impatient.py"  # a file: worker processes import it again
    program.write_text(IMPATIENT)
    ingest = [*ingest_command(study, raw, out), *(["--workers", "2"] if files == 2 else [])]
    inspect = ["inspect", raw]  # opens files by itself
    for arguments in [ingest, inspect] if content == ENDLESS else [ingest]:
        done = subprocess.run(
            [sys.executable, program, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=300,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        assert "Traceback" not in said
        mended = content == ENDLESS and "no readable NetCDF" in said
        assert said.count("does not come to an end") == 1 or mended
        assert str(bad) in said
        assert [path for path in out.iterdir() if not path.name.startswith(".")] == []


def test_snakemake_refuses_a_key_that_stands_twice(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "checkout")
    (folder / "twice.yaml").write_text("seeds: [0]\nseeds: [1]\n")
    done = planning_in(folder)("-n", "--configfile", "twice.yaml")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr + done.stdout
    assert "twice.yaml, line 2" in done.stderr + done.stdout
    assert not (folder / "results").exists()


def test_the_log_of_a_rule_says_what_is_wrong(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "checkout")
    values = read_yaml(write_study(folder / "made", path="raw"))
    (folder / "study.yaml").write_text(yaml.safe_dump(values))
    (folder / "raw").mkdir()
    (folder / "raw/CN-Reanalysis20160301.tar.gz").write_bytes(b"")
    store = "results/data/made/4x6/hourly.zarr"
    with forked_airshed() as quick:
        run = planning_in(folder, AIRSHED_BIN=str(quick))
        done = run("--cores", "1", "--configfile", "study.yaml", "--", store)
    assert done.returncode != 0
    log = (folder / "results/data/made/4x6/logs/ingest.log").read_text()
    assert "Traceback" not in log
    assert "an archive is damaged or cannot be read" in log
    assert "raw/CN-Reanalysis20160301.tar.gz" in log
    assert {path.name for path in (folder / store).parent.iterdir()} <= {"logs", "benchmarks"}
