"""What is particular to one cluster: account, partitions, how it names GPUs, its container.

It comes from ``site.yaml`` in the project's folder, which git ignores, or from environment
variables ``AIRSHED_<KEY>``, which win. Nothing else in the project names a site.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from airshed.config.base import Count, Section
from airshed.config.yaml_file import read_yaml
from airshed.errors import AirshedError

SITE_FILE = Path("site.yaml")
EXAMPLE = "site.example.yaml"
ENVIRONMENT_PREFIX = "AIRSHED_"
Words = Annotated[tuple[str, ...], BeforeValidator(lambda v: v.split() if type(v) is str else v)]
Lines = Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if type(v) is str else v)]
HINT = "copy site.example.yaml to site.yaml and fill it in, or set {variable}; see docs/cluster.md"


class Site(Section):
    """Settings of one cluster; all may stay empty on a workstation.

    Attributes:
        account: Who pays for the jobs.
        cpu_partition: Where jobs run that need no device.
        train_partition: Where trainings run.
        evaluate_partition: Where trained models are scored, on one device each.
        gres: How the site asks for GPUs on each node, e.g. ``gpu:a100:{devices}``.
        qos: Quality of service of all jobs.
        constraint: Features that their nodes must have, as SLURM's ``--constraint`` takes them.
        reservation: Where they run.
        slurm_extra: More options of ``sbatch``, beside those that a profile needs.
        modules: Environment modules that are loaded before each step.
        before: Lines of shell that run before each step, after that.
        max_mem_mb: Memory of a node, which a retried job does not exceed.
        max_runtime_min: The partitions' longest time limit, which it does not exceed either.
        bin: Folder that is put in front of PATH in jobs; its ``airshed`` starts each step.
        container: Image in which the ``airshed`` of that folder runs.
    """

    account: str | None = None
    cpu_partition: str | None = None
    train_partition: str | None = None
    evaluate_partition: str | None = None
    gres: Annotated[str, Field(pattern=r"\{devices\}")] = "gpu:{devices}"
    qos: str | None = None
    constraint: str | None = None
    reservation: str | None = None
    slurm_extra: Annotated[str, Field(pattern=r"^[^'\n]*$")] = ""
    modules: Words = ()
    before: Lines = ()
    max_mem_mb: Count | None = None
    max_runtime_min: Count | None = None
    bin: str | None = None
    container: str | None = None

    def gpus(self, devices: int) -> str:
        """The request for ``devices`` GPUs on each node, as SLURM's ``--gres`` takes it."""
        return self.gres.format(devices=devices)

    def sbatch_options(self, *of_the_profile: str) -> str:
        """Options of a profile and of the site, as the resource ``slurm_extra`` takes them."""
        return f"'{' '.join([*of_the_profile, self.slurm_extra]).strip()}'"

    def shell_prefix(self) -> str:
        """Shell commands to run before each step; empty where the site needs none."""
        commands = [f"{line}; " for line in self.before]
        if self.modules:  # whose own scripts read variables that are not set
            names = " ".join(map(quote, self.modules))
            commands.insert(0, f"set +u; module load {names}; set -u; ")
        if self.container is not None:
            commands.append(f"export AIRSHED_CONTAINER={quote(self.container)}; ")
        if self.bin is not None:
            commands.append(f'export PATH={quote(str(Path(self.bin).resolve()))}:"$PATH"; ')
        return "".join(commands)


def read_site(
    path: Path = SITE_FILE,
    environment: Mapping[str, str] = os.environ,
    needed: tuple[str, ...] = (),
) -> Site:
    """The site's settings from its file, where there is one, and from the environment.

    Raises:
        AirshedError: The file is wrong, or a needed key is missing.
    """
    values: dict[str, Any] = read_yaml(path, may_be_empty=True) if path.exists() else {}
    _refuse_example_values(values, path)
    for key in Site.model_fields:
        given = environment.get(ENVIRONMENT_PREFIX + key.upper())
        if given:
            values[key] = given
    try:
        site = Site.model_validate(values)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, part['loc']))} {part['msg']}" for part in error.errors())
        raise AirshedError(
            "the site's settings are not valid", where=path, found="; ".join(problems)
        ) from None
    for key in needed:
        if getattr(site, key) is None:
            raise AirshedError(
                f"this cluster needs '{key}'",
                where=path,
                found="nothing" if path.exists() else "no such file",
                hint=HINT.format(variable=ENVIRONMENT_PREFIX + key.upper()),
            )
    return site


def _refuse_example_values(values: Mapping[str, Any], path: Path) -> None:
    """Refuse values of the example, which would charge a project that does not exist."""
    example = path.with_name(EXAMPLE)
    given = read_yaml(example, may_be_empty=True) if example.exists() else {}
    same = [f"{key}: {value}" for key, value in given.items() if values.get(key) == value]
    if same:
        raise AirshedError(
            "the site's settings are those of the example",
            where=path,
            expected="your own values, or lines that are commented out",
            found="; ".join(same),
            hint="correct or remove these lines; an empty file means SLURM's own defaults",
        )


def site_for_profile(*needed: str) -> Site:
    """For profiles, which are read before the workflow: a wrong site ends in one message."""
    try:
        return read_site(needed=needed)
    except AirshedError as error:
        sys.exit(f"airshed: {error}")
