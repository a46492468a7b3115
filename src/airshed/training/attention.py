"""Which attention paths a training takes: chosen once by its first process, and stored."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, NamedTuple

from airshed.assembly import attention_choices, device_of
from airshed.config import Study
from airshed.integrity.atomic import write_json
from airshed.integrity.formats import read_or_nothing
from airshed.model.attention import Paths

log = logging.getLogger(__name__)
FILE = "attention.json"


class Agreed(NamedTuple):
    """The paths, and what was found of the candidates by measurement, for ``run.json``."""

    paths: Paths
    found: dict[str, Any]


def agreed_attention(study: Study, variant: str, folder: Path) -> Agreed:
    """The paths that a training began with, or those that suit it here if it begins.

    A training that moved to another kind of device chooses anew, and says so.
    """
    if not study.variant_stanzas[variant].attends():
        return Agreed(Paths(), {})
    problem, place = _problem(study, variant), device_of(study).type
    began = read_or_nothing(folder / FILE)
    same = began.get("problem") == problem  # else it was another training's
    if same and began["device"] == place:
        return Agreed(Paths(**began["paths"]), began["found"])
    if same:
        log.warning(
            "attention: this training began with %s on %s; it goes on on %s with what suits it",
            *(began["paths"], began["device"], place),
        )
    chosen = attention_choices(study, variant)
    paths = Paths(**{blocks: choice.path for blocks, choice in chosen.items()})
    found = {blocks: choice._asdict() for blocks, choice in chosen.items() if choice.found}
    if found:
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"problem": problem, "device": place, "paths": paths._asdict(), "found": found}
        write_json(folder / FILE, facts)
    return Agreed(paths, found)


def _problem(study: Study, variant: str) -> dict[str, Any]:
    """What decides which paths there are to choose from."""
    model, stanza = study.model, study.variant_stanzas[variant].bias_stanza()
    return {
        "bias": dict(stanza),
        "size": [*study.patch_grid, model.heads, model.dim, study.train.batch_size],
        "precision": study.train.precision,
        "attention": study.train.attention,
    }
