"""The command: help for newcomers, and errors of use without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEPS = (
    "inspect",
    "simulate",
    "ingest",
    "static-fields",
    "patch-elevation",
    "statistics",
    "scan-tables",
    "climatology",
    "damping",
    "train",
    "evaluate",
    "baseline",
    "interpret",
    "bench",
    "stations",
    "stations-summary",
    "episodes-table",
    "external",
    "external-table",
    "score-tables",
    "forecast",
    "compare",
    "compare-study",
    "report",
    "partial-report",
    "manifest",
    "verify",
    "export",
    "verdicts",
    "resolve-config",
    "schema",
    "check",
    "plan",
    "status",
    "remove",
)


def airshed(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "airshed.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_help_names_every_step() -> None:
    said = airshed("--help").stdout
    for step in STEPS:
        assert step in said


def test_a_config_error_is_one_message(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("trian: {epochs: 3}\n")
    files = ["config/config.yaml", "config/variants.yaml", str(broken)]
    done = airshed("resolve-config", "--output", str(tmp_path / "out.yaml"), *files)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "did you mean 'train'" in done.stderr
    assert str(broken) in done.stderr
    assert not (tmp_path / "out.yaml").exists()
    debug = airshed("--debug", "resolve-config", "--output", str(tmp_path / "out.yaml"), *files)
    assert "Traceback" in debug.stderr


NOTING = """
import logging
from airshed.cli.app import app, main

@app.command()
def note():
    logging.getLogger("airshed").info("noted")

main()
"""


def with_full_log(*command: str) -> subprocess.CompletedProcess[str]:
    """Python whose log cannot be written, and is not written at once as in some images."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        return subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=own,
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            timeout=120,
        )


def test_a_message_that_finds_its_log_on_a_full_disk_goes_to_the_output(tmp_path: Path) -> None:
    done = with_full_log("-m", "airshed.cli", "verify", str(tmp_path))
    assert done.returncode == 1
    assert done.stdout.startswith("airshed: a manifest cannot be read")


def test_a_step_that_finds_its_log_on_a_full_disk_is_done_all_the_same() -> None:
    assert with_full_log("-c", NOTING, "note").returncode == 0


def test_a_resolved_config_is_read_back_equal(tmp_path: Path) -> None:
    files = ["config/config.yaml", "config/variants.yaml"]
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    assert airshed("resolve-config", "--output", str(first), *files).returncode == 0
    assert airshed("resolve-config", "--output", str(second), str(first)).returncode == 0
    assert first.read_text() == second.read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--variant", "physics_msk", "--seed", "0"), "did you mean 'physics_mask'"),
        (("--variant", "physics_mask", "--seed", "7"), "--seed: 0, 1"),
        (("--variant", "physics_mask", "--seed", "0"), "--save-forecasts FOLDER"),
        ((), "--variant: wind_baseline, physics_mask"),
    ],
)
def test_a_training_that_is_not_there_is_not_scored(arguments: tuple[str, ...], told: str) -> None:
    done = airshed("evaluate", "--study", "config/studies/demo.yaml", *arguments)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("train",), ("ingest", "--raw", "nowhere"), ("sail",)])
def test_wrong_arguments_are_explained(arguments: tuple[str, ...]) -> None:
    done = airshed(*arguments)
    assert done.returncode == 2
    assert "Usage" in done.stderr
    assert "Traceback" not in done.stderr
