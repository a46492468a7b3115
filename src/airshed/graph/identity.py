"""Identities of what is computed on the prepared data: settings, seed and contents, not the code.

Results with the same identity are the same, whatever study they belong to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airshed.config import Study
from airshed.config.data import Split
from airshed.data.prepared import Prepared
from airshed.graph.products import PRODUCTS
from airshed.graph.settings import chosen
from airshed.graph.views import canonical
from airshed.integrity.provenance import sha256

DAYS = "content_of_days"
"""Attribute of the hourly store with a checksum of each day."""


def identity(product: str, study: Study, of: str | None, parts: Mapping[str, Any]) -> str:
    """A hash of what shapes a product, the version of its format, and what it is made from.

    Args:
        product: One of PRODUCTS.
        study: The study, or the view of its step.
        of: The variant, whose name does not matter.
        parts: Plain values: contents of what it is made from, the seed.
    """
    given = canonical([product], study, chosen=chosen(product, study, of))
    stanzas = given.pop("variant_stanzas", {})
    kind = PRODUCTS[product].format
    whole = [kind and kind.version, given, stanzas.get(of), dict(parts)]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def training_identity(
    study: Study,
    variant: str,
    seed: int,
    prepared: Prepared,
    initial_weights: str | None,
    checksum: Callable[[Path], str] = sha256,
) -> str:
    """What the weights of a training depend on.

    Args:
        study: The study, or the view of a training.
        variant: The variant.
        seed: Its seed.
        prepared: The prepared data. Of the hourly fields those of its own splits count.
        initial_weights: Checksum of the weights that it starts from; None for new ones.
        checksum: Hashes a file.
    """
    splits = study.splits
    parts = {
        "seed": seed,
        "initial_weights": initial_weights,
        "prepared": {name: checksum(path) for name, path in prepared.small_files().items()},
        "hours": [hours(prepared.hourly, split) for split in (splits.train, splits.validation)],
    }
    if departs := {name: checksum(path) for name, path in prepared.departed_from().items()}:
        parts["departs_from"] = departs
    return identity("training", study.for_variant(variant), variant, parts)


def scores_identity(
    study: Study,
    weights: str,
    prepared: Prepared,
    climatology: Path,
    observations: Path | None,
    product: str = "scores",
) -> str:
    """What the scores of a trained run depend on.

    Args:
        study: The study, or the view of an evaluation.
        weights: Checksum of the trained weights.
        prepared: The prepared data. Of the hourly fields those of the test split count.
        climatology: The climatology.
        observations: Observations at stations, if the study has stations.
        product: ``scores``, or ``interventions`` for those of the only one that the study makes.
    """
    files = [*prepared.small_files().values(), climatology]
    parts = {
        "weights": weights,
        "files": [sha256(path) for path in (*files, *filter(None, [observations]))],
        "hours": hours(prepared.hourly, study.splits.test),
    }
    return identity(product, study, None, parts)


def hours(hourly: Path, split: Split) -> str:
    """A checksum of all that an hourly store holds of the days of a split.

    The ingest notes one of every day. A store without these is read and hashed.
    """
    noted = json.loads((hourly / "present/zarr.json").read_text(encoding="utf-8"))
    days = noted["attributes"].get(DAYS)
    if days is None:
        from airshed.data.hourly import computed_content

        days = computed_content(hourly)
    wanted = [[str(day), days.get(str(day))] for day in split.days]
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()
