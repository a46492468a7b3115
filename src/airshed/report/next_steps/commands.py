"""Commands that carry a study on, to be pasted in the project's folder."""

from __future__ import annotations

import json
import shlex
from typing import Any

from airshed.config import Study
from airshed.config.variants import Variant


def snakemake_command(study: Study, changes: dict[str, Any], target: str | None = None) -> str:
    """Run the workflow for a study with changes.

    The study is read as it was resolved, so that the command does not depend on which files it was
    given by. What is finished and does not depend on the changes is not done again.

    Args:
        study: The study.
        changes: Keys of the configuration with their new values; sections are merged.
        target: The only file that is wanted.
    """
    where = ["--cores", "2"] if study.train.accelerator == "cpu" else ["--profile", "slurm"]
    parts = ["snakemake", *where, *([target] if target else [])]
    parts += ["--configfile", f"results/{study.study}/config.resolved.yaml"]
    if changes:
        parts += ["--config", *(f"{key}={_flow(value)}" for key, value in changes.items())]
    return shlex.join(parts)


def with_variant(study: Study, base: str, name: str, stanza: Variant) -> dict[str, Any]:
    """Changes that add a variant to a study, and its stanza where the study knows none like it.

    Args:
        study: The study.
        base: The variant that the stanza was made from.
        name: Name for the variant if it needs a stanza of its own.
        stanza: What is wanted.
    """
    known = known_as(study, stanza)
    if known is not None:
        return {"variants": [*study.variants, known]}
    label = (
        f"{study.variant_stanzas[base].label}: {name.removeprefix(base + '_').replace('_', ' ')}"
    )
    own = stanza.model_copy(update={"label": label}).model_dump(mode="json", exclude_none=True)
    return {"variants": [*study.variants, name], "variant_stanzas": {name: own}}


def known_as(study: Study, stanza: Variant) -> str | None:
    """The variant that is like a stanza in all but its label; one of the study goes first."""

    def essence(variant: Variant) -> Variant:
        return variant.model_copy(update={"label": "", "family": None})

    names = [*study.variants, *study.variant_stanzas]
    alike = (name for name in names if essence(study.variant_stanzas[name]) == essence(stanza))
    return next(alike, None)


def _flow(value: Any) -> str:
    """A value as YAML on one line; text stays bare."""
    return value if isinstance(value, str) else json.dumps(value)
