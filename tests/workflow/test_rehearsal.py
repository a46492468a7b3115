"""A study tried in small, its steps by a stand-in that only makes files."""

from __future__ import annotations

import subprocess
from pathlib import Path

from workflow_runs import STUDY, Completed, environment, with_stand_in


def rehearse(folder: Path) -> Completed:
    command = ["airshed", "rehearse", "--study", str(STUDY), "--cores", "2"]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)


def test_it_ends_with_its_page_and_what_the_study_will_take(tmp_path: Path) -> None:
    """After a step that failed, which is said; what was finished before is kept."""
    folder = with_stand_in(tmp_path / "checkout")
    command = folder / "bin/airshed"
    stand_in = command.read_text()
    command.write_text(
        stand_in.replace("step=$1\n", '[ "$1" = compare-study ] && exit 1\nstep=$1\n')
    )
    failed = rehearse(folder)
    assert failed.returncode == 1
    assert "the rehearsal failed, and so would the study" in failed.stderr
    assert "Traceback" not in failed.stderr
    command.write_text(stand_in)
    done = rehearse(folder)
    assert done.returncode == 0, done.stderr[-3000:]
    page = "results/tiny_rehearsal/report.html"
    assert (folder / page).exists()
    assert f"The rehearsal's page: {page}" in done.stdout
    assert "3 of 3 steps" in done.stderr  # compare, report, manifest
    assert "tiny: 31 jobs are still to be done" in done.stdout
    assert "Ingest: at most" in done.stdout
    assert not (folder / "results/tiny").exists()
