"""Commands that a report suggests, as they are pasted: Snakemake plans them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from workflow_runs import Snakemake, jobs

from airshed.config import Study, dump_study
from airshed.report.next_steps.commands import snakemake_command, with_variant
from airshed.report.next_steps.more import longer_period


def planned(snakemake: Snakemake, command: str) -> dict[str, int]:
    first, *arguments = shlex.split(command)
    assert first == "snakemake"
    done = snakemake("-n", *arguments)
    assert done.returncode == 0, done.stderr + done.stdout
    return jobs(done.stdout)


@pytest.fixture
def study(tiny_study: Study, tmp_path: Path) -> Study:
    """A study whose resolved configuration lies where the workflow wrote it."""
    folder = tmp_path / "results/tiny"
    folder.mkdir(parents=True)
    (folder / "config.resolved.yaml").write_text(dump_study(tiny_study), encoding="utf-8")
    return tiny_study


def test_a_variant_of_its_own_and_a_longer_test_are_planned(
    snakemake: Snakemake, study: Study
) -> None:
    stanza = study.variant_stanzas["physics_lookup"]
    wanted = stanza.model_copy(update={"bias": stanza.bias.model_copy(update={"blocks": "all"})})
    changes = with_variant(study, "physics_lookup", "physics_lookup_all_blocks", wanted)
    found = planned(snakemake, snakemake_command(study, changes | longer_period(study, 8)))
    assert (found["train"], found["interpret"], found["simulate"]) == (6, 4, 1)


def test_the_analysis_of_one_run_is_planned(snakemake: Snakemake, study: Study) -> None:
    target = "results/tiny/variants/physics_mask/seed0/interpretation.json"
    found = planned(snakemake, snakemake_command(study, {}, target))
    assert (found["train"], found["interpret"]) == (1, 1)
    assert "report" not in found
