"""Which attention paths a training takes: chosen once by its first process, and kept."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

from airshed.assembly import attention_choices, device_of
from airshed.config import Study
from airshed.integrity.atomic import write_json
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

    Args:
        study: The resolved study.
        variant: Name of one of its variants.
        folder: Where its checkpoints are.
    """
    if study.variant_stanzas[variant].backbone_stanza()["kind"] != "climax":
        return Agreed(Paths(), {})
    place, pinned = device_of(study).type, study.train.attention
    began = _read(folder / FILE)
    if began and (began["device"], began["pinned"]) == (place, pinned):
        return Agreed(Paths(**began["paths"]), began["found"])
    if began:
        log.warning(
            "attention: this training began with %s on %s (train.attention %s); it continues with"
            " what suits it now",
            *(began[key] for key in ("paths", "device", "pinned")),
        )
    chosen = attention_choices(study, variant)
    paths = Paths(**{blocks: choice.path for blocks, choice in chosen.items()})
    found = {blocks: choice._asdict() for blocks, choice in chosen.items() if choice.found}
    if found:
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"device": place, "pinned": pinned, "paths": paths._asdict(), "found": found}
        write_json(folder / FILE, facts)
    return Agreed(paths, found)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found
