"""Whether SLURM would accept the jobs of a study with the site's settings; none is sent."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator

from airshed.check.finding import Finding, broken, fine
from airshed.cluster.site import Site, read_site
from airshed.config import Study
from airshed.config.jobs import JobRequest

TIMEOUT_S = 20
TABLES = JobRequest(mem_mb=2000, runtime_min=240)  # what baselines and comparisons ask for


def slurm(study: Study) -> Finding:
    """``sbatch --test-only`` for each kind of job."""
    site = read_site()
    if shutil.which("sbatch") is None:
        return fine("there is no sbatch here to be asked")
    if site == Site() and "SLURM_JOB_ID" not in os.environ:
        return fine("not asked: no job of SLURM, and no settings of a site")
    for kind, options in job_options(study, site):
        command = ["sbatch", "--test-only", *options, "--wrap=true"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
        if done.returncode:
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            return broken(
                f"{kind} are refused: {said}",
                f"correct site.yaml or section jobs of the study; asked for: {shlex.join(options)}",
            )
    return fine("sbatch accepts the jobs for tables, trainings and scores")


def job_options(study: Study, site: Site) -> Iterator[tuple[str, list[str]]]:
    """Kinds of jobs, and the options of ``sbatch`` for them, as in the profiles."""
    yield "tables", _options(site, site.cpu_partition, TABLES, 1, None)
    devices = study.train.accelerator != "cpu"
    where = site.train_partition
    requests = {
        study.jobs.request(variant).model_dump_json(): variant for variant in study.variants
    }
    for variant in requests.values():
        request = study.jobs.request(variant)
        gres = site.gpus(request.devices) if devices else None
        kind = f"trainings of {variant}"
        yield kind, _options(site, where, request, study.train.threads, gres)
    scored = JobRequest(mem_mb=study.jobs.mem_mb, runtime_min=study.jobs.runtime_min)
    gres = site.gpus(1) if devices else None
    yield (
        "scores",
        _options(site, site.evaluate_partition or where, scored, study.train.threads, gres),
    )


def _options(
    site: Site, partition: str | None, request: JobRequest, threads: int, gres: str | None
) -> list[str]:
    named = {
        "account": site.account,
        "partition": partition,
        "qos": site.qos,
        "constraint": site.constraint,
        "reservation": site.reservation,
        "gres": gres,
        "nodes": request.nodes,
        "ntasks": request.processes,
        "cpus-per-task": threads,
        "mem": request.mem_mb,
        "time": request.runtime_min,
    }
    given = [f"--{name}={value}" for name, value in named.items() if value is not None]
    return [*given, *shlex.split(site.slurm_extra)]
