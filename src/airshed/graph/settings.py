"""Files with the settings of each step, named after a hash of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airshed.config import Study, load_study, read_yaml
from airshed.config.load import merge
from airshed.errors import AirshedError
from airshed.graph.products import PREPARED, made_from
from airshed.graph.views import digest, from_values, view
from airshed.integrity.atomic import write_text

FOLDER = Path("results/settings")
DATA = (*PREPARED, "raw", "climatology", "damping", "observations")
"""Prepared data that a step reads."""
OF_A_VARIANT = ("training", "scores", "interventions", "ensemble", "interpretation", "cost")


def chosen(product: str, study: Study, of: str | None) -> dict[str, list[str]]:
    """Which stanzas and external forecasts belong to a product.

    Args:
        product: One of PRODUCTS.
        study: The study, or a view of it.
        of: The variant or external forecast that the product is of; None for those of the study.
    """
    if product == "scan_tables":
        return {"variant_stanzas": []}
    if product == "external" and of is not None:
        return {"external": [of]}
    if product in OF_A_VARIANT and of is not None:
        beside = study.variant_stanzas[of].reference if product == "cost" else None
        found = {"variant_stanzas": [of, *([] if beside is None else [beside])]}
        if product == "interventions":
            found["intervention_stanzas"] = study.interventions.apply
        return found
    if product in ("comparison", "report"):
        return {"variant_stanzas": study.variants}
    return {}


def _own(product: str, study: Study, of: str | None) -> Study:
    """The study with the variant's own precision for a training, its own scan for scan tables."""
    if of is None:
        return study
    if product == "scan_tables":
        return study.scanned_as(of)
    return study.for_variant(of) if product == "training" else study


def shaping(product: str, study: Study, of: str | None = None) -> dict[str, Any]:
    """What shapes a product, as plain values."""
    part = view(_own(product, study, of), product, "shaping", chosen(product, study, of))
    return part.model_dump(mode="json")


def name_of(product: str, study: Study, of: str | None = None) -> str:
    """A name that stands for what shapes a product, such as ``statistics-2614f63f``."""
    return f"{product}-{digest(product, _own(product, study, of), chosen(product, study, of))}"


def read_by(product: str, study: Study, of: str | None = None) -> dict[str, str]:
    """For each dataset that a step reads, the name of the settings that it must be made with."""
    variant = of if product in OF_A_VARIANT else None
    names = [name for name in made_from(product, study) if name in DATA]
    return {name: name_of(name, study, variant) for name in names}


class SettingsFiles:
    """The settings of a study, each set of them in one file.

    Attributes:
        content: Texts of the files, by path.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self.content: dict[str, str] = {}

    def shaping(self, product: str, of: str | None = None) -> str:
        """Path of the file with what shapes a product."""
        values = shaping(product, self._study, of)
        return self._file(name_of(product, self._study, of), product, values)

    def work(self, product: str, of: str | None = None) -> str:
        """Path of the file with the other settings that its step reads."""
        part = view(self._study, product, "work", chosen(product, self._study, of))
        values, reads = part.model_dump(mode="json"), read_by(product, self._study, of)
        name = hashlib.sha256(json.dumps([values, reads], sort_keys=True).encode()).hexdigest()[:8]
        return self._file(f"{product}-work-{name}", product, values, reads=reads)

    def _file(self, name: str, product: str, values: dict[str, Any], **more: Any) -> str:
        path = str(FOLDER / f"{name}.json")
        content = {"product": product, "settings": values, **more}
        self.content[path] = json.dumps(content, indent=2, sort_keys=True) + "\n"
        return path

    def write(self) -> None:
        """Write new and changed files. Old ones stay for comparison."""
        for path, text in self.content.items():
            file = Path(path)
            if not (file.is_file() and file.read_text(encoding="utf-8") == text):
                write_text(file, text)


def step_settings(paths: Sequence[Path], product: str, of: str | None = None) -> Study:
    """The settings of a step; reading one that it does not declare raises.

    Args:
        paths: Files of :class:`SettingsFiles`, or YAML files of a whole study.
        product: What the step makes.
        of: As for :func:`chosen`.

    Raises:
        AirshedError: A file cannot be read, is not valid, or holds the settings of another step.
    """
    contents = {path: read_yaml(path) for path in paths}
    if not all("product" in content for content in contents.values()):
        study = load_study(paths)
        _check_known(study, product, of)
        return view(_own(product, study, of), product, chosen=chosen(product, study, of))
    values: dict[str, Any] = {}
    for path, content in contents.items():
        if content["product"] != product:
            raise AirshedError(
                "these are the settings of another step",
                where=path,
                expected=product,
                found=content["product"],
                hint="give the study's YAML files, or the files that Snakemake gives this step",
            )
        values = merge(values, content["settings"])
    return from_values(values)


def names_read(paths: Sequence[Path], product: str, of: str | None = None) -> dict[str, str]:
    """:func:`read_by` for a step with these files of settings."""
    contents = [read_yaml(path) for path in paths]
    if any("product" in content for content in contents):
        return {
            name: each for content in contents for name, each in content.get("reads", {}).items()
        }
    return read_by(product, load_study(paths), of)


def _check_known(study: Study, product: str, of: str | None) -> None:
    known = study.external if product == "external" else study.variant_stanzas
    if of is not None and of not in known:
        what = "external forecast" if product == "external" else "variant"
        section = "external" if product == "external" else "variant_stanzas"
        raise AirshedError(
            f"unknown {what}",
            expected=", ".join(known) or f"a name in section '{section}'",
            found=of,
        )
