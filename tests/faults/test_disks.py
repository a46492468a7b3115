"""A full disk under every rule that writes, and a read-only results folder."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import OUTPUTS, Study, in_namespace

from airshed.graph.notes import note_path
from airshed.integrity.provenance import tree_files

FULL = """
mv results kept && mkdir results
mount -t tmpfs -o size=64m tmpfs results
cp -a kept/. results/
head -c $(( $(stat -f -c '%a * %S' results) - {room} )) /dev/zero > results/filler
{command} 2>&1 && exit 3
find results -name '.*.partial' | sed 's/^/LEFT /'
{left}
rm results/filler
{command} 2>&1
rm -rf kept && cp -a results kept && umount results && rmdir results && mv kept results
"""
READ_ONLY = """
mount --bind results results
mount -o remount,bind,ro results
{command} 2>&1 && exit 3 || true
"""
NO_TRACE = ("Traceback", "LEFT")


def room_bytes(truth: Study, rule: str) -> int:
    """Some room on the disk, but less than a rule's outputs need."""
    files = [file for path in truth.outputs(rule) for file in (tree_files(path) or [path])]
    needed = sum(-(-file.stat().st_size // 4096) * 4096 for file in files)
    return int(random.Random(rule).uniform(0, 0.9) * needed)


def left(truth: Study, rule: str) -> str:
    """Commands that print which outputs stand, with their notes if they get any.

    The note is written last: an output without it is whole, and its step has failed.
    """
    commands = []
    for output in OUTPUTS[rule]:
        note = note_path(Path(output))
        needed = f"{output} {note}" if (truth.folder / note).exists() else output
        commands.append(f"ls -d {needed} > /dev/null 2>&1 && echo LEFT {output}")
    return "\n".join(commands)


@pytest.mark.usefixtures("mounts")
@pytest.mark.parametrize("rule", list(OUTPUTS))
def test_a_full_disk_is_said_and_with_more_room_all_is_well(
    truth: Study, without: Callable[[str], Study], rule: str
) -> None:
    study = without(rule)
    room, command = room_bytes(truth, rule), study.command(rule)
    script = FULL.format(room=room, command=command, left=left(truth, rule))
    done = in_namespace(study, script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no space is left" in done.stdout, done.stdout
    for unwanted in NO_TRACE:
        assert unwanted not in done.stdout, done.stdout
    assert study.content(rule) == truth.content(rule)


@pytest.mark.usefixtures("mounts")
@pytest.mark.parametrize("rule", ["simulate", "ingest", "train", "evaluate", "compare", "report"])
def test_a_read_only_folder_is_said(without: Callable[[str], Study], rule: str) -> None:
    study = without(rule)
    done = in_namespace(study, READ_ONLY.format(command=study.command(rule)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the file system is read-only" in done.stdout, done.stdout
    assert "Traceback" not in done.stdout, done.stdout


@pytest.mark.usefixtures("mounts")
def test_snakemake_says_that_its_results_folder_is_read_only(
    without: Callable[[str], Study],
) -> None:
    study = without("report")
    command = "snakemake --cores 1 --configfile tiny.yaml"
    done = in_namespace(study, READ_ONLY.format(command=command))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Write-protected output files" in done.stdout, done.stdout
