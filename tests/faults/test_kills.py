"""Every rule killed at a random moment, alone or with Snakemake: a plain rerun ends as if nothing
had happened, and repeats nothing that was finished."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

import pytest
from faults import TIMED, Study, killed
from workflow_runs import jobs

from airshed.integrity.provenance import sha256

log = logging.getLogger(__name__)
RULES = ("simulate", "ingest", "statistics", "train", "evaluate", "compare", "report")


@pytest.mark.parametrize("everything", [False, True], ids=["job", "job and snakemake"])
@pytest.mark.parametrize("rule", RULES)
def test_a_killed_rule_ends_as_an_undisturbed_one(
    truth: Study, without: Callable[[str], Study], rule: str, everything: bool
) -> None:
    study = without(rule)
    moment_s = random.Random(f"{rule} {everything}").uniform(0, truth.seconds(rule))
    while not killed(study, rule, moment_s, everything):
        study.without(rule)
        moment_s /= 2
    log.info("%s: killed %.2f s after its process was seen", rule, moment_s)
    left = [path.relative_to(study.folder) for path in study.outputs(rule) if path.exists()]
    for path in left if rule not in TIMED else []:
        assert sha256(study.folder / path) == sha256(truth.folder / path), f"half written: {path}"
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
