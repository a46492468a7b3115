"""Reading a study's YAML files, merging them over the defaults and validating the result."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from airshed.config.base import meant, unknown_key_message
from airshed.config.data import DatasetConfig
from airshed.config.study import Study
from airshed.config.yaml_file import read_yaml
from airshed.errors import AirshedError

QUOTED = re.compile(r"'([^']+)'")

Model = TypeVar("Model", bound=BaseModel)


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``override`` in place of its own, section by section."""
    merged = dict(base)
    for key, value in override.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def load_study(paths: Sequence[Path]) -> Study:
    """Validate the study given by YAML files, later ones overriding earlier ones.

    Raises:
        AirshedError: A file cannot be read, or a key or value is wrong.
    """
    return validate_study(_merged(paths), where=", ".join(map(str, paths)))


def load_dataset(paths: Sequence[Path]) -> DatasetConfig:
    """Validate the section ``dataset`` of YAML files alone, later ones overriding earlier ones.

    Raises:
        AirshedError: A file cannot be read, or a key or value of the section is wrong.
    """
    section = _merged(paths).get("dataset", {})
    return _validated(DatasetConfig, section, f"dataset in {', '.join(map(str, paths))}")


def _merged(paths: Sequence[Path]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for path in paths:
        merged = merge(merged, read_yaml(path))
    return merged


def validate_study(values: Mapping[str, Any], where: str) -> Study:
    """The typed study for plain values.

    Raises:
        AirshedError: A key or value is wrong; every wrong one is named.
    """
    return _validated(Study, dict(values), where)


def _validated(model: type[Model], values: Any, where: str) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [_problem(entry) for entry in error.errors()]
        raise AirshedError(
            "the configuration is not valid:\n" + "\n".join(f"    {line}" for line in problems),
            where=where,
            hint="mend the keys named above; config/README.md explains each",
        ) from None


def _problem(entry: Any) -> str:
    key = ".".join(str(part) for part in entry["loc"])
    message = str(entry["msg"]).removeprefix("Value error, ")
    given = entry.get("ctx", {})
    if entry["type"] == "literal_error":
        message += meant(str(entry["input"]), re.findall(QUOTED, given["expected"]))
    elif entry["type"] == "union_tag_invalid":
        known = re.findall(QUOTED, given["expected_tags"])
        message = unknown_key_message(given["tag"], known, given["discriminator"].strip("'"))
    shown = entry["type"] != "value_error" and not isinstance(entry["input"], dict)
    found = f" (found {reprlib.repr(entry['input'])})" if shown else ""
    return f"{key}: {message}{found}" if key else f"{message}{found}"


def dump_study(study: Study) -> str:
    """The resolved study as YAML that :func:`load_study` reads back to an equal study."""
    return yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False)
