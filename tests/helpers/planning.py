"""Dry runs of studies in one process, and runs by a stand-in for `airshed` that makes files."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import airshed.config
from airshed.config import Study


class Job(NamedTuple):
    """A job that is planned: its rule, and the variant, if it has one."""

    rule: str
    variant: str | None


class Plan(NamedTuple):
    """What Snakemake would do, and what was said before."""

    jobs: list[Job]
    said: str

    @property
    def rules(self) -> set[str]:
        return {job.rule for job in self.jobs} - {"all"}

    def counts(self, *rules: str) -> list[int]:
        return [sum(job.rule == rule for job in self.jobs) for rule in rules]


@cache
def parsing_once() -> None:
    """Have Snakemake parse each file once in this process: half of a plan's time goes there."""
    import snakemake.workflow

    parse, known = snakemake.workflow.parse, {}

    def parsed(path: Any, workflow: Any, **given: Any) -> Any:
        key = (str(path), given["rulecount"])
        if key not in known:
            known[key] = parse(path, workflow, **given), given["linemap"]
        found, lines = known[key]
        given["linemap"].update(lines)
        return found

    snakemake.workflow.parse = parsed


def plan(study: Study, executor: str = "dryrun", **dag: Any) -> Plan:
    """Plan a study in the current folder, or run it.

    Args:
        study: As it comes from the configuration; it need not be valid.
        executor: ``dryrun``, or ``local`` to run it.
        dag: Settings of Snakemake's, as ``targets`` and ``forcerun``.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.settings import types

    parsing_once()
    validate, said = airshed.config.validate_study, io.StringIO()
    airshed.config.validate_study = lambda *_, **__: study  # type: ignore[attr-defined]
    triggers = frozenset(types.RerunTrigger[name] for name in ("MTIME", "PARAMS", "INPUT"))
    quiet = frozenset((types.Quietness.RULES, types.Quietness.PROGRESS))
    given = {name: frozenset(value) for name, value in dag.items()}
    try:
        with (
            contextlib.redirect_stderr(said),
            contextlib.redirect_stdout(said),
            SnakemakeApi(types.OutputSettings(quiet=quiet)) as api,
        ):
            workflow = api.workflow(
                resource_settings=types.ResourceSettings(cores=2),
                config_settings=types.ConfigSettings(),
                workflow_settings=types.WorkflowSettings(),
                storage_settings=types.StorageSettings(),
                deployment_settings=types.DeploymentSettings(),
                snakefile=Path("Snakefile"),
            )
            graph = workflow.dag(types.DAGSettings(rerun_triggers=triggers, **given))
            graph.execute_workflow(executor=executor)
            dag_found: Any = workflow._workflow.dag
            found: Iterable[Any] = dag_found._finished | dag_found._needrun
            jobs = [Job(job.rule.name, getattr(job.wildcards, "variant", None)) for job in found]
            return Plan(jobs, said.getvalue())
    finally:
        airshed.config.validate_study = validate  # type: ignore[attr-defined]
