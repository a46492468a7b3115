"""Every rule killed at a random moment, alone or with Snakemake: a plain rerun ends as if nothing
had happened, and repeats nothing that was finished."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

import pytest
from faults import OUTPUTS, Study, killed
from workflow_runs import jobs

log = logging.getLogger(__name__)
RULES = ("simulate", "ingest", "statistics", "train", "evaluate", "compare", "report")


@pytest.mark.parametrize("everything", [False, True], ids=["job", "job and snakemake"])
@pytest.mark.parametrize("rule", RULES)
def test_a_killed_rule_ends_as_an_undisturbed_one(
    truth: Study, without: Callable[[str], Study], rule: str, everything: bool
) -> None:
    study = without(rule)
    moment_s = random.Random(f"{rule} {everything}").uniform(0, truth.seconds(rule))
    said = killed(study, rule, moment_s, everything)
    log.info("%s: killed %.2f s after its process was seen", rule, moment_s)
    finished = "1 of 1 steps (100%) done" in said
    for name in OUTPUTS[rule] if not finished else []:
        assert not (study.folder / name).exists(), f"half written: {name}"
    if everything:
        locked = study.make(rule)
        if locked.returncode:
            assert "--unlock" in locked.stderr + locked.stdout
            assert study.run("--unlock").returncode == 0
    done = study.make(rule)
    assert done.returncode == 0, done.stderr[-3000:]
    assert set(jobs(done.stdout + done.stderr)) <= {rule, "total"}
    assert study.content(rule) == truth.content(rule)
    assert not list(study.folder.glob("results/**/.*.partial"))
