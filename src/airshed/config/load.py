"""Reading a study's YAML files, merging them over the defaults and validating the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from airshed.config.study import Study
from airshed.errors import AirshedError


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in one YAML file.

    Raises:
        AirshedError: The file is missing, is not YAML, or holds no mapping.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise AirshedError(
            "a configuration file cannot be read", where=path, found=error.strerror
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AirshedError(
            "a configuration file is not valid YAML", where=path, found=" ".join(str(error).split())
        ) from error
    if not isinstance(content, dict):
        raise AirshedError(
            "a configuration file must hold keys and values",
            where=path,
            found=type(content).__name__,
        )
    return content


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
    merged: dict[str, Any] = {}
    for path in paths:
        merged = merge(merged, read_yaml(path))
    return validate_study(merged, where=", ".join(str(path) for path in paths))


def validate_study(values: Mapping[str, Any], where: str) -> Study:
    """The typed study for plain values.

    Raises:
        AirshedError: A key or value is wrong; every wrong one is named.
    """
    try:
        return Study.model_validate(dict(values))
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
    shown = entry["type"] != "value_error" and not isinstance(entry["input"], dict)
    found = f" (found {entry['input']!r})" if shown else ""
    return f"{key}: {message}{found}" if key else f"{message}{found}"


def dump_study(study: Study) -> str:
    """The resolved study as YAML that :func:`load_study` reads back to an equal study."""
    return yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False)
